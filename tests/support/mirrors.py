"""Helpers of the tests of mirrors: the URL of a repository in a folder, and the content of a mirror."""

from __future__ import annotations

import subprocess

from gitsync.git.mirror import Mirror
from gitsync.git.scope import WHOLE, FetchScope
from gitsync.git.url import RemoteUrl, parse_url
from tests.support.servers.repositories import WorkRepo

# Those of git's settings here: folders too.
PROTOCOLS = frozenset({"https", "ssh", "file"})


def url_of(repo: WorkRepo) -> RemoteUrl:
    return parse_url(repo.file_url, allow_protocols=PROTOCOLS)


def contents(mirror: Mirror, commit: str, scope: FetchScope = WHOLE) -> dict[str, bytes]:
    """The files in the scope, by path, as the compilers read them."""
    tree = mirror.tree(commit, scope)
    return {entry.path: content for entry, content in tree.read(tree.entries)}


def git_in(mirror: Mirror, *arguments: str) -> str:
    """Return git's output about the mirror's repository."""
    done = subprocess.run(
        ["git", "--git-dir", str(mirror.git_directory), *arguments], capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def disk_bytes(mirror: Mirror) -> int:
    return sum(path.stat().st_size for path in mirror.git_directory.rglob("*") if path.is_file())
