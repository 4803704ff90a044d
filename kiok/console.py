"""Handling of standard streams that are closed, or whose reader is gone."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


class OutputError(Exception):
    """Standard output cannot be written; the message says why, "" if only its reader is gone."""


def replace_closed_streams() -> bool:
    """Open the null device for each standard stream that is closed; return whether stdout was closed.

    Otherwise the next file that is opened gets the stream's descriptor, and Python has no stream object.
    """
    is_closed = sys.stdout is None
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # This is the lowest free descriptor, so open() returns it.
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - open until the process ends
    return is_closed


def say(text: str) -> None:
    """Write a line to stderr. If that fails, the exit status still shows the result of the command."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:
        _discard(2)


def put(data: bytes) -> None:
    """Write to stdout. Raises OutputError."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError as exc:
        _discard(1)
        raise OutputError("") from exc
    except OSError as exc:
        _discard(1)
        raise OutputError(f"standard output cannot be written: {exc.strerror or exc}") from exc


def _discard(descriptor: int) -> None:
    """Redirect a stream to the null device: Python flushes it again at exit, and would report an error."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)
