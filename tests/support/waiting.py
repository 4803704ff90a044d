"""Waiting in tests: for a condition, and for the end of a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 180.0  # timeout for what never happens, not a measure of speed
POLL_SECONDS = 0.05


def wait_until(
    condition: Callable[[], object], what: str | Callable[[], str], *, seconds: float = PATIENCE_SECONDS
) -> float:
    """Wait until the condition holds, and return the seconds it took.

    Fail the test after `seconds` without it, saying what was waited for.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began >= seconds:
            raise AssertionError(f"not within {seconds} s: {what if isinstance(what, str) else what()}")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def is_running(pid: int) -> bool:
    """Return whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:  # it ended, possibly while the file was read
        return False


def wait_until_ended(pid: int) -> None:
    """Wait until the process has ended: a killed process runs until the kernel has removed it."""
    wait_until(lambda: not is_running(pid), f"process {pid} has ended")
