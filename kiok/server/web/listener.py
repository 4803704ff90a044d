"""The listening socket of a web process and its connections, based on waitress's server and channel.

waitress closes connections that were silent for a while, so a byte now and then keeps a connection open indefinitely.
The deadlines here are for the whole header and the whole body, and use the monotonic clock. The number of connections and
the memory of their bodies are limited.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum
from time import monotonic
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

PROBES = ("/healthz", "/readyz")
SMALL_BODY_BYTES = 64 * 1024  # bodies up to this are not counted against `Bounds.body_bytes`

log = logging.getLogger(__name__)


class Phase(Enum):
    """States of a connection."""

    HEADER = "header"  # idle, or the header of a request is not complete
    BODY = "body"  # the header is complete, the body is not
    RUNNING = "running"  # a complete request waits for a thread, or runs in one
    SENDING = "sending"  # the client has not received the whole response


class DeadlineChannel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """Channel of waitress that records when its current phase began."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.since = monotonic()
        super().__init__(*arguments, **options)

    @property
    def phase(self) -> Phase:
        if self.total_outbufs_len > self.adj.outbuf_high_watermark:
            return Phase.SENDING  # the thread of the request waits for the client
        if self.requests:
            return Phase.RUNNING
        if self.total_outbufs_len:
            return Phase.SENDING
        if self.request is not None and self.request.headers_finished:
            return Phase.BODY
        return Phase.HEADER

    @property
    def is_probe(self) -> bool:
        """Return whether the next request is a health check."""
        return bool(self.requests) and getattr(self.requests[0], "path", "") in PROBES

    @property
    def received_bytes(self) -> int:
        """Bytes of request bodies that are held for this connection."""
        held = [*self.requests, *([self.request] if self.request is not None else [])]
        return sum(int(request.body_bytes_received) for request in held)

    def received(self, data: bytes) -> Any:
        before = self.phase
        done = super().received(data)
        if self.phase != before:
            self.since = monotonic()
        self.server.limit_received(self)
        return done

    def handle_write(self) -> None:
        before = self.total_outbufs_len
        super().handle_write()
        if self.total_outbufs_len < before:
            self.since = monotonic()

    def service(self) -> None:
        super().service()
        self.since = monotonic()


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of the connections of a process.

    `header_seconds`: from the start of a connection, or its last response, to the end of the next header.
    `body_seconds`: for a whole body, and for a client that receives no byte of a response.
    `body_bytes`: for all bodies together that are held until their requests are complete and answered.
    """

    header_seconds: float
    body_seconds: float
    connections: int
    body_bytes: int

    def seconds(self, phase: Phase) -> float | None:
        """Return how long a connection may stay in a phase; None: no limit, the application is running."""
        return {
            Phase.HEADER: self.header_seconds,
            Phase.BODY: self.body_seconds,
            Phase.SENDING: self.body_seconds,
            Phase.RUNNING: None,
        }[phase]


class Listener(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """Server of waitress that closes connections by `bounds`, and runs health checks in separate threads."""

    channel_class = DeadlineChannel

    def __init__(
        self, *arguments: Any, bounds: Bounds, probes: ThreadedTaskDispatcher, **options: Any
    ) -> None:
        self.bounds, self._probes = bounds, probes
        super().__init__(*arguments, **options)

    def add_task(self, channel: DeadlineChannel) -> None:
        """Pass a complete request to a thread; health checks have their own."""
        if channel.is_probe:
            self._probes.add_task(channel)
        else:
            super().add_task(channel)

    def readable(self) -> bool:
        """Return whether a connection may be accepted. waitress would also close late ones here, by the system clock."""
        full = len(self.active_channels) >= self.bounds.connections
        return bool(self.accepting and (not full or self._longest_waiting() is not None))

    def handle_accept(self) -> None:
        """Accept a connection. At the limit, close the one that has waited longest for its client.

        So a client of normal speed is served even if others hold many connections open.
        """
        if len(self.active_channels) >= self.bounds.connections:
            oldest = self._longest_waiting()
            if oldest is not None:
                oldest.handle_close()
        super().handle_accept()

    def limit_received(self, channel: DeadlineChannel) -> None:
        """Close the connection with the largest bodies if all bodies together exceed the limit; called by the channel."""
        if channel.received_bytes <= SMALL_BODY_BYTES:
            return
        sizes = {one: one.received_bytes for one in list(self.active_channels.values())}
        if sum(size for size in sizes.values() if size > SMALL_BODY_BYTES) > self.bounds.body_bytes:
            largest = max(
                (one for one in sizes if one.phase is Phase.BODY), key=sizes.__getitem__, default=None
            )
            if largest is not None:
                log.warning(
                    "closed a connection from %s: the incomplete request bodies of this process exceed %d bytes, and "
                    "its body was the largest (%d bytes)",
                    *(largest.addr[0], self.bounds.body_bytes, sizes[largest]),
                )
                largest.handle_close()

    def close_late(self) -> None:
        """Close each connection whose deadline has passed."""
        now = monotonic()
        late = 0
        for channel in list(self.active_channels.values()):
            limit = self.bounds.seconds(channel.phase)
            if limit is not None and now - channel.since > limit:
                late += channel.request is not None  # idle connections are not counted
                channel.handle_close()
        if late:
            log.info("closed %d connections whose requests did not arrive in time", late)

    def stop_accepting(self) -> None:
        """Close the listening socket; keep the connections."""
        self.accepting = False
        self.del_channel()
        self.socket.close()

    def close_idle(self) -> bool:
        """Close every connection that waits for its client; return whether any is left."""
        for channel in list(self.active_channels.values()):
            if channel.phase in (Phase.HEADER, Phase.BODY):
                channel.handle_close()
        return bool(self.active_channels)

    def _longest_waiting(self) -> DeadlineChannel | None:
        waiting = (one for one in list(self.active_channels.values()) if one.phase is not Phase.RUNNING)
        return min(waiting, key=lambda one: one.since, default=None)


def poll(connections: dict[int, Any], seconds: float) -> None:
    """Wait at most `seconds` for events on the sockets of these connections, and handle them."""
    wasyncore.loop(timeout=seconds, use_poll=True, map=connections, count=1)
