"""The lines of a `.gitignore` file, with the semantics of git (`dir.c` of git 2.39)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from compilers.wildmatch import matcher


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """A line of an ignore file.

    `negated`: it includes its matches again. `folders_only`: it ends with a slash. `by_name`: it has no other slash
    and is compared with the last component of a path; otherwise with the path relative to the file's folder.
    """

    negated: bool
    folders_only: bool
    by_name: bool
    matches: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The decision whether a path is excluded, with the rank of the deciding rule: (depth of its file, number)."""

    is_excluded: bool
    rank: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Applying:
    """A rule that applies in a folder. `below` is the index in a path from which on it is compared."""

    rule: IgnoreRule
    rank: tuple[int, int]
    below: int


class Rules:
    """The rules of a tree, by the folder of the file that holds them ("" is the root).

    The last matching rule decides, and a deeper file comes after a higher one, as in git. A rule for a folder
    applies to all its content. One difference: git never enters an excluded folder, while here a later `!` rule
    includes a file of an excluded folder again.
    """

    def __init__(self, by_folder: Mapping[str, Sequence[IgnoreRule]]) -> None:
        self._by_folder = {folder: tuple(rules) for folder, rules in by_folder.items() if rules}
        self._verdicts: dict[str, _Verdict] = {"": _Verdict(False, (-1, -1))}
        self._applying: dict[str, tuple[_Applying, ...]] = {"": self._own("", depth=0)}

    def __bool__(self) -> bool:
        return bool(self._by_folder)

    @property
    def folders(self) -> int:
        """Return the number of folders whose verdicts are stored."""
        return len(self._verdicts)

    def matches(self, path: str) -> bool:
        """Return whether the file at `path` is excluded, by a rule for itself or for one of its folders."""
        if not self._by_folder:
            return False
        return self._verdict(as_bytes(path), is_folder=False).is_excluded

    def _verdict(self, path: str, *, is_folder: bool) -> _Verdict:
        folder, _, name = path.rpartition("/")
        above = self._verdicts.get(folder) or self._enter(folder)
        for applying in self._applying[folder]:
            rule = applying.rule
            if rule.folders_only and not is_folder:
                continue
            if rule.matches(name if rule.by_name else path[applying.below :]):
                if above.is_excluded and applying.rank < above.rank:
                    return above
                return _Verdict(not rule.negated, applying.rank)
        return above

    def _enter(self, path: str) -> _Verdict:
        """Return the verdict for a folder that is visited for the first time."""
        missing = []
        while (known := self._verdicts.get(path)) is None:
            missing.append(path)
            path = path.rpartition("/")[0]
        for folder in reversed(missing):
            known = self._verdicts[folder] = self._verdict(folder, is_folder=True)
            above = self._applying[folder.rpartition("/")[0]]
            own = self._own(folder, depth=folder.count("/") + 1)
            self._applying[folder] = own + above if own else above
        return known

    def _own(self, folder: str, depth: int) -> tuple[_Applying, ...]:
        """Return the rules of a folder's own file, last one first."""
        rules = self._by_folder.get(folder, ())
        below = len(folder) + 1 if folder else 0
        numbered = [_Applying(rule, (depth, number), below) for number, rule in enumerate(rules)]
        return tuple(reversed(numbered))


def as_bytes(text: str) -> str:
    """Return the text with one character per UTF-8 byte (bytes that are not UTF-8 are surrogate-escaped)."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


def parse_rules(text: str) -> list[IgnoreRule]:
    """Parse an ignore file. git refuses no line: a meaningless one matches nothing.

    Raises ValueError for a text with NUL bytes, and for a line so long that it cannot become a regular expression.
    """
    if "\0" in text:
        raise ValueError("it contains NUL bytes, so it is not UTF-8 (is it UTF-16?)")
    rules = []
    for number, line in enumerate(as_bytes(text.removeprefix("\ufeff")).split("\n"), start=1):
        if not line or line.startswith("#"):
            continue
        try:
            rules.append(_rule(_without_trailing_spaces(line.removesuffix("\r"))))
        except (re.error, OverflowError, RecursionError) as exc:
            raise ValueError(f"line {number} ({len(line)} bytes) is too long or too complex: {exc}") from exc
    return rules


def _without_trailing_spaces(line: str) -> str:
    """Return the line without trailing spaces, unless the first of them is escaped. Tabs stay."""
    end, position = None, 0
    while position < len(line):
        if line[position] == " ":
            end = position if end is None else end
        else:
            end = None
            if line[position] == "\\":
                position += 1
                if position == len(line):
                    return line
        position += 1
    return line if end is None else line[:end]


def _rule(line: str) -> IgnoreRule:
    negated = line.startswith("!")
    pattern = line[1:] if negated else line
    folders_only = pattern.endswith("/")
    if folders_only:
        pattern = pattern[:-1]
    by_name = "/" not in pattern
    if not by_name:
        pattern = pattern.removeprefix("/")
    return IgnoreRule(negated, folders_only, by_name, matcher(pattern))
