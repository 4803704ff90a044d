"""The driver's unpacking of the tree: what the host would never send is refused all the same."""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from compilers.images.driver.unpack import ChunkReader, TarRefused, unpack
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.protocol import ProtocolError, chunk
from compilers.sandbox.source_tar import TreeRefused, measure, tar_stream
from tests.trees import MemoryTree


def member(name: str, kind: bytes = tarfile.REGTYPE, *, size: int = 0, **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = size
    for key, value in more.items():
        setattr(info, key, value)
    return info


def archive(*members: tarfile.TarInfo, headers: dict[str, str] | None = None) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        for info in members:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return target.getvalue()


def lay_out(data: bytes, root: Path, *, entries: int, total_bytes: int = 0) -> None:
    unpack(io.BytesIO(data), str(root), entries=entries, total_bytes=total_bytes)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([member("/etc/passwd")], "no plain relative path"),
        ([member("../out")], "no plain relative path"),
        ([member("a/../../out")], "no plain relative path"),
        ([member("./a")], "no plain relative path"),
        ([member("a//b")], "no plain relative path"),
        ([member("a", tarfile.SYMTYPE, linkname="/etc")], "neither a regular file nor a folder"),
        ([member("a", tarfile.LNKTYPE, linkname="b")], "neither a regular file nor a folder"),
        ([member("a", tarfile.CHRTYPE)], "neither a regular file nor a folder"),
        ([member("a", tarfile.BLKTYPE)], "neither a regular file nor a folder"),
        ([member("a", tarfile.FIFOTYPE)], "neither a regular file nor a folder"),
        ([member("a", tarfile.CONTTYPE)], "neither a regular file nor a folder"),
        ([member("a", mode=0o4755)], "special mode"),
        ([member("a", mode=0o1777)], "special mode"),
        ([member("a"), member("a")], "File exists"),
        ([member("a"), member("a/b")], "could not be unpacked"),
        ([member("a/b"), member("a")], "could not be unpacked"),
        ([member("a", pax_headers={"mtime": "1.5"})], "PAX records"),
        ([member("a", pax_headers={"path": "../out"})], "no plain relative path"),
        ([member("a", pax_headers={"GNU.sparse.name": "b"})], "PAX records"),
        ([member("a"), member("b"), member("c")], "more than the 2 files announced"),
        ([member("a", size=1)], "more than the 2 files announced"),
        ([member("a")], "holds 1 files of 0 bytes, announced: 2 of 0"),
    ],
)
def test_a_hostile_tar_is_refused(tmp_path: Path, members: Iterable[tarfile.TarInfo], message: str) -> None:
    with pytest.raises(TarRefused, match=message):
        lay_out(archive(*members), tmp_path / "src", entries=2)
    assert not (tmp_path / "out").exists()


def test_global_pax_headers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TarRefused, match="PAX records"):
        lay_out(archive(member("a"), headers={"comment": "x"}), tmp_path, entries=1)


def test_a_link_that_stands_where_a_file_should_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TarRefused):
        lay_out(archive(member("a", size=1)), tmp_path, entries=1, total_bytes=1)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("cut", [1, 511, 512, 700, 1024, 1300])
def test_a_tar_that_is_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    data = archive(member("a", size=400), member("b", size=400))
    with pytest.raises(TarRefused):
        lay_out(data[:cut], tmp_path, entries=2, total_bytes=800)


def test_the_hosts_tar_arrives_as_it_was_sent(tmp_path: Path) -> None:
    contents = {
        "a.py": b"print(1)\n",
        "empty": b"",
        "deep/" * 40 + "ä" * 100: b"x" * 5000,
        "exactly": b"y" * 512,
    }
    tree = MemoryTree(contents)
    size = measure(tree.entries, SandboxLimits())
    pieces = b"".join(chunk(piece) for piece in tar_stream(tree, tree.entries) if piece) + chunk(b"")
    reader = ChunkReader(io.BytesIO(pieces), 1 << 20)

    unpack(reader, str(tmp_path), entries=size.entries, total_bytes=size.total_bytes)  # type: ignore[arg-type]
    reader.drain()

    found = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path: file.read_bytes() for path, file in found.items()} == contents
    assert {stat.S_IMODE(file.stat().st_mode) for file in found.values()} == {0o444}


def test_a_tar_larger_than_announced_is_not_read_to_its_end() -> None:
    data = chunk(b"x" * 1000) * 10
    source = io.BytesIO(data)
    reader = ChunkReader(source, 3000)
    with pytest.raises(TarRefused, match="larger than the tree"):
        reader.drain()
    assert source.tell() < 5000


def test_a_request_that_ends_within_a_chunk_is_refused() -> None:
    with pytest.raises(ProtocolError, match="ended early"):
        ChunkReader(io.BytesIO(chunk(b"x" * 100)[:50]), 3000).drain()


def test_a_chunk_of_absurd_length_is_refused() -> None:
    with pytest.raises(ProtocolError, match="a chunk of the tar has 4294967295 bytes"):
        ChunkReader(io.BytesIO(b"\xff" * 8), 1 << 40).drain()


def test_a_tree_that_gives_other_content_than_it_lists_is_refused() -> None:
    listed = MemoryTree({"a": b"12345"})
    with pytest.raises(TreeRefused, match="with 4 bytes where"):
        list(tar_stream(MemoryTree({"a": b"1234"}), listed.entries))
