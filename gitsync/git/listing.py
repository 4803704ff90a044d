"""Listing of a commit's tree: paths, modes and object ids. It works without the files of the commit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gitsync.git.client import GitClient
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.scope import FetchScope

FOLDER = "040000"
SYMLINK = "120000"
SUBMODULE = "160000"
MAX_LINKS_OUTSIDE = 1000  # links outside the scope that are kept; they only serve to explain errors
_BYTES_PER_ENTRY = 256
_ENTRY = re.compile(r"([0-7]+) [a-z]+ ([0-9a-f]+)(?: +([0-9]+|-|BAD))?\t([^\0]*)\0")


class Listed(NamedTuple):
    """An entry that is not a folder. `path` can contain anything but NUL. Bytes that are not UTF-8 are surrogate-escaped."""

    path: str
    mode: str
    blob: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The part of a commit's tree in a scope, in git's order. `folders` are the folders in the scope or above it.

    `links_outside` are symbolic links and submodules outside the scope, at most `MAX_LINKS_OUTSIDE`. `sizes` are the bytes
    of each blob in the mirror, or None if they were not listed.
    """

    entries: tuple[Listed, ...]
    folders: frozenset[str]
    links_outside: tuple[Listed, ...] = ()
    sizes: Mapping[str, int] | None = None

    @property
    def blobs(self) -> tuple[str, ...]:
        """Return the blob ids of all files and symlinks, without duplicates."""
        return tuple(dict.fromkeys(entry.blob for entry in self.entries if entry.mode != SUBMODULE))


def read_listing(
    client: GitClient,
    directory: Path,
    commit: str,
    *,
    scope: FetchScope,
    max_files: int,
    inherit: Sequence[int] = (),
) -> Listing:
    """List a commit of a mirror. Raises GitError (TREE_TOO_LARGE over `max_files` in the scope, MIRROR_BROKEN)."""
    if scope.is_whole:
        return _read_whole(client, directory, commit, max_files, inherit)
    records = list_commit(client, directory, commit, max_files=max_files, is_part=True, inherit=inherit)
    is_wanted = scope.decider()
    entries: list[Listed] = []
    folders: set[str] = set()
    links_outside: list[Listed] = []
    for mode, blob, path in records:
        if mode == FOLDER:
            # Of the folders outside the scope, only the parents of the subpath are ever needed.
            if is_wanted(path) or f"{scope.subpath}/".startswith(f"{path}/"):
                folders.add(path)
        elif is_wanted(path):
            entries.append(Listed(path, mode, blob))
            if len(entries) > max_files:
                raise _too_many(commit, max_files)
        elif mode in (SYMLINK, SUBMODULE) and len(links_outside) < MAX_LINKS_OUTSIDE:
            links_outside.append(Listed(path, mode, blob))
    return Listing(tuple(entries), frozenset(folders), tuple(links_outside))


def _read_whole(
    client: GitClient, directory: Path, commit: str, max_files: int, inherit: Sequence[int]
) -> Listing:
    """List a commit with the sizes of its files. Used only if every file is wanted.

    If files were left out of the mirror, git would search every pack and the disk for each missing one.
    """
    output = _list(client, directory, commit, max_files, is_part=False, inherit=inherit, options=("--long",))
    records = _entries(commit, output)
    entries = tuple(Listed(path, mode, blob) for mode, blob, _, path in records if mode != FOLDER)
    if len(entries) > max_files:
        raise _too_many(commit, max_files)
    folders = frozenset(path for mode, _, _, path in records if mode == FOLDER)
    # The size is `-` for a folder or a submodule, `BAD` for a missing object.
    sizes = {blob: int(size) for _, blob, size, _ in records if size.isdecimal()}
    return Listing(entries, folders, sizes=sizes)


def list_commit(
    client: GitClient,
    directory: Path,
    commit: str,
    *,
    max_files: int,
    is_part: bool,
    inherit: Sequence[int] = (),
) -> Iterator[tuple[str, str, str]]:
    """Return (mode, object, path) of every entry of a commit, including folders, in git's order.

    The files need not be in the mirror. `is_part`: only a part of them counts towards `max_files`. Raises GitError
    (TREE_TOO_LARGE, MIRROR_BROKEN).
    """
    output = _list(client, directory, commit, max_files, is_part=is_part, inherit=inherit)
    return ((mode, blob, path) for mode, blob, _size, path in _entries(commit, output))


def _list(
    client: GitClient,
    directory: Path,
    commit: str,
    max_files: int,
    *,
    is_part: bool,
    inherit: Sequence[int],
    options: Sequence[str] = (),
) -> bytes:
    """Return the output of `git ls-tree`. Raises GitError (TREE_TOO_LARGE, MIRROR_BROKEN)."""
    # Nested trees can name billions of files with a few objects, so the listing itself has a limit.
    cap = (max_files + 1) * _BYTES_PER_ENTRY + (1 << 20)
    cap = max(cap, client.settings.max_output_bytes) if is_part else cap
    try:
        return client.run(
            ("ls-tree", "-r", "-t", "-z", "--full-tree", *options, commit),
            directory=directory,
            max_output_bytes=cap,
            inherit=inherit,
        )
    except GitError as exc:
        if exc.reason is GitReason.OUTPUT_TOO_LARGE:
            raise _too_many(commit, max_files, f"; the listing of all its files exceeds {cap} bytes") from exc
        if exc.reason is GitReason.UNKNOWN:
            raise broken(commit, str(exc)) from exc
        raise


def blob_sizes(
    client: GitClient, directory: Path, blobs: Iterable[str], inherit: Sequence[int] = ()
) -> dict[str, int]:
    """Return the size in bytes of each blob that is in the mirror. Missing blobs are left out. Raises GitError."""
    requested = "".join(f"{blob}\n" for blob in blobs)
    if not requested:
        return {}
    output = client.run(
        ("cat-file", "--batch-check"), directory=directory, stdin=requested.encode("ascii"), inherit=inherit
    )
    answers = (line.split() for line in output.decode("ascii", "replace").splitlines())
    return {words[0]: int(words[2]) for words in answers if len(words) == 3 and words[1] == "blob"}


def broken(commit: str, why: str) -> GitError:
    """Return the error for a commit with missing or damaged objects."""
    return git_error(GitReason.MIRROR_BROKEN, f"commit {commit[:12]} cannot be read: {why}")


def _entries(commit: str, output: bytes) -> list[tuple[str, str, str, str]]:
    """Return (mode, object, size, path) of each entry. The size is "" if it was not requested.

    A path can contain anything but NUL. Bytes that are not UTF-8 are surrogate-escaped. Raises GitError (MIRROR_BROKEN).
    """
    entries = _ENTRY.findall(output.decode("utf-8", "surrogateescape"))
    if len(entries) != output.count(b"\0"):
        raise broken(commit, "git lists its tree in an unknown format")
    return entries


def _too_many(commit: str, max_files: int, more: str = "") -> GitError:
    return git_error(
        GitReason.TREE_TOO_LARGE,
        f"commit {commit[:12]} has more than the {max_files} files that are allowed{more}",
    )
