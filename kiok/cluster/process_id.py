"""Names of processes that stay unique over machines and restarts, and whether one is dead."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from functools import lru_cache
from pathlib import Path


def process_name() -> str:
    """`host/boot.namespace/pid/start/thread/nonce`: who holds a claim. A pid is one of its pid namespace's."""
    pid = os.getpid()
    return "/".join(
        (_machine(), str(pid), _start_time(pid) or "?", str(threading.get_native_id()), uuid.uuid4().hex[:8])
    )


def is_dead(name: str) -> bool:
    """Whether the named process ran on this machine, since this boot, where this one can see it, and is gone for certain.

    Of containers that share their host's name, or were given the same one, none can see the other's processes.
    """
    try:
        host, place, pid, start, *_ = name.split("/")
        if f"{host}/{place}" != _machine() or start == "?":
            return False
        return _start_time(int(pid)) != start
    except ValueError:
        return False


@lru_cache(maxsize=1)
def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{socket.gethostname()[:60]}/{boot}.{_pid_namespace()}"


def _pid_namespace() -> int:
    """Its number (namespaces(7)); 0 where the kernel does not tell."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def _start_time(pid: int) -> str | None:
    """The process's start in clock ticks since boot (proc(5), stat field 22); None when it is gone.

    A zombie counts as gone: it holds nothing and will do nothing.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
