"""Process names that are unique across machines and restarts, and detection of dead processes."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from functools import lru_cache
from pathlib import Path


def process_name() -> str:
    """Return `host/boot.namespace/pid/start/thread/nonce`, the holder of a lease. The pid is that of its pid namespace."""
    pid = os.getpid()
    return "/".join(
        (_machine(), str(pid), _start_time(pid) or "?", str(threading.get_native_id()), uuid.uuid4().hex[:8])
    )


def is_dead(name: str) -> bool:
    """Return whether the named process ran on this machine, since this boot, in this pid namespace, and has ended.

    The namespace matters because containers may have the same host name but cannot see each other's processes.
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
    """Return the number of this process's pid namespace (namespaces(7)), or 0 if the kernel does not report it."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def _start_time(pid: int) -> str | None:
    """Return the process's start in clock ticks since boot (proc(5), stat field 22); None if it has ended.

    A zombie counts as ended: it holds no resources and runs no code.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
