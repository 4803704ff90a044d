"""The limits of this container, as the kernel's control groups report them.

An engine may accept a limit without enforcing it, as rootless ones do on cgroup v1, and may even report it as set.

https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
"""

from __future__ import annotations

import os

ROOT = "/sys/fs/cgroup"
_MARK_OF_VERSION_2 = "cgroup.controllers"
_MEMORY = {2: "memory.max", 1: "memory/memory.limit_in_bytes"}
_PROCESSES = {2: "pids.max", 1: "pids/pids.max"}


def missing_limits(memory_bytes: int, processes: int, root: str = ROOT) -> list[str]:
    """Return the limits that are not enforced, each with the value found; empty if both are enforced.

    `memory_bytes` and `processes` are the container's; 0 is not checked. A file that cannot be read counts as no limit.
    """
    version = 2 if os.access(f"{root}/{_MARK_OF_VERSION_2}", os.F_OK) else 1
    missing = []
    for name, files, wanted in (("memory", _MEMORY, memory_bytes), ("processes", _PROCESSES, processes)):
        found = _read(f"{root}/{files[version]}")
        if wanted and not (found.isdecimal() and int(found) <= wanted):
            missing.append(f"{name} ({files[version]}: {found}, required: {wanted})")
    return missing


def _read(path: str) -> str:
    """Return a file's single short line, or an explanation if it cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            return os.read(file, 64).decode("ascii", "replace").strip() or "empty"
        finally:
            os.close(file)
    except OSError as exc:
        return (exc.strerror or type(exc).__name__).lower()
