"""Ports of this machine: one that nobody has, and a server that has begun to listen on its own."""

from __future__ import annotations

import socket
import subprocess
import time

LISTEN_SECONDS = 180.0


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now; another process may take it first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until somebody listens on 127.0.0.1; False when the process has ended or the time is up before."""
    deadline = time.monotonic() + LISTEN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False
