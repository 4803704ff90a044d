"""The scope of a commit: the subpath, which is the synced folder, and the files outside it that its DAGs may read."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from gitsync.git.errors import GitError, GitReason, git_error

MAX_INCLUDE_BYTES = 16 * 1024
MAX_SUBPATH_BYTES = 1024
MAX_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class FetchScope:
    """The part of every commit of a repository that is fetched and read.

    `subpath` is the synced folder. If it is "" (the root), the scope is the whole commit, regardless of `include`.
    `include` are gitignore patterns of additional files, one per line. Create it with `parse_scope`.
    """

    subpath: str = ""
    include: str = ""

    @property
    def is_whole(self) -> bool:
        return not self.subpath

    def decider(self) -> Callable[[str], bool]:
        """Return a function that says whether a path of one commit is in the scope.

        The function raises GitError (TREE_TOO_LARGE) once the patterns took more than 30 s over all paths.
        """
        if self.is_whole:
            return lambda _path: True
        from compilers.ignore_rules import IGNORE_FILE, read_patterns

        patterns = read_patterns(self.include)
        # Ignore files above the subpath also apply to the files under it.
        folders = self.subpath.split("/")
        rules = {"/".join((*folders[:depth], IGNORE_FILE)) for depth in range(len(folders))}
        # The caller never passes a folder. Another entry in the place of one explains why the subpath is missing.
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
                    f"matching the include list took more than {MAX_SECONDS:g} s. "
                    "Use fewer or simpler patterns",
                )
            return wanted

        return is_wanted


WHOLE = FetchScope()


def parse_scope(subpath: str, include: str) -> FetchScope:
    """Return the scope of a subpath and an include list. Raises GitError (SUBPATH_INVALID, INCLUDE_INVALID)."""
    return FetchScope(parse_subpath(subpath), parse_include(include))


def parse_include(text: str) -> str:
    """Return the patterns without surrounding spaces, empty lines and comments.

    Raises GitError (INCLUDE_INVALID), which names the line.
    """
    from compilers.ignore_rules import read_patterns

    if len(text.encode("utf-8", "surrogatepass")) > MAX_INCLUDE_BYTES:
        raise _refused_include(f"the include list is longer than {MAX_INCLUDE_BYTES} bytes")
    kept = []
    for number, line in enumerate(text.split("\n"), start=1):
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        if not pattern.isprintable():
            raise _refused_include(
                f"line {number} of the include list has an unprintable character: {pattern[:80]!r}"
            )
        try:
            _refuse_meaningless(pattern)
            read_patterns(pattern)
        except ValueError as exc:
            raise _refused_include(
                f"line {number} of the include list, {pattern[:80]!r}, is not a valid pattern: {exc}"
            ) from exc
        kept.append(pattern)
    return "\n".join(kept)


def _refuse_meaningless(pattern: str) -> None:
    """Raise ValueError for a pattern that git accepts but that matches nothing."""
    if pattern == "!":
        raise ValueError("nothing follows '!'")
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise ValueError("nothing follows the backslash at its end. Write folders as 'lib/'")


def _refused_include(why: str) -> GitError:
    return git_error(
        GitReason.INCLUDE_INVALID,
        f"{why[:500]}. Write gitignore patterns, one per line, such as '*.py', 'lib/' or '/config/*.json'",
    )


def parse_subpath(text: str) -> str:
    """Return the folder relative to the repository's root, without slashes at its ends.

    `""`, `"."` and `"/"` are the root, which is returned as `""`. One leading and one trailing slash are dropped (`/dags/`
    is `dags`), since the path can only start at the repository's root. Refused are `..` and `.` components, empty
    components, backslashes, control characters, `::` (it separates path and DAG id in a uid), and more than 1024 bytes.
    Raises GitError (SUBPATH_INVALID).
    """
    if text in ("", ".", "/"):
        return ""
    if any(not character.isprintable() for character in text):
        raise _refused_subpath(text, "has a control or other unprintable character")
    if len(text.encode()) > MAX_SUBPATH_BYTES:
        raise _refused_subpath(text, f"is longer than {MAX_SUBPATH_BYTES} bytes")
    if "\\" in text:
        raise _refused_subpath(text, "has a backslash. Separate folders with '/'")
    if "::" in text:
        raise _refused_subpath(text, "contains '::', which separates a path from a DAG id")
    path = text.removeprefix("/").removesuffix("/")
    components = path.split("/")
    if "" in components:
        raise _refused_subpath(text, "has an empty component ('//')")
    if "." in components or ".." in components:
        raise _refused_subpath(text, "has a '.' or '..' component. Write the path from the repository's root")
    return path


def is_within(path: str, subpath: str) -> bool:
    """Return whether a path of the tree is the subpath or lies under it, component by component.

    >>> is_within("dags2/a.yaml", "dags")
    False
    """
    return subpath == "" or path == subpath or path.startswith(subpath + "/")


def _refused_subpath(text: str, why: str) -> GitError:
    return git_error(
        GitReason.SUBPATH_INVALID,
        f"subpath {text[:200]!r} {why}. "
        "Enter a relative folder such as 'dags/prod', or nothing for the root.",
    )
