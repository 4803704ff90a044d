"""Which part of a commit is wanted: the synced folder, and what its DAGs may read outside of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.subpath import is_within, parse_subpath

MAX_INCLUDE_BYTES = 16 * 1024
MAX_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class FetchScope:
    """The wanted part of every commit of a repository.

    `subpath` is the synced folder ("" is the root: then all is wanted, whatever `include` says); `include` are
    gitignore patterns, one a line, of what is wanted besides. Make it with `parse_scope`.
    """

    subpath: str = ""
    include: str = ""

    @property
    def is_whole(self) -> bool:
        return not self.subpath

    def decider(self) -> Callable[[str], bool]:
        """Says of each path of one commit whether it is wanted.

        It raises GitError (TREE_TOO_LARGE) once the patterns took more than 30 s over all paths.
        """
        if self.is_whole:
            return lambda _path: True
        from compilers.ignore_rules import IGNORE_FILE, read_patterns

        patterns = read_patterns(self.include)
        # These have their say about files under the subpath.
        folders = self.subpath.split("/")
        rules = {"/".join((*folders[:depth], IGNORE_FILE)) for depth in range(len(folders))}
        # A folder is never requested. Anything else in the place of one tells why the subpath is not there.
        above = {"/".join(folders[:depth]) for depth in range(1, len(folders))}
        spent = 0.0

        def is_wanted(path: str) -> bool:
            nonlocal spent
            if is_within(path, self.subpath) or path in rules or path in above:
                return True
            started = time.monotonic()
            wanted = patterns.matches(path)
            spent += time.monotonic() - started
            if spent > MAX_SECONDS:
                raise git_error(
                    GitReason.TREE_TOO_LARGE,
                    f"finding what the include list names took more than {MAX_SECONDS:g} s; "
                    "write fewer or simpler patterns",
                )
            return wanted

        return is_wanted


WHOLE = FetchScope()


def parse_scope(subpath: str, include: str) -> FetchScope:
    """Raises GitError (SUBPATH_INVALID, INCLUDE_INVALID)."""
    return FetchScope(parse_subpath(subpath), parse_include(include))


def parse_include(text: str) -> str:
    """The patterns as they are kept: without spaces and lines that say nothing.

    Raises GitError (INCLUDE_INVALID), which names the line.
    """
    from compilers.ignore_rules import read_patterns

    if len(text.encode("utf-8", "surrogatepass")) > MAX_INCLUDE_BYTES:
        raise _refused(f"the include list is longer than {MAX_INCLUDE_BYTES} bytes")
    kept = []
    for number, line in enumerate(text.split("\n"), start=1):
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        if not pattern.isprintable():
            raise _refused(
                f"line {number} of the include list has an unprintable character: {pattern[:80]!r}"
            )
        try:
            _refuse_meaningless(pattern)
            read_patterns(pattern)
        except ValueError as exc:
            raise _refused(
                f"line {number} of the include list, {pattern[:80]!r}, is no pattern: {exc}"
            ) from exc
        kept.append(pattern)
    return "\n".join(kept)


def _refuse_meaningless(pattern: str) -> None:
    """Raise ValueError for a pattern that git takes for one that matches nothing."""
    if pattern == "!":
        raise ValueError("nothing follows '!'")
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise ValueError("nothing follows the backslash at its end; write folders as 'lib/'")


def _refused(why: str) -> GitError:
    return git_error(
        GitReason.INCLUDE_INVALID,
        f"{why[:500]}. Write gitignore patterns, one a line, like '*.py', 'lib/' or '/config/*.json'",
    )
