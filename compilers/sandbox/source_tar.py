"""The tree as a tar stream: vetted and measured before a container starts, never completely in memory."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compilers.sandbox.limits import SandboxLimits
from compilers.source import CompilerError, Tree, TreeEntry

_PAGE_BYTES = 4096
_BLOCK_BYTES = 512
_MAX_PATH_BYTES = 3000  # relative to /src; with it below the kernel's limit of 4096
_MAX_NAME_BYTES = 255


class TreeRefused(CompilerError):
    """The tree cannot go into a sandbox: it exceeds a limit, or has a name that no file can have.

    The author fixes it, or the operator raises the limit named in the message.
    """


@dataclass(frozen=True, slots=True)
class Measure:
    """The size of a tree: its regular files and their bytes."""

    entries: int
    total_bytes: int


def measure(entries: Sequence[TreeEntry], limits: SandboxLimits) -> Measure:
    """Vet every entry and count. Raises TreeRefused naming the first problem."""
    folders: set[str] = set()
    paths: set[str] = set()
    pages = 0
    for entry in entries:
        _vet(entry)
        if entry.path in paths:
            raise TreeRefused(f"{entry.path!r} is in the tree twice")
        paths.add(entry.path)
        pages += -(-entry.size // _PAGE_BYTES)
        folder = entry.path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    if clash := min(folders & paths, default=None):
        raise TreeRefused(f"{clash!r} is in the tree as a file and as a folder")
    if pages * _PAGE_BYTES > limits.src_bytes:
        raise TreeRefused(
            f"the tree takes {pages * _PAGE_BYTES} bytes in the sandbox (files in pages of 4 KiB); "
            f"at most {limits.src_bytes} are allowed ({limits.setting('src_bytes')}). Exclude what no DAG needs "
            "with .kiokignore or a narrower subpath, or raise the limit."
        )
    inodes = len(paths) + len(folders) + 1
    if inodes > limits.src_inodes:
        raise TreeRefused(
            f"the tree has {inodes} files and folders; at most {limits.src_inodes} are allowed "
            f"({limits.setting('src_inodes')}). Exclude what no DAG needs with .kiokignore or a narrower subpath, "
            "or raise the limit."
        )
    return Measure(entries=len(paths), total_bytes=sum(entry.size for entry in entries))


def tar_stream(tree: Tree, entries: Sequence[TreeEntry]) -> Iterator[bytes]:
    """Yield the measured entries as a tar, piece by piece, with at most one file in memory.

    Raises TreeRefused when the tree returns other files than requested; passes on the tree's own errors.
    """
    due = iter(entries)
    for entry, content in tree.read(entries):
        expected = next(due, None)
        if expected is None or entry.path != expected.path or len(content) != expected.size:
            raise TreeRefused(
                f"the tree gave {entry.path!r} with {len(content)} bytes where {expected} was requested"
            )
        member = tarfile.TarInfo(entry.path)
        member.size = len(content)
        member.mode = 0o444
        yield member.tobuf(format=tarfile.PAX_FORMAT, encoding="utf-8", errors="strict")
        if content:
            yield content
            yield bytes(-len(content) % _BLOCK_BYTES)
    if (missing := next(due, None)) is not None:
        raise TreeRefused(f"the tree did not give {missing.path!r}")
    yield bytes(2 * _BLOCK_BYTES)


def unfit_name(path: str) -> str:
    """Return why no file system could hold a path: a name in it is too long. Return "" for a usable path."""
    if len(path) <= _MAX_NAME_BYTES // 4:  # bytes of one character in UTF-8
        return ""
    longest = max(len(part.encode("utf-8", "surrogateescape")) for part in path.split("/"))
    if longest <= _MAX_NAME_BYTES:
        return ""
    return f"a name in the path has {longest} bytes; file systems, and so the sandbox, allow {_MAX_NAME_BYTES}. Rename it"


def _vet(entry: TreeEntry) -> None:
    """Check mode and name. The driver checks the received tar again."""
    path = entry.path
    if not entry.is_file:
        raise TreeRefused(f"{path!r} is no regular file (mode {entry.mode})")
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise TreeRefused(f"{path!r} is no plain relative path: no empty component, no '.', no '..', no NUL")
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError as exc:
        raise TreeRefused(f"{path!r} is not UTF-8; rename the file") from exc
    if max(sizes) > _MAX_NAME_BYTES or sum(sizes) + len(sizes) > _MAX_PATH_BYTES:
        raise TreeRefused(
            f"the path {path[:80]!r}... is too long: at most {_MAX_NAME_BYTES} bytes in a name and "
            f"{_MAX_PATH_BYTES} in all"
        )
    if entry.size < 0:
        raise TreeRefused(f"{path!r} has a negative size")
