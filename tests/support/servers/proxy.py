"""A TCP proxy that breaks connections: for faults below any protocol, ssh's among them."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType


class FaultProxy:
    """Passes connections to `127.0.0.1:target_port` through at `port`; a context manager.

    After `cut_after_bytes` of what the server sends, the connection is reset; after `stall_after_bytes`,
    nothing more goes through, though the connection stays. `connections` counts those made.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.cut_after_bytes: int | None = None
        self.stall_after_bytes: int | None = None
        self.connections = 0
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self.target_port))
                for source, sink, is_server in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass, args=(source, sink, is_server), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_server: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1024):
                passed += len(data)
                if is_server and self.stall_after_bytes is not None and passed > self.stall_after_bytes:
                    self._stopping.wait()
                if is_server and self.cut_after_bytes is not None and passed > self.cut_after_bytes:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
