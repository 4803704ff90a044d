"""The standard streams of a command: closed ones, and those whose reader has gone."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


class OutputError(Exception):
    """Standard output cannot take what is written; the message says why, "" where its reader has simply gone."""


def replace_closed_streams() -> bool:
    """Open the null device in the place of each standard stream that is closed; whether stdout was.

    Else the next file that is opened takes the stream's number, and Python has no object to write to.
    """
    is_closed = sys.stdout is None
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free is this one.
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - open until the process ends
    return is_closed


def say(text: str) -> None:
    """Write a line to stderr. Where that fails, the exit status still tells how the command ended."""
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
    """Point a stream at the null device: Python flushes it once more at its end, and would complain."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)
