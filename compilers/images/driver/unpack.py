"""Unpack the request's tar into /src, strictly.

The host made the tar from vetted names, so any deviation is refused, not repaired.
"""

from __future__ import annotations

import io
import os
import tarfile
from typing import BinaryIO, Protocol

from compilers.sandbox.protocol import ProtocolError, parse_chunk_length

_COPY_BYTES = 1 << 16


class ByteStream(Protocol):
    """A source of bytes: a pipe, buffered or not."""

    def read(self, size: int, /) -> bytes | None: ...


class TarRefused(Exception):
    """The tar holds something that is not allowed. The message names the member."""


def read_exactly(source: ByteStream, size: int) -> bytes:
    """Read `size` bytes. Raises ProtocolError if the input ends early."""
    parts = []
    while size:
        data = source.read(min(size, _COPY_BYTES))
        if not data:
            raise ProtocolError("the request ended early")
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


class ChunkReader(io.RawIOBase):
    """The chunks of the tar as one stream of at most `max_bytes`."""

    def __init__(self, source: ByteStream, max_bytes: int) -> None:
        self._source = source
        self._left = 0
        self._budget = max_bytes
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer from the current chunk; 0 after the last one."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        if not self._left and not self._ended:
            self._left = parse_chunk_length(read_exactly(self._source, 4))
            self._ended = not self._left
            self._budget -= self._left
            if self._budget < 0:
                raise TarRefused("the tar is larger than the tree it should hold")
        if self._ended:
            return 0
        data = read_exactly(self._source, min(len(view), self._left, _COPY_BYTES))
        view[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def drain(self) -> None:
        """Read up to the empty chunk that ends the tar."""
        scratch = bytearray(_COPY_BYTES)
        while self.readinto(scratch):
            pass


def unpack(stream: BinaryIO, root: str, *, entries: int, total_bytes: int) -> None:
    """Write the tar's regular files under `root`, mode 0444, folders 0755.

    Raises TarRefused for a link, a device, a special mode, an invalid name, a duplicate, a PAX record other
    than a path, or when the number of files or bytes differs from the announced one.
    """
    seen = 0
    size = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_COPY_BYTES) as tar:
            for member in tar:
                path = _vetted(tar, member)
                # The archive object keeps every member for lookups, which are not used here.
                tar.members = []  # type: ignore[attr-defined]
                if member.isdir():
                    os.makedirs(os.path.join(root, path), mode=0o755, exist_ok=True)  # noqa: PTH103, PTH118
                    continue
                seen += 1
                size += member.size
                if seen > entries or size > total_bytes:
                    raise TarRefused(f"the tar holds more than the {entries} files announced")
                _write(tar, member, os.path.join(root, path))  # noqa: PTH118
    except (tarfile.TarError, OSError, ValueError, EOFError, RecursionError) as exc:
        # RecursionError: tarfile follows headers that name the next one, and makedirs nested folders, by recursion.
        raise TarRefused(f"the tree could not be unpacked: {type(exc).__name__}: {exc}") from exc
    if seen != entries or size != total_bytes:
        raise TarRefused(f"the tar holds {seen} files of {size} bytes, announced: {entries} of {total_bytes}")


def _vetted(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    name = member.name
    if member.type not in (tarfile.REGTYPE, tarfile.DIRTYPE):
        raise TarRefused(f"{name!r} is neither a regular file nor a folder (type {member.type!r})")
    if tar.pax_headers or set(member.pax_headers) - {"path"}:
        raise TarRefused(f"{name!r} carries PAX records other than its path")
    if member.mode & 0o7000:
        raise TarRefused(f"{name!r} has the special mode {member.mode:o}")
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise TarRefused(f"{name!r} is no plain relative path")
    return name


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    """Write a member. O_EXCL refuses a duplicate, O_NOFOLLOW any existing link."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)  # noqa: PTH103, PTH120
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    content = tar.extractfile(member)
    if content is None:
        raise TarRefused(f"{member.name!r} has no content")
    with open(os.open(path, flags, 0o444), "wb") as target:  # noqa: PTH123
        left = member.size
        while left:
            data = content.read(min(left, _COPY_BYTES))
            if not data:
                raise TarRefused(f"{member.name!r} is cut short")
            target.write(data)
            left -= len(data)
