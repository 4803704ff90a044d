"""One request and its response over a container's attached socket.

One loop writes and reads, so that neither side can block the other, with its own deadline and byte cap.
The engine's stream frames are taken apart here: its library can block for ever on them.
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
# What the engine's framing adds at worst, and hello and end frames.
_OVERHEAD_BYTES = 1 << 20


class ResponseLost(Exception):
    """The container's answer ended, stalled or departed from the protocol; the message says how."""


class StreamDemultiplexer:
    """Splits the engine's frames of 8 bytes header and body into stdout and stderr."""

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
                    raise ProtocolError(f"the engine names a stream {self._stream}")
                continue
            yield self._stream, bytes(view[: self._left])
            taken = min(self._left, len(view))
            self._left -= taken
            view = view[taken:]


class Exchange:
    """Sends `request` piece by piece and yields the frames that come back."""

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
        """`until` and `greeted_by` are on `clock`: when all must be there, and when the driver's hello must.

        `max_bytes` caps what is read in all, beyond a fixed overhead.
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
        """Every frame in turn. Raises Lost; errors of the request's own source pass through."""
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
            # The container is gone; what it said before is still to be read.
            self._sent_all = True
            return
        self._unsent = self._unsent[sent:]

    def _read(self) -> Iterator[ResultFrame | FatalFrame]:
        """Read until the socket is dry: TLS may hold more than the selector can see."""
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
            raise ResponseLost(self._with_stderr(f"the container's answer is garbled: {exc}")) from exc

    def _with_stderr(self, message: str) -> str:
        """What the driver itself complained of, if it did, says more than any guess."""
        said = self._stderr.decode("utf-8", "replace").strip()
        return f"{message} (driver: {said[-1000:]})" if said else message
