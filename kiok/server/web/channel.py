"""A connection with deadlines, based on waitress's channel.

waitress closes connections that were silent for a while, so a byte now and then keeps a connection open indefinitely.
These deadlines are for the whole header and the whole body, and use the monotonic clock.
"""

from __future__ import annotations

from enum import Enum
from time import monotonic
from typing import Any

from waitress.channel import HTTPChannel

PROBES = ("/healthz", "/readyz")


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
