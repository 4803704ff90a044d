"""Every reader of what a container, an engine or a request says, fed with whatever hypothesis thinks of.

Each may raise its own documented error and nothing else, keeps within its caps, and does not mind how the bytes
are cut.
"""

from __future__ import annotations

import io
import itertools
import json
import struct
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compilers.base import CompileOutcome, DiscoveredFile, Kind, RawResult, TreeEntry
from compilers.images.driver.unpack import ChunkReader, TarRefused, unpack
from compilers.results import result_of_raw
from compilers.sandbox import protocol
from compilers.sandbox.exchange import StreamDemultiplexer
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.protocol import CompileRequest, ProtocolError, ResponseParser, chunk
from compilers.sandbox.source_tar import TreeRefused, measure, tar_stream
from kiok.compiled import MAX_DIAGNOSTICS, CompiledFile, CompiledFileError, decode
from kiok.errors import Diagnostic
from kiok.validation import validate
from tests.sandbox.attacks.tar_parts import member, tar
from tests.support.trees import MemoryTree

SEAL = 0x5EA1
MAX_PAYLOAD_BYTES = 1_000
MAX_OUTPUT_BYTES = 100
META = {"outcome": "ok", "detail": "", "seconds": 0.5, "output": "said"}

cuts = st.lists(st.integers(0, 5_000), max_size=8)


def pieces(data: bytes, at: Sequence[int]) -> Iterator[bytes]:
    edges = [0, *sorted(one for one in at if one < len(data)), len(data)]
    return (data[start:stop] for start, stop in itertools.pairwise(edges))


# Frames, whole ones in order mostly, so that what follows them is reached too.

metas = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from([*sorted(protocol.OUTCOMES), "lost"]),
        "detail": st.text(st.characters(categories=None), max_size=20),
        "seconds": st.floats() | st.none(),
        "output": st.text(st.characters(categories=None), max_size=20) | st.integers(),
    }
)
frames = st.one_of(
    st.just(protocol.hello_frame()),
    st.builds(
        protocol.result_frame,
        st.integers(0, 3),
        st.just(META) | metas,
        st.binary(max_size=50),
        st.just(SEAL) | st.integers(0, 2**32 - 1),
    ),
    st.builds(protocol.fatal_frame, st.integers(0, 255), st.text(max_size=20)),
    st.builds(protocol.end_frame, st.integers(0, 4), st.just(SEAL)),
    st.builds(
        lambda kind, length, crc, body: struct.pack(">cII", kind, length, crc) + body,
        st.sampled_from([b"H", b"R", b"F", b"E", b"Z"]),
        st.integers(0, 2**32 - 1) | st.integers(0, 50),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=50),
    ),
    st.binary(max_size=30),
)
orderly = st.integers(0, 3).map(
    lambda count: b"".join(
        [
            protocol.hello_frame(),
            *(protocol.result_frame(index, META, b"{}", SEAL) for index in range(count)),
        ]
    )
)
streams = st.builds(lambda first, rest: first + b"".join(rest), orderly, st.lists(frames, max_size=4))


def taken(data: Iterator[bytes]) -> tuple[list[object], str, bool]:
    """The frames, the error and whether the parser is done."""
    parser = ResponseParser(
        ["f"] * 3, max_payload_bytes=MAX_PAYLOAD_BYTES, max_output_bytes=MAX_OUTPUT_BYTES, seal=SEAL
    )
    found: list[object] = []
    try:
        for piece in data:
            for frame in parser.feed(piece):
                found.append(frame)
    except ProtocolError as exc:
        return found, str(exc), parser.done
    return found, "", parser.done


@given(streams, cuts)
def test_the_same_bytes_give_the_same_frames_and_the_same_error_however_they_are_cut(
    data: bytes, at: list[int]
) -> None:
    whole = taken(iter([data]))
    assert taken(pieces(data, at)) == whole
    indexes = [frame.index for frame in whole[0] if isinstance(frame, protocol.ResultFrame)]
    assert indexes == list(range(len(indexes)))


@given(st.binary(max_size=300), st.integers(0, 3))
def test_noise_after_good_frames_is_a_protocol_error_or_no_frame_at_all(noise: bytes, count: int) -> None:
    good = protocol.hello_frame() + b"".join(
        protocol.result_frame(index, META, b"{}", SEAL) for index in range(count)
    )
    found, _, done = taken(iter([good + noise]))
    assert len(found) == count
    assert not done


def test_a_parser_never_holds_more_than_its_largest_frame() -> None:
    most = 8 + protocol.max_meta_bytes(MAX_OUTPUT_BYTES) + MAX_PAYLOAD_BYTES
    flood = protocol.hello_frame() + struct.pack(">cII", b"R", most, 0) + b"x" * (most - 1)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        assert taken(pieces(flood, range(0, len(flood), 1_000)))[1] == ""
        for length in range(most + 1, most + 100):
            head = protocol.hello_frame() + struct.pack(">cII", b"R", length, 0)
            assert "out of place" in taken(itertools.chain([head], itertools.repeat(b"x" * 1_000)))[1]
        assert tracemalloc.get_traced_memory()[1] - before < 8 * most
    finally:
        tracemalloc.stop()


engine_frames = st.builds(
    lambda stream, body, more: struct.pack(">BxxxI", stream, len(body) + more) + body,
    st.sampled_from([0, 1, 1, 1, 2, 2, 3, 255]),
    st.binary(max_size=40),
    st.sampled_from([0, 0, 0, 1, 2**31]),
)


@given(st.lists(engine_frames, max_size=6).map(b"".join) | st.binary(max_size=60), cuts)
def test_the_engines_stream_comes_apart_the_same_however_it_is_cut(data: bytes, at: list[int]) -> None:
    def split(parts: Iterator[bytes]) -> tuple[bytes, bytes, bool]:
        streams = {1: bytearray(), 2: bytearray()}
        demultiplexer = StreamDemultiplexer()
        try:
            for piece in parts:
                for stream, part in demultiplexer.feed(piece):
                    assert len(part) <= len(piece)
                    streams[stream] += part
        except ProtocolError:
            return bytes(streams[1]), bytes(streams[2]), True
        return bytes(streams[1]), bytes(streams[2]), False

    assert split(pieces(data, at)) == split(iter([data]))


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_no_header_of_a_request_is_more_than_a_protocol_error(header: bytes) -> None:
    with suppress(ProtocolError):
        CompileRequest.from_header(header)


# The tar, on its way into the container.

TAR = tar(member("a.py", size=700), member("folder/" * 20 + "b.py", size=3), member("ä", size=0))
TAR_FILES, TAR_BYTES = 3, 703

edits = st.lists(
    st.tuples(st.integers(0, len(TAR) - 1), st.binary(min_size=1, max_size=12), st.booleans()),
    min_size=1,
    max_size=4,
)


def edited(changes: list[tuple[int, bytes, bool]]) -> bytes:
    """The tar with bytes put in the place of others or between them, and the headers' checksums set right."""
    data = bytearray(TAR)
    for at, new, between in changes:
        data[at : at if between else at + len(new)] = new
    for start in range(0, len(data) - 511, 512):
        if data[start + 257 : start + 262] == b"ustar":
            data[start + 148 : start + 156] = b" " * 8
            data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + 512])
    return bytes(data)


@settings(max_examples=300)
@given(edits.map(edited) | st.binary(max_size=3_000), st.lists(st.integers(1, 2_000), max_size=5))
def test_no_tar_is_more_than_refused_or_laid_out_within_its_folder(data: bytes, at: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "deep", "src")
        root.mkdir(parents=True)
        sent = b"".join(chunk(piece) for piece in pieces(data, at) if piece) + chunk(b"")
        reader = ChunkReader(io.BytesIO(sent), 1 << 20)
        with suppress(TarRefused, ProtocolError):
            unpack(reader, str(root), entries=TAR_FILES, total_bytes=TAR_BYTES)  # type: ignore[arg-type]
        found = list(Path(folder).rglob("*"))
        assert all(one == root.parent or one == root or root in one.parents for one in found)
        assert not any(one.is_symlink() or not (one.is_file() or one.is_dir()) for one in found)
        files = [one for one in found if one.is_file()]
        assert len(files) <= TAR_FILES
        assert sum(one.stat().st_size for one in files) <= TAR_BYTES


@given(st.binary(max_size=100), st.integers(0, 200))
def test_no_chunks_are_more_than_refused_and_none_passes_the_budget(data: bytes, budget: int) -> None:
    reader = ChunkReader(io.BytesIO(data), budget)
    read = 0
    with suppress(TarRefused, ProtocolError):
        while piece := reader.read(7):
            read += len(piece)
    assert read <= budget


# As git's names are decoded: bytes that are no UTF-8 are lone surrogates from U+DC80 on.
letters = st.characters(exclude_categories=["Cs"]) | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
names = st.text(letters, max_size=6) | st.sampled_from(
    ["a", "b", "..", ".", "", "a" * 255, "a" * 256, "ä" * 127, "ä" * 128]
)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@settings(max_examples=300)
@given(st.dictionaries(paths, st.binary(max_size=600), min_size=1, max_size=4))
def test_what_the_host_agrees_to_send_is_laid_out_byte_by_byte_and_all_else_it_refuses(
    files: dict[str, bytes],
) -> None:
    tree = MemoryTree(files)
    try:
        size = measure(tree.entries, SandboxLimits())
    except TreeRefused:
        return
    with tempfile.TemporaryDirectory() as folder:
        data = b"".join(tar_stream(tree, tree.entries))
        unpack(io.BytesIO(data), folder, entries=size.entries, total_bytes=size.total_bytes)
        assert {path: Path(folder, path).read_bytes() for path in files} == files


@given(
    st.lists(
        st.builds(
            TreeEntry,
            paths,
            st.sampled_from(["100644", "100755", "120000", "160000", "040000", ""]) | st.text(max_size=6),
            st.just(""),
            st.integers(-5, 2**70),
        ),
        max_size=5,
    )
)
def test_no_entries_are_more_than_refused(entries: list[TreeEntry]) -> None:
    with suppress(TreeRefused):
        size = measure(entries, SandboxLimits())
        assert size.total_bytes <= SandboxLimits().src_bytes
        assert size.entries == len({entry.path for entry in entries})


# What a file's own process delivered.

SPEC = validate({"id": "d", "schedule": "5 * * * *", "tasks": [{"id": "a", "script": "echo ä"}]}).spec
assert SPEC is not None
DELIVERED = CompiledFile((SPEC,), (Diagnostic("m", "p.py", 3, 4, "d", "a", "script", "printed"),)).encode()

byte_edits = st.lists(
    st.tuples(st.integers(0, len(DELIVERED)), st.integers(0, 4), st.binary(max_size=4)), max_size=4
)


def respelt(changes: list[tuple[int, int, bytes]]) -> bytes:
    data = DELIVERED
    for at, length, new in changes:
        data = data[:at] + new + data[at + length :]
    return data


def storable(text: str | None) -> bool:
    """As PostgreSQL takes it."""
    return text is None or ("\0" not in text and text.encode("utf-8", "replace").decode() == text)


wild = st.text(st.characters(categories=None), max_size=30)


@settings(max_examples=400)
@given(byte_edits.map(respelt) | st.binary(max_size=100), st.sampled_from(CompileOutcome), wild, wild)
def test_whatever_a_process_delivers_becomes_a_result_of_its_own_file_that_can_be_stored(
    payload: bytes, outcome: CompileOutcome, output: str, detail: str
) -> None:
    raw = RawResult("own.py", outcome, payload if outcome is CompileOutcome.OK else b"", output, detail, 0.1)
    result, _ = result_of_raw(DiscoveredFile("own.py", Kind.PYTHON, "", 0), raw, text=None, image="i")

    assert {diagnostic.path for diagnostic in result.diagnostics} <= {"own.py"}
    assert len(result.diagnostics) <= MAX_DIAGNOSTICS + 1
    for found in result.diagnostics:
        texts = (found.message, found.dag, found.task, found.key, found.output)
        assert all(storable(text) for text in texts), found
    for dag in result.dags:
        text = json.dumps(dag.to_json(), ensure_ascii=False)
        assert storable(text)
        assert "\\u0000" not in text


@pytest.mark.parametrize(
    "bomb",
    [
        lambda size: b"[" * size,
        lambda size: b'{"dags":' * (size // 8),
        lambda size: b'"' + b"\\u0000" * (size // 6) + b'"',
        lambda size: b"9" * size,
        lambda size: b"-1e" + b"9" * size,
        lambda size: b'{"dags":[' + b"{}," * (size // 3) + b"{}]}",
        lambda size: (
            b'{"dags":[],"diagnostics":[' + b'{"message":"m"},' * (size // 16) + b'{"message":"m"}]}'
        ),
        lambda size: b'{"dags":[' + b'{"id":"d","tasks":[{}]},' * (size // 24) + b"{}]}",
    ],
    ids=["lists", "objects", "escapes", "digits", "exponent", "dags", "diagnostics", "repeated"],
)
def test_a_payload_of_the_largest_size_takes_a_bounded_multiple_of_it(bomb: Callable[[int], bytes]) -> None:
    payload = bomb(1 << 20)
    tracemalloc.start()
    try:
        with suppress(CompiledFileError):
            decode(payload)
        assert tracemalloc.get_traced_memory()[1] < 300 << 20
    finally:
        tracemalloc.stop()
