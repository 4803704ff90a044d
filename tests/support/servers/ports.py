"""Ports of this machine: choose a free one, and wait until a server listens."""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from contextlib import suppress

LISTEN_SECONDS = 180.0


# Below the ports that the kernel gives to outgoing connections and to port 0 (ip_local_port_range: from 32768), so that
# only another call of `free_port` can choose the same one before the server of the first listens.
_PORTS = range(10_000, 32_000)


def free_port() -> int:
    """Return a random port of 127.0.0.1 on which nothing listens."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until a server listens on 127.0.0.1. Return False if the process ends or the time is up before."""
    deadline = time.monotonic() + LISTEN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=LISTEN_SECONDS).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False
