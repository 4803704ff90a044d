"""Parts of hostile tars."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

from compilers.source import TreeEntry

BLOCK = tarfile.BLOCKSIZE
_CHECKSUM = slice(148, 156)


def member(name: str, kind: bytes = tarfile.REGTYPE, *, size: int = 0, **more: object) -> tarfile.TarInfo:
    """Return the header of a member; `more` are its other fields."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = size
    for key, value in more.items():
        setattr(info, key, value)
    return info


def tar(*members: tarfile.TarInfo, pax_headers: Mapping[str, str] | None = None) -> bytes:
    """Return a tar of these members, filled with `x`; `pax_headers` apply to all of them."""
    target = io.BytesIO()
    with tarfile.open(
        fileobj=target, mode="w", format=tarfile.PAX_FORMAT, pax_headers=pax_headers
    ) as archive:
        for info in members:
            archive.addfile(info, io.BytesIO(b"x" * info.size))
    return target.getvalue()


def checksummed(data: bytes | bytearray) -> bytes:
    """Return the tar with the correct checksum in its first header."""
    changed = bytearray(data)
    changed[_CHECKSUM] = b" " * 8
    changed[_CHECKSUM] = b"%06o\0 " % sum(changed[:BLOCK])
    return bytes(changed)


def entry(path: str, *, mode: str = "100644", size: int = 0) -> TreeEntry:
    """Return the same member as git would list it on the host."""
    return TreeEntry(path, mode, "", size)
