"""The driver's unpacking of the tree, which also refuses trees that the host never sends."""

from __future__ import annotations

import io
import runpy
import stat
from pathlib import Path

import pytest

from compilers.images.driver.unpack import ChunkReader, TarRefused, unpack
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.protocol import ProtocolError, chunk
from compilers.sandbox.source_tar import TreeRefused, measure, tar_stream
from tests.sandbox.attacks import TARS, Attack, attacks
from tests.sandbox.attacks.tar_parts import member, tar
from tests.support.trees import MemoryTree


def lay_out(data: bytes, root: Path, *, entries: int, total_bytes: int = 0) -> None:
    unpack(io.BytesIO(data), str(root), entries=entries, total_bytes=total_bytes)


@pytest.mark.parametrize(
    "attack", [one for one in attacks(TARS) if "No space left" not in one.expect], ids=str
)
def test_hostile_tar_is_refused_and_writes_nothing_outside(tmp_path: Path, attack: Attack) -> None:
    recipe = runpy.run_path(str(attack.path))
    files, size = recipe.get("FILES", 1), recipe.get("BYTES", 0)
    pieces = [recipe["TAR"][at : at + (1 << 20)] for at in range(0, len(recipe["TAR"]), 1 << 20)]
    sent = b"".join(map(chunk, pieces)) + chunk(b"")
    reader = ChunkReader(io.BytesIO(sent), size + (files + 1) * 12_288)

    with pytest.raises(TarRefused, match=attack.expect):
        unpack(reader, str(tmp_path / "src"), entries=files, total_bytes=size)  # type: ignore[arg-type]
    assert {path.name for path in tmp_path.iterdir()} <= {"src"}


def test_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TarRefused):
        lay_out(tar(member("a", size=1)), tmp_path, entries=1, total_bytes=1)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("cut", [1, 511, 512, 700, 1024, 1300])
def test_truncated_tar_is_refused(tmp_path: Path, cut: int) -> None:
    data = tar(member("a", size=400), member("b", size=400))
    with pytest.raises(TarRefused):
        lay_out(data[:cut], tmp_path, entries=2, total_bytes=800)


def test_tar_of_the_host_is_unpacked_as_it_was_sent(tmp_path: Path) -> None:
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


def test_tar_larger_than_announced_is_not_read_to_its_end() -> None:
    data = chunk(b"x" * 1000) * 10
    source = io.BytesIO(data)
    reader = ChunkReader(source, 3000)
    with pytest.raises(TarRefused, match="larger than the tree"):
        reader.drain()
    assert source.tell() < 5000


def test_request_that_ends_within_a_chunk_is_refused() -> None:
    with pytest.raises(ProtocolError, match="ended early"):
        ChunkReader(io.BytesIO(chunk(b"x" * 100)[:50]), 3000).drain()


def test_chunk_of_invalid_length_is_refused() -> None:
    with pytest.raises(ProtocolError, match="a chunk of the tar has 4294967295 bytes"):
        ChunkReader(io.BytesIO(b"\xff" * 8), 1 << 40).drain()


def test_tree_with_other_content_than_listed_is_refused() -> None:
    listed = MemoryTree({"a": b"12345"})
    with pytest.raises(TreeRefused, match="with 4 bytes where"):
        list(tar_stream(MemoryTree({"a": b"1234"}), listed.entries))
