"""Names of processes that stay unique over machines and restarts, and whether one is dead."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from functools import lru_cache
from pathlib import Path


def process_name() -> str:
    """`host/boot/pid/start/thread/nonce`: who holds a claim."""
    pid = os.getpid()
    return "/".join(
        (_machine(), str(pid), _start_time(pid) or "?", str(threading.get_native_id()), uuid.uuid4().hex[:8])
    )


def is_dead(name: str) -> bool:
    """Whether the named process ran on this machine, since this boot, and is gone for certain."""
    try:
        host, boot, pid, start, *_ = name.split("/")
        if f"{host}/{boot}" != _machine() or start == "?":
            return False
        return _start_time(int(pid)) != start
    except ValueError:
        return False


@lru_cache(maxsize=1)
def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{socket.gethostname()[:60]}/{boot}"


def _start_time(pid: int) -> str | None:
    """The process's start in clock ticks since boot (proc(5), stat field 22); None when it is gone.

    A zombie counts as gone: it holds nothing and will do nothing.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
