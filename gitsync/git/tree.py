"""The files of a commit, read from git's object store.

`git archive` is not used: it applies the tree's `export-ignore` and `export-subst` attributes, which remove or change
files.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from pathlib import Path

from compilers.links import Link, Links
from compilers.source import Ignored, TreeEntry
from gitsync.git.client import GitClient
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.listing import SUBMODULE, SYMLINK, Listing, blob_sizes, broken, list_commit, read_listing
from gitsync.git.process import GitProcess, OutputEnded, OutputLimitPassed, TimeLimitPassed
from gitsync.git.scope import WHOLE, FetchScope

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# Matches every name that `_refusal` can refuse, with one search for each of thousands of names.
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]|::|(?:^|/)\.{0,2}(?:/|$)")
_AHEAD = 128  # requests that are written before a response is read; far below the capacity of a pipe


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """The limits of a commit's part in the scope. `max_tree_bytes` does not count oversized files."""

    max_files: int = 50_000
    max_file_bytes: int = 10 * 1024 * 1024
    max_tree_bytes: int = 256 * 1024 * 1024
    max_path_bytes: int = 1024


class PathKind(StrEnum):
    """The kind of a path in a commit's tree."""

    FOLDER = "folder"
    FILE = "file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"


class GitTree:
    """The part of a commit's tree in the scope: a `compilers.source.Tree`.

    Entries outside the scope are treated as absent, whether or not they were fetched. Only `links_outside` are kept, to
    explain errors. `refused` are entries whose name cannot be a source path (not UTF-8, control characters, `::`, too
    long), with the escaped name, of any length. `oversized` are files over `max_file_bytes`. Both exist in the commit, so
    pruning must not treat them as removed.
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
        """List the commit (a full id), or use the given `listing` of it in this scope.

        Raises GitError (TREE_TOO_LARGE; MIRROR_BROKEN if anything in the scope is missing).
        """
        if not _COMMIT.fullmatch(commit):
            raise ValueError(f"not a commit id: {commit[:80]!r}")
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
        is_refusable = not _are_plain([listed.path for listed in listing.entries], limits)
        for path, mode, blob in listing.entries:
            size = 0 if mode == SUBMODULE else sizes.get(blob)
            if size is None:
                raise broken(commit, f"the content of {_shown(path)!r} ({blob}) is missing")
            entry = TreeEntry(path, mode, blob, size)
            if is_refusable and (why := _refusal(path, limits)) is not None:
                refused.append(Ignored(_shown(path), why))
            elif size > limits.max_file_bytes and entry.is_file:
                oversized.append(entry)
            else:
                entries.append(entry)
        total = sum(entry.size for entry in entries)
        if total > limits.max_tree_bytes:
            raise git_error(
                GitReason.TREE_TOO_LARGE,
                f"commit {commit[:12]} has {total} bytes in {len(entries)} files, "
                f"but at most {limits.max_tree_bytes} bytes are allowed",
            )
        # For the names that are left, the order of characters is that of their bytes.
        self.entries: Sequence[TreeEntry] = tuple(sorted(entries, key=attrgetter("path")))
        self.refused: tuple[Ignored, ...] = tuple(refused)
        self.oversized: tuple[TreeEntry, ...] = tuple(oversized)
        self.links_outside: tuple[TreeEntry, ...] = tuple(
            TreeEntry(listed.path, listed.mode, listed.blob, 0)
            for listed in listing.links_outside
            if _refusal(listed.path, limits) is None
        )
        self._folders = listing.folders
        self._listed = listing.entries

    @property
    def commit(self) -> str:
        return self._commit

    @cached_property
    def _modes(self) -> dict[str, str]:
        return {listed.path: listed.mode for listed in self._listed}

    def kind_of(self, path: str) -> PathKind | None:
        """Return the kind of `path` at this commit (`""` is the root folder), or None if it does not exist."""
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
        """Return the paths of the given blobs in the whole commit, in the scope or not.

        Every folder of a commit is in the mirror, also if files outside the scope were left out. Raises GitError.
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

    def read(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, bytes]]:
        """Yield each entry with its content (for a symlink, its target), in the given order.

        One git process reads all of them. Raises GitError (MIRROR_BROKEN if an object is missing or differs from the
        tree, TREE_TOO_LARGE for an oversized one, TIMEOUT) and ValueError for a submodule, which has no content.
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
            raise ValueError(f"{entry.path} is a submodule, which has no content")
        if entry.size > self._limits.max_file_bytes:
            raise git_error(
                GitReason.TREE_TOO_LARGE,
                f"{entry.path} has {entry.size} bytes, but at most {self._limits.max_file_bytes} are allowed",
            )
        return entry.blob.encode() + b"\n"

    def _answer(self, process: GitProcess, entry: TreeEntry) -> bytes:
        seconds = self._client.settings.timeout_seconds
        try:
            header = process.receive_line(timeout_seconds=seconds)
            if header != f"{entry.blob} blob {entry.size}".encode():
                output = header[:200].decode("utf-8", "replace")
                raise self._broken(f"for {entry.path} git says {output!r}")
            return process.receive(entry.size + 1, timeout_seconds=seconds)[:-1]
        except TimeLimitPassed as exc:
            raise git_error(GitReason.TIMEOUT, f"reading {entry.path} took over {seconds:g} s") from exc
        except (OutputEnded, OutputLimitPassed) as exc:
            raise self._broken(f"git ended while {entry.path} was read: {process.stderr[-500:]}") from exc

    def _broken(self, why: str) -> GitError:
        return broken(self._commit, why)


def _are_plain(paths: Sequence[str], limits: TreeLimits) -> bool:
    """Return whether all paths can certainly be source paths, from a few searches instead of one for each path."""
    text = "/".join(("", *paths, ""))
    if not text.isprintable() or any(part in text for part in ("::", "//", "/./", "/../")):
        return False
    # A character has at most 4 bytes.
    return max(map(len, paths), default=0) * (1 if text.isascii() else 4) <= limits.max_path_bytes


def _refusal(path: str, limits: TreeLimits) -> str | None:
    """Return why a path cannot be a source path, or None."""
    raw = path.encode("utf-8", "surrogateescape")
    if len(raw) > limits.max_path_bytes:
        return (
            f"its path has {len(raw)} bytes, but at most {limits.max_path_bytes} are allowed "
            "(kiok.gitsync.max.path.bytes). Shorten the name of the file or of its folders"
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
    """Return a path as text that can be stored and shown.

    Other characters are escaped, and then backslashes as well, so that two paths never look the same.
    """
    if _ODD.search(path) and any(_is_odd(character) for character in path):
        path = path.replace("\\", "\\\\")
    raw = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(_escaped(character) if _is_odd(character) else character for character in raw)


def _escaped(character: str) -> str:
    """Return an escaped control character. Beyond ASCII it differs from a byte that is not UTF-8, which is `\\x85`."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _is_odd(character: str) -> bool:
    code = ord(character)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code <= 0xDFFF
