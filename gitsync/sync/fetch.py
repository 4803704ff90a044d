"""Step "fetch": the commit into the mirror; then its tree, seen to hold the configured folder."""

from __future__ import annotations

from gitsync.git.tree import GitTree
from gitsync.models import Repository
from gitsync.sync.remote import Remote
from gitsync.sync.subpath import check_subpath


def fetch_commit(remote: Remote) -> str:
    """Bring the commit the ref names into the mirror, all in the scope verified to be there. Raises GitError."""
    return remote.mirror.fetch(remote.url, remote.ref, remote.credential, remote.scope)


def read_tree(remote: Remote, repository: Repository, commit: str) -> GitTree:
    """The fetched commit's tree, as far as it is in the scope. Raises GitError, and SyncError for the subpath."""
    tree = remote.mirror.tree(commit, remote.scope)
    check_subpath(tree, remote, repository)
    return tree
