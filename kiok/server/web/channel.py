"""A connection with deadlines for what it waits for, on waitress's channel.

waitress closes connections that were silent for a while, so one byte now and then keeps one open for ever. Deadlines here
are for the whole header and the whole body, by a clock that nobody sets.
"""

from __future__ import annotations

from enum import Enum
from time import monotonic
from typing import Any

from waitress.channel import HTTPChannel

PROBES = ("/healthz", "/readyz")


class Phase(Enum):
    """The states of a connection."""

    HEADER = "header"  # idle, or the header of a request is not complete
    BODY = "body"  # the header is complete, the body is not
    RUNNING = "running"  # a complete request waits for a thread, or has one
    SENDING = "sending"  # the client has yet to take the answer


class DeadlineChannel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """waitress's channel, which knows since when it waits."""

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
        """Whether the request that is next is one of a health check."""
        return bool(self.requests) and getattr(self.requests[0], "path", "") in PROBES

    @property
    def received_bytes(self) -> int:
        """Bytes of bodies that are held for this connection."""
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
