"""The bytes between the host and the driver in the container. Standard library only.

The same file is copied into the sandbox images, so both sides use one definition.

    request  = MAGIC u16:version  u32:n header[n]  (u32:n tar[n])*  u32:0
    response = frame*             frame = u8:type  u32:n  u32:crc  body[n]

    type H  hello   MAGIC u16:version                       first, exactly once, when the request begins
    type R  result  u32:index  u32:m  meta[m]  payload      one per file, in the requested order
    type F  fatal   u8:stage  text                          the driver gives up; nothing follows
    type E  end     u32:count                               all results were sent; nothing follows

Integers are big-endian. The header and meta are JSON objects; a payload is opaque to the driver
and to this module. The CRC-32 covers type, n and body, and for R and E starts from the request's seal: it detects
a corrupt stream or one of another request, not a forged one.
`ResponseParser` treats every byte as hostile.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAGIC = b"KIOKSBX\n"
VERSION = 5

MAX_HEADER_BYTES = 32 << 20
MAX_CHUNK_BYTES = 1 << 20
MAX_FATAL_BYTES = 8 << 10
MAX_DETAIL_CHARS = 2_000

STAGE_REQUEST = 1  # the request was refused; another container would refuse it too
STAGE_RUN = 2  # an error while files ran
STAGE_IMAGE = 3  # the image is incomplete; no file is to blame
STAGE_ALONE = 4  # no file was run: here a container is safe for one file only
STAGE_LIMITS = 5  # no file was run: the container's memory or processes are not limited

HELLO, RESULT, FATAL, END = b"H", b"R", b"F", b"E"

OUTCOMES = frozenset({"ok", "timeout", "killed", "exited", "too_large"})

_HEAD = struct.Struct(">cI")
_FRAME = struct.Struct(">cII")
_U32 = struct.Struct(">I")
_HELLO = struct.Struct(">8sH")
_RESULT = struct.Struct(">II")


class ProtocolError(Exception):
    """The peer's bytes violate the protocol. The message says where."""


@dataclass(frozen=True)
class CompileRequest:
    """A request to a container.

    `files` and `import_roots` are POSIX paths relative to the repository's root. `entries` and `total_bytes` count
    the regular files of the tar and their bytes, so that a truncated tar is detected. Seconds are wall clock time.
    `deadline_seconds` starts when the tree is unpacked. `seal` is a random 32-bit number
    that distinguishes the responses to this request from those to another. `container_memory_bytes` and
    `container_processes` are the limits without which the driver refuses to run a file; 0 requires none.
    """

    language: str
    files: tuple[str, ...]
    import_roots: tuple[str, ...]
    entries: int
    total_bytes: int
    file_timeout_seconds: float
    deadline_seconds: float
    max_payload_bytes: int
    max_output_bytes: int
    max_memory_bytes: int
    max_file_bytes: int
    max_open_files: int
    max_cpu_seconds: int
    seal: int = 0
    container_memory_bytes: int = 0
    container_processes: int = 0

    def to_bytes(self) -> bytes:
        """Return the request up to, but not including, the tar's chunks."""
        header = json.dumps(self.__dict__, ensure_ascii=True).encode()
        if len(header) > MAX_HEADER_BYTES:
            raise ProtocolError(
                f"the request's header has {len(header)} bytes; at most {MAX_HEADER_BYTES} are allowed"
            )
        return _HELLO.pack(MAGIC, VERSION) + _U32.pack(len(header)) + header

    @classmethod
    def from_header(cls, header: bytes) -> CompileRequest:
        """Read the JSON header. Raises ProtocolError on any other shape."""
        value = loads_object(header, "request header")
        try:
            value["files"] = tuple(value["files"])
            value["import_roots"] = tuple(value["import_roots"])
            request = cls(**value)
        except (KeyError, TypeError) as exc:
            raise ProtocolError(
                f"the request header's keys are not those of version {VERSION}: {exc}"
            ) from exc
        if not all(isinstance(path, str) for path in (*request.files, *request.import_roots)):
            raise ProtocolError("the request header contains a path that is not a string")
        return request


@dataclass(frozen=True)
class ResultFrame:
    """The result of one file: the driver's report, validated, and the child's payload, not parsed."""

    index: int
    outcome: str
    detail: str
    seconds: float
    output: str
    payload: bytes


@dataclass(frozen=True)
class FatalFrame:
    """The driver gave up. `stage` is one of the STAGE_ constants."""

    stage: int
    message: str


def chunk(data: bytes) -> bytes:
    """Return one chunk of the tar; an empty one ends it."""
    return _U32.pack(len(data)) + data


def parse_preamble(data: bytes) -> int:
    """Return the header's length from the request's first 14 bytes. Raises ProtocolError."""
    magic, version = _HELLO.unpack_from(data)
    if magic != MAGIC:
        raise ProtocolError("the request does not begin with the protocol's magic bytes")
    if version != VERSION:
        raise ProtocolError(f"the request uses protocol version {version}, this image uses {VERSION}")
    length: int = _U32.unpack_from(data, _HELLO.size)[0]
    if length > MAX_HEADER_BYTES:
        raise ProtocolError(
            f"the request's header has {length} bytes; at most {MAX_HEADER_BYTES} are allowed"
        )
    return length


PREAMBLE_BYTES = _HELLO.size + _U32.size


def parse_chunk_length(data: bytes) -> int:
    """Return the length of the chunk that follows its 4 bytes. Raises ProtocolError."""
    length: int = _U32.unpack(data)[0]
    if length > MAX_CHUNK_BYTES:
        raise ProtocolError(f"a chunk of the tar has {length} bytes; at most {MAX_CHUNK_BYTES} are allowed")
    return length


def hello_frame() -> bytes:
    """Return the driver's first frame."""
    return _frame(HELLO, _HELLO.pack(MAGIC, VERSION))


def result_frame(index: int, meta: Mapping[str, Any], payload: bytes, seal: int = 0) -> bytes:
    """Return the frame of one file's result. `meta` has the keys outcome, detail, seconds, output."""
    text = json.dumps(meta, ensure_ascii=True).encode()
    return _frame(RESULT, _RESULT.pack(index, len(text)) + text + payload, seal)


def fatal_frame(stage: int, message: str) -> bytes:
    """Return the frame with which the driver gives up."""
    return _frame(FATAL, bytes([stage]) + message.encode("utf-8", "replace")[: MAX_FATAL_BYTES - 1])


def end_frame(count: int, seal: int = 0) -> bytes:
    """Return the frame that ends a response of `count` results; `seal` is the request's."""
    return _frame(END, _U32.pack(count), seal)


def max_meta_bytes(max_output_bytes: int) -> int:
    """Return the maximum size of a valid meta: every byte of the output may become `\\u....`."""
    return 6 * max_output_bytes + 6 * MAX_DETAIL_CHARS + 1_000


def clean_text(text: str, max_chars: int) -> str:
    """Return text that a database can store: lone surrogates and NUL replaced, cut to `max_chars`."""
    whole = text[:max_chars].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")


def loads_object(data: bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object. Raises ProtocolError for anything else, regardless of depth or content."""
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise ProtocolError(f"the {what} is not JSON: {exc}"[:500]) from exc
    if not isinstance(value, dict):
        raise ProtocolError(f"the {what} is not a JSON object")
    return value


def _frame(kind: bytes, body: bytes, seal: int = 0) -> bytes:
    return _FRAME.pack(kind, len(body), _crc(kind, body, seal)) + body


def _crc(kind: bytes, body: bytes, seal: int) -> int:
    return zlib.crc32(body, zlib.crc32(_HEAD.pack(kind, len(body)), seal))


class ResponseParser:
    """An incremental parser of a container's response that trusts nothing.

    `feed` takes the received bytes and yields result and fatal frames as they complete. `done` is True after the
    end frame or a fatal one. It buffers at most one frame, whose size is checked before its body is received.
    """

    def __init__(
        self, files: Sequence[str], *, max_payload_bytes: int, max_output_bytes: int, seal: int = 0
    ) -> None:
        self._expected = len(files)
        self.seal = seal
        self._next = 0
        self._max_payload = max_payload_bytes
        self._max_output = max_output_bytes
        self._max_meta = max_meta_bytes(max_output_bytes)
        self._buffer = bytearray()
        self.greeted = False
        self.done = False

    def feed(self, data: bytes) -> Iterator[ResultFrame | FatalFrame]:
        """Take more bytes. Raises ProtocolError at the first invalid one."""
        self._buffer += data
        while True:
            if self.done:
                if self._buffer:
                    raise ProtocolError("bytes follow the last frame")
                return
            if len(self._buffer) < _FRAME.size:
                return
            kind, length, crc = _FRAME.unpack_from(self._buffer)
            self._check(kind, length)
            if len(self._buffer) < _FRAME.size + length:
                return
            body = bytes(memoryview(self._buffer)[_FRAME.size : _FRAME.size + length])
            del self._buffer[: _FRAME.size + length]
            # The driver may send hello and fatal frames before it has read the seal.
            if crc != _crc(kind, body, self.seal if kind in (RESULT, END) else 0):
                raise ProtocolError(
                    f"a frame of type {kind!r} with {length} bytes does not match its checksum"
                )
            frame = self._take(kind, body)
            if frame is not None:
                yield frame

    def _check(self, kind: bytes, length: int) -> None:
        """Refuse a frame by its type, position and length, before its body is received."""
        if not self.greeted and kind != HELLO:
            raise ProtocolError(f"the first frame has type {kind!r}, not hello")
        if kind == HELLO:
            fits = not self.greeted and length == _HELLO.size
        elif kind == RESULT:
            fits = self._next < self._expected
            fits = fits and _RESULT.size <= length <= _RESULT.size + self._max_meta + self._max_payload
        elif kind == FATAL:
            fits = 1 <= length <= MAX_FATAL_BYTES
        elif kind == END:
            fits = length == _U32.size
        else:
            raise ProtocolError(f"a frame has the unknown type {kind!r}")
        if not fits:
            raise ProtocolError(f"a frame of type {kind!r} with {length} bytes is unexpected here")

    def _take(self, kind: bytes, body: bytes) -> ResultFrame | FatalFrame | None:
        if kind == RESULT:
            return self._result(body)
        if kind == HELLO:
            magic, version = _HELLO.unpack(body)
            if magic != MAGIC or version != VERSION:
                raise ProtocolError(f"the image uses protocol version {version}, this service {VERSION}")
            self.greeted = True
            return None
        self.done = True
        if kind == FATAL:
            message = clean_text(body[1:].decode("utf-8", "replace"), MAX_DETAIL_CHARS)
            return FatalFrame(stage=body[0], message=message)
        count = _U32.unpack(body)[0]
        if count != self._expected or self._next != self._expected:
            raise ProtocolError(
                f"the end frame counts {count} results; {self._next} arrived, {self._expected} were requested"
            )
        return None

    def _result(self, body: bytes) -> ResultFrame:
        index, meta_length = _RESULT.unpack_from(body)
        if index != self._next:
            raise ProtocolError(f"result {index} arrived instead of result {self._next}")
        if meta_length > self._max_meta or _RESULT.size + meta_length > len(body):
            raise ProtocolError(f"result {index} declares a meta of {meta_length} bytes")
        meta = loads_object(body[_RESULT.size : _RESULT.size + meta_length], f"meta of result {index}")
        payload = body[_RESULT.size + meta_length :]
        if len(payload) > self._max_payload:
            raise ProtocolError(f"result {index} has a payload of {len(payload)} bytes")
        frame = self._checked(index, meta, payload)
        self._next += 1
        return frame

    def _checked(self, index: int, meta: Mapping[str, Any], payload: bytes) -> ResultFrame:
        outcome, detail = meta.get("outcome"), meta.get("detail")
        seconds, output = meta.get("seconds"), meta.get("output")
        if not isinstance(outcome, str) or outcome not in OUTCOMES:
            raise ProtocolError(f"result {index} has no known outcome")
        if not isinstance(detail, str) or not isinstance(output, str):
            raise ProtocolError(f"result {index} has a detail or output that is not text")
        if type(seconds) is not float or not math.isfinite(seconds) or seconds < 0:
            raise ProtocolError(f"result {index} has no duration")
        if (outcome == "ok") != bool(payload):
            raise ProtocolError(f"result {index} is {outcome} with a payload of {len(payload)} bytes")
        return ResultFrame(
            index=index,
            outcome=outcome,
            detail=clean_text(detail, MAX_DETAIL_CHARS),
            seconds=seconds,
            output=clean_text(output, self._max_output),
            payload=payload,
        )
