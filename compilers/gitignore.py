"""The lines of a `.gitignore`, with the meaning that they have to git (`dir.c` of git 2.39)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from compilers.wildmatch import matcher


@dataclass(frozen=True, slots=True)
class Rule:
    """One line. `negated`: it includes what it matches. `folders_only`: it ends with a slash. `by_name`: it has no
    other slash, and is compared with the last component of a path; else with the path below the file's folder.
    """

    negated: bool
    folders_only: bool
    by_name: bool
    matches: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Whether a path is excluded, and the rank of the rule that decided it: (depth of its file, number)."""

    is_excluded: bool
    rank: tuple[int, int]


class Rules:
    """The rules of one tree, by the folder of the file that holds them ("" is the root).

    The last rule that matches decides, and a deeper file comes after a higher one, as in git. A rule about a
    folder is about all that is in it. In one thing this is kinder than git, which never looks into an excluded
    folder: a later `!` rule includes a file again whose folder is excluded.
    """

    def __init__(self, by_folder: Mapping[str, Sequence[Rule]]) -> None:
        self._by_folder = {folder: tuple(rules) for folder, rules in by_folder.items() if rules}
        self._folders: dict[str, _Verdict] = {"": _Verdict(False, (-1, -1))}

    def matches(self, path: str) -> bool:
        """Return whether the file at `path` is excluded, by itself or with a folder that holds it."""
        if not self._by_folder:
            return False
        return self._verdict(as_bytes(path), is_folder=False).is_excluded

    def _verdict(self, path: str, *, is_folder: bool) -> _Verdict:
        above = self._folder(path.rpartition("/")[0])
        found = self._last_match(path, is_folder=is_folder)
        if found is None:
            return above
        rank, negated = found
        if not above.is_excluded:
            return _Verdict(not negated, rank)
        if rank < above.rank:
            return above
        return _Verdict(not negated, rank)

    def _folder(self, path: str) -> _Verdict:
        """Return the verdict on a folder, which is reached once."""
        missing = []
        while (known := self._folders.get(path)) is None:
            missing.append(path)
            path = path.rpartition("/")[0]
        for folder in reversed(missing):
            known = self._folders[folder] = self._verdict(folder, is_folder=True)
        return known

    def _last_match(self, path: str, *, is_folder: bool) -> tuple[tuple[int, int], bool] | None:
        name = path[path.rfind("/") + 1 :]
        for depth, folder in _folders_of(path):
            rules = self._by_folder.get(folder)
            if rules is None:
                continue
            below = path[len(folder) + 1 :] if folder else path
            for number in range(len(rules) - 1, -1, -1):
                rule = rules[number]
                if (is_folder or not rule.folders_only) and rule.matches(name if rule.by_name else below):
                    return (depth, number), rule.negated
        return None


def as_bytes(text: str) -> str:
    """Return the text with one character for each of its bytes in UTF-8 (what is not UTF-8 is surrogate-escaped)."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


def parse_rules(text: str) -> list[Rule]:
    """Return the rules of an ignore file. git refuses no line: one that means nothing matches nothing.

    Raises ValueError for a text with NUL bytes, and for a line that no regular expression can be made of, which is
    one of absurd length.
    """
    if "\0" in text:
        raise ValueError("it holds NUL bytes, so it is not UTF-8 (UTF-16?)")
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
    """Return the line without spaces at its end, unless the first of them is escaped. Tabs stay."""
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


def _rule(line: str) -> Rule:
    negated = line.startswith("!")
    pattern = line[1:] if negated else line
    folders_only = pattern.endswith("/")
    if folders_only:
        pattern = pattern[:-1]
    by_name = "/" not in pattern
    if not by_name:
        pattern = pattern.removeprefix("/")
    return Rule(negated, folders_only, by_name, matcher(pattern))


def _folders_of(path: str) -> Iterator[tuple[int, str]]:
    """Yield the folders that hold `path` with their depth, from the deepest up."""
    depth = path.count("/")
    while depth:
        path = path[: path.rfind("/")]
        yield depth, path
        depth -= 1
    yield 0, ""
