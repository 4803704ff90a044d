"""A commit's files, read straight from git's object store.

Not by `git archive`: it obeys `export-ignore` and `export-subst` attributes of the tree, by which files would
vanish or change.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from compilers.base import Ignored, TreeEntry
from compilers.links import Link, Links
from gitsync.git.client import GitClient
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.listing import SUBMODULE, SYMLINK, Listing, blob_sizes, broken, list_commit, read_listing
from gitsync.git.process import GitProcess, OutputEnded, OutputLimitPassed, TimeLimitPassed
from gitsync.git.scope import WHOLE, FetchScope
from gitsync.git.subpath import is_within

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# Whatever `_refusal` may refuse a name for; one search over each of thousands of names.
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]|::|(?:^|/)\.{0,2}(?:/|$)")
_AHEAD = 128  # requests written before an answer is read; far below what a pipe holds


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """How much of a commit is taken, of what is in the scope. `max_tree_bytes` counts what is not oversized."""

    max_files: int = 50_000
    max_file_bytes: int = 10 * 1024 * 1024
    max_tree_bytes: int = 256 * 1024 * 1024
    max_path_bytes: int = 1024


class PathKind(StrEnum):
    """What a path of a commit's tree is."""

    FOLDER = "folder"
    FILE = "file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"


class GitTree:
    """One commit's tree, as far as it is in the scope; a `compilers.base.Tree`.

    What is outside the scope is as if it were not in the commit, whether or not it was fetched; only that there are
    `links_outside` is known, which explains errors. `refused`
    are entries whose name cannot be a source path (not UTF-8, control characters, `::`, too long), the name
    escaped, of any length. `oversized` are files over `max_file_bytes`. Both are there in the commit: whoever prunes must
    not take them for gone.
    """

    def __init__(
        self,
        commit: str,
        *,
        directory: Path,
        client: GitClient,
        limits: TreeLimits,
        scope: FetchScope = WHOLE,
        listing: Listing | None = None,
        inherit: Sequence[int] = (),
    ) -> None:
        """List the commit (its full id), unless its `listing` in that scope is at hand.

        Raises GitError (TREE_TOO_LARGE; MIRROR_BROKEN when anything in the scope is missing).
        """
        if not _COMMIT.fullmatch(commit):
            raise ValueError(f"no commit id: {commit[:80]!r}")
        self._commit = commit
        self._directory = directory
        self._client = client
        self._limits = limits
        self._inherit = tuple(inherit)
        listing = listing or read_listing(
            client, directory, commit, scope=scope, max_files=limits.max_files, inherit=inherit
        )
        sizes = listing.sizes
        if sizes is None:
            sizes = blob_sizes(client, directory, listing.blobs, inherit)
        entries: list[TreeEntry] = []
        refused: list[Ignored] = []
        oversized: list[TreeEntry] = []
        for listed in listing.entries:
            size = 0 if listed.mode == SUBMODULE else sizes.get(listed.blob)
            if size is None:
                raise broken(commit, f"the content of {_shown(listed.path)!r} ({listed.blob}) is missing")
            entry = TreeEntry(listed.path, listed.mode, listed.blob, size)
            if (why := _refusal(entry.path, limits)) is not None:
                refused.append(Ignored(_shown(entry.path), why))
            elif entry.is_file and entry.size > limits.max_file_bytes:
                oversized.append(entry)
            else:
                entries.append(entry)
        total = sum(entry.size for entry in entries)
        if total > limits.max_tree_bytes:
            raise git_error(
                GitReason.TREE_TOO_LARGE,
                f"commit {commit[:12]} holds {total} bytes in {len(entries)} files; "
                f"allowed are {limits.max_tree_bytes} bytes",
            )
        self.entries: Sequence[TreeEntry] = tuple(sorted(entries, key=lambda entry: entry.path.encode()))
        self.refused: tuple[Ignored, ...] = tuple(refused)
        self.oversized: tuple[TreeEntry, ...] = tuple(oversized)
        self.links_outside: tuple[TreeEntry, ...] = tuple(
            TreeEntry(listed.path, listed.mode, listed.blob, 0)
            for listed in listing.links_outside
            if _refusal(listed.path, limits) is None
        )
        self._folders = listing.folders
        self._modes = {listed.path: listed.mode for listed in listing.entries}

    @property
    def commit(self) -> str:
        return self._commit

    def kind_of(self, path: str) -> PathKind | None:
        """What `path` is at this commit (`""` is the root folder); None if it is not there."""
        if path == "" or path in self._folders:
            return PathKind.FOLDER
        mode = self._modes.get(path)
        if mode is None:
            return None
        return {SYMLINK: PathKind.SYMLINK, SUBMODULE: PathKind.SUBMODULE}.get(mode, PathKind.FILE)

    def read_link(self, path: str) -> Link:
        """Return the symbolic link or submodule at `path`. Raises GitError."""
        (link,) = Links(self).read(entry for entry in self.entries if entry.path == path)
        return link

    def find_blobs(self, blobs: Collection[str]) -> dict[str, list[str]]:
        """Return the paths in the whole commit, in the scope or not, of those of `blobs` that it holds.

        Every folder of a commit is in the mirror, also where files outside the scope were left out. Raises GitError.
        """
        wanted = frozenset(blobs)
        found: dict[str, list[str]] = {}
        for mode, blob, path in list_commit(
            self._client,
            self._directory,
            self._commit,
            max_files=self._limits.max_files,
            is_part=True,
            inherit=self._inherit,
        ):
            if blob in wanted and mode not in (SYMLINK, SUBMODULE):
                found.setdefault(blob, []).append(path)
        return found

    def has_path(self, path: str) -> bool:
        """Whether anything is at `path`, so that a missing subpath and an empty one differ."""
        return self.kind_of(path) is not None

    def under(self, subpath: str) -> tuple[TreeEntry, ...]:
        """The entries at or under `subpath`, in order."""
        return tuple(entry for entry in self.entries if is_within(entry.path, subpath))

    def read(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, bytes]]:
        """Each entry with its content (a symlink's is its target), in the order asked for.

        One git process serves all. Raises GitError (MIRROR_BROKEN when an object is not there or is not
        what the tree says, TREE_TOO_LARGE for an oversized one, TIMEOUT) and ValueError for a submodule,
        which has no content.
        """
        wanted = iter(entries)
        waiting: deque[TreeEntry] = deque()
        arguments = ("cat-file", "--batch")
        with self._client.open(arguments, directory=self._directory, inherit=self._inherit) as process:
            while True:
                for entry in wanted:
                    waiting.append(entry)
                    process.send(self._request(entry))
                    if len(waiting) >= _AHEAD:
                        break
                if not waiting:
                    return
                while waiting:
                    entry = waiting.popleft()
                    yield entry, self._answer(process, entry)

    def _request(self, entry: TreeEntry) -> bytes:
        if entry.mode == SUBMODULE:
            raise ValueError(f"{entry.path} is a submodule and has no content here")
        if entry.size > self._limits.max_file_bytes:
            raise git_error(
                GitReason.TREE_TOO_LARGE,
                f"{entry.path} is {entry.size} bytes; allowed are {self._limits.max_file_bytes}",
            )
        return entry.blob.encode() + b"\n"

    def _answer(self, process: GitProcess, entry: TreeEntry) -> bytes:
        seconds = self._client.settings.timeout_seconds
        try:
            header = process.receive_line(timeout_seconds=seconds)
            if header != f"{entry.blob} blob {entry.size}".encode():
                said = header[:200].decode("utf-8", "replace")
                raise self._broken(f"for {entry.path} git says {said!r}")
            return process.receive(entry.size + 1, timeout_seconds=seconds)[:-1]
        except TimeLimitPassed as exc:
            raise git_error(GitReason.TIMEOUT, f"reading {entry.path} took over {seconds:g} s") from exc
        except (OutputEnded, OutputLimitPassed) as exc:
            raise self._broken(f"git ended while {entry.path} was read: {process.stderr[-500:]}") from exc

    def _broken(self, why: str) -> GitError:
        return broken(self._commit, why)


def _refusal(path: str, limits: TreeLimits) -> str | None:
    """Why a path cannot be a source path, or None."""
    raw = path.encode("utf-8", "surrogateescape")
    if len(raw) > limits.max_path_bytes:
        return (
            f"its path is {len(raw)} bytes; allowed are {limits.max_path_bytes} (kiok.gitsync.max.path.bytes). "
            "Shorten its folders' names or its own"
        )
    if not _ODD.search(path):
        return None
    if any("\ud800" <= character <= "\udfff" for character in path):
        return "its name is not UTF-8"
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in path):
        return "its name has a control character"
    if "::" in path:
        return "its path contains '::', which separates a path from a DAG id"
    if any(component in ("", ".", "..") for component in path.split("/")):
        return "its path has a '.', '..' or empty component"
    return None


def _shown(path: str) -> str:
    """Return a path as text that can be stored and shown: what cannot is escaped, and then backslashes too, so that
    two paths never look the same.
    """
    if _ODD.search(path) and any(_is_odd(character) for character in path):
        path = path.replace("\\", "\\\\")
    raw = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(_escaped(character) if _is_odd(character) else character for character in raw)


def _escaped(character: str) -> str:
    """Return a control character in words; beyond ASCII unlike a byte that is not UTF-8, which is `\\x85`."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _is_odd(character: str) -> bool:
    code = ord(character)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code <= 0xDFFF
