"""Exchange of a request and its response over a container's attached socket.

A single loop writes and reads, so that neither side can block the other, with its own deadline and byte limit.
The engine's stream frames are decoded here, because its client library can block forever on them.
https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
"""

from __future__ import annotations

import selectors
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator

from compilers.sandbox.protocol import FatalFrame, ProtocolError, ResponseParser, ResultFrame

_READ_BYTES = 1 << 16
_WRITE_BYTES = 1 << 18
_STDERR_BYTES = 4096
_STDOUT, _STDERR = 1, 2
_STREAM = struct.Struct(">BxxxI")
# The maximum overhead of the engine's framing and of hello and end frames.
_OVERHEAD_BYTES = 1 << 20


class ResponseLost(Exception):
    """The container's response ended, stalled or violated the protocol. The message says how."""


class StreamDemultiplexer:
    """A splitter of the engine's frames (8 bytes of header, then the body) into stdout and stderr."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._stream = 0
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (stream, bytes). Raises ProtocolError for a stream that does not exist."""
        view = memoryview(data)
        while view:
            if not self._left:
                take = _STREAM.size - len(self._header)
                self._header += view[:take]
                view = view[take:]
                if len(self._header) < _STREAM.size:
                    return
                self._stream, self._left = _STREAM.unpack(self._header)
                self._header.clear()
                if self._stream not in (_STDOUT, _STDERR):
                    raise ProtocolError(f"the engine sent data of the unknown stream {self._stream}")
                continue
            yield self._stream, bytes(view[: self._left])
            taken = min(self._left, len(view))
            self._left -= taken
            view = view[taken:]


class Exchange:
    """A transfer that sends `request` piece by piece and yields the received frames."""

    def __init__(
        self,
        connection: socket.socket,
        request: Iterator[bytes],
        parser: ResponseParser,
        *,
        until: float,
        max_bytes: int,
        greeted_by: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the transfer. `until` and `greeted_by` are deadlines on `clock`: of the whole, and of the hello frame.

        `max_bytes` limits the total read, apart from a fixed overhead.
        """
        self._connection = connection
        self._request = request
        self._parser = parser
        self._until = until
        self._greeted_by = until if greeted_by is None else min(until, greeted_by)
        self._budget = max_bytes + _OVERHEAD_BYTES
        self._clock = clock
        self._demultiplexer = StreamDemultiplexer()
        self._unsent = memoryview(b"")
        self._sent_all = False
        self._ended = False
        self._stderr = bytearray()

    def frames(self) -> Iterator[ResultFrame | FatalFrame]:
        """Yield every frame in order. Raises Lost; errors of the request's own source pass through."""
        self._connection.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
            writing = True
            while not self._parser.done:
                if self._ended:
                    raise ResponseLost(self._with_stderr("the container ended before its last result"))
                left = (self._until if self._parser.greeted else self._greeted_by) - self._clock()
                if left <= 0:
                    raise ResponseLost(self._with_stderr("the container did not answer before its deadline"))
                if writing and self._sent_all:
                    selector.modify(self._connection, selectors.EVENT_READ)
                    writing = False
                for _, events in selector.select(left):
                    if events & selectors.EVENT_WRITE:
                        self._write()
                    yield from self._read()

    def _write(self) -> None:
        if not self._unsent:
            piece = next(self._request, None)
            if piece is None:
                self._sent_all = True
                return
            self._unsent = memoryview(piece)
        try:
            sent = self._connection.send(self._unsent[:_WRITE_BYTES])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            # The container is gone; its earlier output is still to be read.
            self._sent_all = True
            return
        self._unsent = self._unsent[sent:]

    def _read(self) -> Iterator[ResultFrame | FatalFrame]:
        """Read until the socket is empty: TLS may buffer more than the selector sees."""
        while not self._parser.done and not self._ended:
            try:
                data = self._connection.recv(_READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as exc:
                raise ResponseLost(
                    self._with_stderr(f"the connection to the container broke: {exc}")
                ) from exc
            if not data:
                self._ended = True
                return
            self._budget -= len(data)
            if self._budget < 0:
                raise ResponseLost("the container sent more than its results can hold")
            yield from self._parse(data)

    def _parse(self, data: bytes) -> Iterator[ResultFrame | FatalFrame]:
        try:
            for stream, part in self._demultiplexer.feed(data):
                if stream == _STDERR:
                    self._stderr += part
                    del self._stderr[:-_STDERR_BYTES]
                else:
                    yield from self._parser.feed(part)
        except ProtocolError as exc:
            raise ResponseLost(self._with_stderr(f"the container's response is corrupt: {exc}")) from exc

    def _with_stderr(self, message: str) -> str:
        """Append the driver's own error output, if any, which says more than any guess."""
        output = self._stderr.decode("utf-8", "replace").strip()
        return f"{message} (driver: {output[-1000:]})" if output else message
