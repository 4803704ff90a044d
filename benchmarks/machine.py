"""The machine and the programs that figures depend on, without host names and paths."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import psycopg


def facts() -> dict[str, str | int | float]:
    """Return the cores, memory and kernel, and the versions of the programs."""
    return {
        "cores": os.cpu_count() or 0,
        "cpu": _cpu(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "git": _said("git", "version").removeprefix("git version "),
        "docker": _said("docker", "version", "--format", "{{.Server.Version}}"),
        "libpq": str(psycopg.pq.version()),
        "commit": _said("git", "rev-parse", "--short=12", "HEAD"),
    }


def load() -> float:
    """Return the load average of the last minute, which shows other work on the machine."""
    return round(os.getloadavg()[0], 2)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if not done.returncode else "unknown"
