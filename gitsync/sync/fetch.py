"""Step "fetch": the commit into the mirror; then its tree, seen to hold the configured folder."""

from __future__ import annotations

from gitsync.errors import SubpathMissing
from gitsync.git.tree import GitTree, PathKind
from gitsync.models import Repository
from gitsync.remote import Remote


def fetch_commit(remote: Remote) -> str:
    """Bring the commit the ref names into the mirror, all in the scope verified to be there. Raises GitError."""
    return remote.mirror.fetch(remote.url, remote.ref, remote.credential, remote.scope)


def read_tree(remote: Remote, repository: Repository, commit: str) -> GitTree:
    """The fetched commit's tree, as far as it is in the scope. Raises GitError, SubpathMissing.

    A folder that an earlier sync of the same url, ref and subpath saw, and that is gone now, has lost its last
    file: git keeps no empty folders. One that no sync ever saw is a mistake in the configuration.
    """
    tree = remote.mirror.tree(commit, remote.scope)
    is_there = not remote.subpath or tree.kind_of(remote.subpath) is PathKind.FOLDER
    if not is_there and repository.synced_location != repository.location:
        raise SubpathMissing(
            f"commit {commit[:12]} of {remote.ref} has no folder {remote.subpath!r}, and no earlier sync saw one. "
            "Nothing was changed. Correct the subpath, or push the folder"
        )
    return tree
