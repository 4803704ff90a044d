"""The subpath: the folder of a repository that is synced."""

from __future__ import annotations

from gitsync.git.errors import GitError, GitReason, git_error

MAX_SUBPATH_BYTES = 1024


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
        raise _refused(text, "has a control or other unprintable character")
    if len(text.encode()) > MAX_SUBPATH_BYTES:
        raise _refused(text, f"is longer than {MAX_SUBPATH_BYTES} bytes")
    if "\\" in text:
        raise _refused(text, "has a backslash. Separate folders with '/'")
    if "::" in text:
        raise _refused(text, "contains '::', which separates a path from a DAG id")
    path = text.removeprefix("/").removesuffix("/")
    components = path.split("/")
    if "" in components:
        raise _refused(text, "has an empty component ('//')")
    if "." in components or ".." in components:
        raise _refused(text, "has a '.' or '..' component. Write the path from the repository's root")
    return path


def is_within(path: str, subpath: str) -> bool:
    """Return whether a path of the tree is the subpath or lies under it, component by component.

    >>> is_within("dags2/a.yaml", "dags")
    False
    """
    return subpath == "" or path == subpath or path.startswith(subpath + "/")


def _refused(text: str, why: str) -> GitError:
    return git_error(
        GitReason.SUBPATH_INVALID,
        f"subpath {text[:200]!r} {why}. "
        "Enter a relative folder such as 'dags/prod', or nothing for the root.",
    )
