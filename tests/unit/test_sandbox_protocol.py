"""The host's parser of bytes from a container, any of which may be forged."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compilers.sandbox import protocol
from compilers.sandbox.protocol import (
    CompileRequest,
    FatalFrame,
    ProtocolError,
    ResponseParser,
    ResultFrame,
    end_frame,
    fatal_frame,
    hello_frame,
    result_frame,
)

OK = {"outcome": "ok", "detail": "", "seconds": 0.5, "output": "said"}
GOOD = hello_frame() + result_frame(0, OK, b"{}") + result_frame(1, OK, b"[]") + end_frame(2)


def parser(files: int = 2) -> ResponseParser:
    return ResponseParser(["f"] * files, max_payload_bytes=1000, max_output_bytes=100)


def raw(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    crc = zlib.crc32(struct.pack(">cI", kind, len(body)) + body)
    return struct.pack(">cII", kind, len(body) if length is None else length, crc) + body


def raw_result(index: int, meta: bytes, payload: bytes = b"{}") -> bytes:
    return raw(b"R", struct.pack(">II", index, len(meta)) + meta + payload)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_changed_byte_never_makes_a_result_of_another_file(at: int, value: int) -> None:
    changed = GOOD[:at] + bytes([value]) + GOOD[at + 1 :]
    frames = []
    try:
        for frame in parser().feed(changed):
            frames.append(frame)
    except ProtocolError:
        pass
    indexes = [frame.index for frame in frames if isinstance(frame, ResultFrame)]
    assert indexes == list(range(len(indexes)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (result_frame(0, OK, b"{}"), "not hello"),
        (raw(b"H", b"WRONGMAG\0\1"), "uses protocol"),
        (raw(b"H", protocol.MAGIC + b"\0\xff"), "uses protocol version 255"),
        (hello_frame() + hello_frame(), "is unexpected here"),
        (hello_frame() + raw(b"Z", b""), "unknown type"),
        (hello_frame() + raw(b"R", b"", length=2**32 - 1), "is unexpected here"),
        (hello_frame() + raw(b"R", b"", length=7), "is unexpected here"),
        (hello_frame() + result_frame(1, OK, b"{}"), "result 1 arrived instead of result 0"),
        (hello_frame() + result_frame(0, OK, b"{}") * 2, "result 0 arrived instead of result 1"),
        (hello_frame() + raw_result(2**32 - 1, json.dumps(OK).encode()), "arrived instead of result 0"),
        (hello_frame() + raw(b"R", struct.pack(">II", 0, 2**32 - 1) + b"{}"), "declares a meta of"),
        (hello_frame() + raw(b"R", struct.pack(">II", 0, 50) + b"{}"), "declares a meta of"),
        (hello_frame() + raw_result(0, b"[]"), "not a JSON object"),
        (hello_frame() + raw_result(0, b"["), "not JSON"),
        (hello_frame() + raw_result(0, b"[" * 1500), "JSON"),
        (hello_frame() + raw_result(0, b"\xff\xfe"), "not JSON"),
        (hello_frame() + result_frame(0, {**OK, "outcome": "lost"}, b"{}"), "no known outcome"),
        (hello_frame() + result_frame(0, {**OK, "outcome": ["ok"]}, b"{}"), "no known outcome"),
        (hello_frame() + result_frame(0, {**OK, "output": 7}, b"{}"), "not text"),
        (hello_frame() + result_frame(0, {**OK, "seconds": float("nan")}, b"{}"), "no duration"),
        (hello_frame() + result_frame(0, {**OK, "seconds": -1.0}, b"{}"), "no duration"),
        (hello_frame() + result_frame(0, {**OK, "seconds": True}, b"{}"), "no duration"),
        (hello_frame() + result_frame(0, OK, b""), "ok with a payload of 0 bytes"),
        (hello_frame() + result_frame(0, {**OK, "outcome": "timeout"}, b"{}"), "timeout with a payload"),
        (hello_frame() + result_frame(0, OK, b"x" * 1001), "payload of 1001 bytes"),
        (hello_frame() + result_frame(0, OK, b"{}", seal=1), "does not match its checksum"),
        (hello_frame() + end_frame(2, seal=1), "does not match its checksum"),
        (hello_frame() + end_frame(2), "0 arrived, 2 were requested"),
        (hello_frame() + end_frame(0), "0 arrived, 2 were requested"),
        (hello_frame() + raw(b"E", b"\0" * 5), "is unexpected here"),
        (hello_frame() + end_frame(2)[:-1] + b"\7", "does not match its checksum"),
        (GOOD + b"x", "bytes follow"),
        (GOOD[: -len(end_frame(2))] + result_frame(2, OK, b"{}"), "is unexpected here"),
        (hello_frame() + raw(b"F", b""), "is unexpected here"),
        (hello_frame() + raw(b"F", b"", length=1 << 20), "is unexpected here"),
    ],
)
def test_protocol_error_is_named(data: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        list(parser().feed(data))


def test_huge_frame_is_refused_before_its_body_is_read() -> None:
    reader = parser()
    list(reader.feed(hello_frame()))
    with pytest.raises(ProtocolError):
        list(reader.feed(struct.pack(">cII", b"R", 100_000, 0)))


def test_results_before_a_protocol_error_are_kept() -> None:
    frames = parser().feed(hello_frame() + result_frame(0, OK, b"{}") + b"garbage at the end")
    assert isinstance(next(frames), ResultFrame)
    with pytest.raises(ProtocolError):
        next(frames)


def test_final_message_of_the_driver_ends_the_response() -> None:
    reader = parser()
    frames = list(
        reader.feed(hello_frame() + fatal_frame(protocol.STAGE_RUN, "no memory \0 left" + "x" * 9000))
    )
    assert reader.done
    (frame,) = frames
    assert isinstance(frame, FatalFrame)
    assert frame.stage == protocol.STAGE_RUN
    assert frame.message.startswith("no memory \N{REPLACEMENT CHARACTER} left")
    assert len(frame.message) == protocol.MAX_DETAIL_CHARS


def test_text_is_made_storable() -> None:
    meta = {**OK, "output": "a\0b\ud800c\U0001f600", "detail": "\udfff"}
    (frame,) = parser(1).feed(hello_frame() + result_frame(0, meta, b"{}"))
    assert isinstance(frame, ResultFrame)
    assert frame.output == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c\U0001f600"
    assert frame.detail == "\N{REPLACEMENT CHARACTER}"


REQUEST = CompileRequest(
    language="python",
    files=("a.py", "b-ä.py"),
    import_roots=("sub", ""),
    entries=2,
    total_bytes=10,
    file_timeout_seconds=1.5,
    deadline_seconds=3.0,
    max_payload_bytes=1,
    max_output_bytes=2,
    max_memory_bytes=3,
    max_file_bytes=4,
    max_open_files=5,
    max_cpu_seconds=6,
)


def test_request_is_read_as_it_was_written() -> None:
    data = REQUEST.to_bytes()
    length = protocol.parse_preamble(data[: protocol.PREAMBLE_BYTES])
    header = data[protocol.PREAMBLE_BYTES :]
    assert length == len(header)
    assert CompileRequest.from_header(header) == REQUEST


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value.pop("files"),
        lambda value: value.update(extra=1),
        lambda value: value.update(files=[1]),
        lambda value: value.update(files=None),
    ],
)
def test_request_of_another_shape_is_refused(spoil: Callable[[dict[str, object]], None]) -> None:
    value = json.loads(REQUEST.to_bytes()[protocol.PREAMBLE_BYTES :])
    spoil(value)
    with pytest.raises(ProtocolError):
        CompileRequest.from_header(json.dumps(value).encode())


@pytest.mark.parametrize(
    "preamble",
    [
        b"X" * 14,
        protocol.MAGIC + b"\0\xff" + b"\0\0\0\1",
        protocol.MAGIC + bytes((0, protocol.VERSION)) + b"\xff\xff\xff\xff",
    ],
)
def test_preamble_of_another_kind_is_refused(preamble: bytes) -> None:
    with pytest.raises(ProtocolError):
        protocol.parse_preamble(preamble)
