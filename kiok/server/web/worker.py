"""A worker class for gunicorn that serves with waitress: `--worker-class kiok.server.web.worker.BufferingWorker`."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable
from datetime import datetime
from time import monotonic
from types import FrameType, SimpleNamespace
from typing import Any

from django.conf import settings
from gunicorn.workers.base import Worker
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from kiok.server.web.listener import Bounds, Listener, poll

POLL_SECONDS = 1.0
MAX_HEADER_BYTES = 64 * 1024
MIN_BODY_BYTES = 4 * 1024 * 1024  # more than any form or request of the API may have
MIN_BODIES_BYTES = 64 * 1024 * 1024
PROBE_THREADS = 1
OWN_DESCRIPTORS = (
    100  # file descriptors of a process that are not client connections: files, the database, pipes
)


class BufferingWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """Worker with a loop that receives requests and sends responses, and application threads (gunicorn's `--threads`)."""

    def run(self) -> None:
        """Serve until gunicorn stops this worker; then finish running requests for up to `graceful_timeout`."""
        connections: dict[int, Any] = {}
        threads, probes = _dispatcher(self.cfg.threads), _dispatcher(PROBE_THREADS)
        self._listeners = [self._listener(socket, connections, threads, probes) for socket in self.sockets]
        while self.alive and self.ppid == os.getppid():
            self.notify()
            poll(connections, POLL_SECONDS)
            for listener in self._listeners:
                listener.close_late()
        self._finish(connections)
        for dispatcher in (threads, probes):
            dispatcher.shutdown(timeout=1)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop without waiting for the current poll."""
        super().handle_exit(sig, frame)
        for listener in getattr(self, "_listeners", ()):
            listener.pull_trigger()

    def _listener(self, socket: Any, connections: dict[int, Any], threads: Any, probes: Any) -> Listener:
        config = settings.KIOK
        body_bytes = max(MIN_BODY_BYTES, 2 * config.gitsync_webhook_max_bytes)
        adjustments = Adjustments(
            sockets=[],
            ident=None,
            # Django reads these headers only if kiok.web.tls or kiok.web.proxies is set.
            clear_untrusted_proxy_headers=False,
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=body_bytes,
        )
        return Listener(
            _logged(self.wsgi, self.log),
            connections,
            _sock=socket.sock,
            dispatcher=threads,
            adj=adjustments,
            bind_socket=False,
            sockinfo=(socket.sock.family, socket.sock.type, socket.sock.proto, socket.sock.getsockname()),
            bounds=Bounds(
                config.web_header_timeout_ms / 1000,
                config.web_body_timeout_ms / 1000,
                _allowed_connections(config.web_max_connections, self.log),
                max(MIN_BODIES_BYTES, 2 * body_bytes),
            ),
            probes=probes,
        )

    def _finish(self, connections: dict[int, Any]) -> None:
        for listener in self._listeners:
            listener.stop_accepting()
        deadline = monotonic() + self.cfg.graceful_timeout
        while monotonic() < deadline:
            left = [listener.close_idle() for listener in self._listeners]
            if not any(left):
                return
            self.notify()
            poll(connections, 0.1)


def _dispatcher(threads: int) -> ThreadedTaskDispatcher:
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(threads)
    return dispatcher


def _allowed_connections(wanted: int, log: Any) -> int:
    """Return how many connections this process may hold, after raising its limit of open files."""
    needed = 2 * wanted + OWN_DESCRIPTORS  # two per connection: a large body is in a file
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = min(wanted, max(1, (soft - OWN_DESCRIPTORS) // 2))
    if allowed < wanted:
        log.warning(
            "%d connections instead of %d (kiok.web.max.connections): a process may open only %d files",
            *(allowed, wanted, soft),
        )
    return allowed


def _logged(application: Callable[..., Iterable[bytes]], log: Any) -> Callable[..., Iterable[bytes]]:
    """Return the application; if gunicorn has an access log, it gets a line for each response."""
    if not log.access_log_enabled:
        return application

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = datetime.now()
        answer = SimpleNamespace(status="", sent=0, headers=[])

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            answer.status, answer.headers = status, headers
            return start_response(status, headers, *rest)

        parts = application(environ, start)
        try:
            for part in parts:
                answer.sent += len(part)
                yield part
        finally:
            if hasattr(parts, "close"):
                parts.close()
            log.access(answer, SimpleNamespace(headers=[]), environ, datetime.now() - began)

    return call
