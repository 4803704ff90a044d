"""`.kiokignore`: files that are left out on purpose, in the syntax of `.gitignore`.

The patterns are hostile, and run on the host. So their regular expressions are made ones that never
backtrack over a choice already made, and all of them together have a time limit.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from compilers.base import CompilerError, Tree, TreeEntry

IGNORE_FILE = ".kiokignore"
MAX_IGNORE_FILE_BYTES = 256 * 1024
MAX_SECONDS = 30.0

# How pathspec writes `*`, a leading `**/` and a `/**/`; nothing that an author writes comes out so.
_STAR = "[^/]*"
_LEADING = "^(?:.+/)?"
_INNER = "(?:/.+)?"
_TOKEN = re.compile(r"\\.|\[\^?\]?[^\]]*\]|.", re.DOTALL)


class IgnoreFileError(CompilerError):
    """A `.kiokignore` cannot be read or followed. Nothing is compiled: a guess could prune."""


class _Pattern(GitIgnoreSpecPattern):
    """A gitignore pattern whose matching costs at most its length times the path's.

    With several wildcards, the leftmost place for what stands between two of them is as good as any
    other, so a place once found is kept (an atomic group) instead of being tried again.
    """

    @classmethod
    def pattern_to_regex(cls, pattern: str) -> tuple[str | None, bool | None]:  # type: ignore[override]
        regex, include = super().pattern_to_regex(pattern)
        return (regex and _without_retries(regex)), include

    @staticmethod
    def _translate_segment_glob(pattern: str, range_error: str) -> str:
        """One path component; what pathspec calls for each."""
        regex = GitIgnoreSpecPattern._translate_segment_glob(pattern, range_error)  # type: ignore[arg-type]
        regex = _TOKEN.sub(_within_component, regex)
        first, *rest = regex.split(_STAR)
        if not rest:
            return regex
        between = "".join(f"(?>[^/]*?{part})" for part in rest[:-1] if part)
        return f"{first}{between}{_STAR}{rest[-1]}"


def _within_component(token: re.Match[str]) -> str:
    """A range, such as `[!a]`, kept from matching the `/` after the component, as in git."""
    is_range = token[0].startswith("[") and token[0] != "[^/]"
    return f"(?!/){token[0]}" if is_range else token[0]


def _without_retries(regex: str) -> str:
    """The regex with every run of components between two `**` kept where it is first found."""
    first, *rest = regex.split(_INNER)
    if not rest:
        return regex
    if first.startswith(_LEADING):
        first = f"^(?>(?:[^/]+/)*?{first.removeprefix(_LEADING)}(?=/))"
    between = "".join(f"(?>(?:/[^/]+)*?{part}(?=/))" for part in rest[:-1])
    return f"{first}{between}{_INNER}{rest[-1]}"


class IgnoreRules:
    """The rules of every `.kiokignore` of a tree: relative to its folder, a deeper file has the last word."""

    def __init__(self, tree: Tree) -> None:
        """Raises IgnoreFileError for a file that is too large or cannot be read."""
        files = [entry for entry in tree.entries if _is_ignore_file(entry) and entry.is_file]
        _refuse_large([*files, *filter(_is_ignore_file, tree.oversized)])
        self._seconds = 0.0
        self._rules: dict[str, GitIgnoreSpec] = {}
        for entry, content in tree.read(files) if files else ():
            with self._timed():
                self._rules[entry.path.rpartition("/")[0]] = _spec(entry, content)

    def ignore(self, path: str) -> bool:
        """Whether a file is left out. Raises IgnoreFileError once the rules took too long."""
        verdict = False
        with self._timed():
            for folder in _folders_of(path) if self._rules else ():
                spec = self._rules.get(folder)
                if spec is not None:
                    result = spec.check_file(path[len(folder) + 1 :] if folder else path)
                    if result.include is not None:
                        verdict = result.include
        return verdict

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Counts the time of what is inside, which is bounded for one file but not for all of them."""
        started = time.monotonic()
        yield
        self._seconds += time.monotonic() - started
        if self._seconds > MAX_SECONDS:
            raise IgnoreFileError(
                f"the {IGNORE_FILE} files took more than {MAX_SECONDS:g} s to read and apply. "
                "Write fewer or simpler patterns; nothing was changed"
            )


def read_patterns(text: str) -> GitIgnoreSpec:
    """Gitignore patterns, one a line, whose matching is linear. Raises ValueError for what is none."""
    try:
        return GitIgnoreSpec.from_lines(text.splitlines(), _Pattern, backend="simple")
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(str(exc)) from exc


def _spec(entry: TreeEntry, content: bytes) -> GitIgnoreSpec:
    try:
        return read_patterns(content.decode("utf-8"))
    except ValueError as exc:
        raise IgnoreFileError(
            f"{entry.path} cannot be read: {str(exc)[:200]}. It takes gitignore patterns, one a line, in UTF-8; "
            "nothing was changed"
        ) from exc


def _refuse_large(files: Sequence[TreeEntry]) -> None:
    for entry in files:
        if entry.size > MAX_IGNORE_FILE_BYTES:
            raise IgnoreFileError(
                f"{entry.path} has {entry.size} bytes; at most {MAX_IGNORE_FILE_BYTES} are read. Nothing was changed"
            )


def _is_ignore_file(entry: TreeEntry) -> bool:
    return entry.path == IGNORE_FILE or entry.path.endswith(f"/{IGNORE_FILE}")


def _folders_of(path: str) -> Iterator[str]:
    """The folders that hold `path`, from the root down."""
    yield ""
    position = path.find("/")
    while position != -1:
        yield path[:position]
        position = path.find("/", position + 1)
