"""Sync log: one readable line per event of a sync, with the seconds since its start."""

from __future__ import annotations

import threading
import time

from kiok.connections.redaction import redact
from kiok.text import cut, printable, python_escape

MAX_BYTES = 64 * 1024  # of the whole log
MAX_LINE_CHARACTERS = 1000
MAX_END_BYTES = 8 * 1024  # of MAX_BYTES, reserved for how the sync ends: most readers want to know that
# Characters of a text that are searched for secrets before it is cut, so that a secret across the cut is found whole.
_READ_CHARACTERS = 20 * MAX_LINE_CHARACTERS
FULL = f"… the sync log is limited to {MAX_BYTES // 1024} KiB; later lines are omitted"


class SyncLog:
    """Sync log of lines such as `+0.12 fetch: …`, kept in memory. Safe to share between threads.

    A text may quote a server or a file: secrets are masked before it is cut, and unprintable characters are escaped, so
    that each entry stays on one line.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._bytes = 0
        self._is_full = False

    def note(self, step: str, text: str, *, is_end: bool = False) -> None:
        """Add a line. `is_end`: it says how the sync ended, and may use the space reserved for that."""
        seconds = time.monotonic() - self._began
        line = f"+{seconds:.2f} {step}: {_on_one_line(redact(text[:_READ_CHARACTERS]))}"
        with self._lock:
            limit = MAX_BYTES if is_end else MAX_BYTES - MAX_END_BYTES
            if self._bytes + _size(line) <= limit:
                self._add(line)
            elif not self._is_full:
                self._is_full = True
                self._add(FULL)

    def text(self) -> str:
        """Return all lines."""
        with self._lock:
            return "\n".join(self._lines)

    def _add(self, line: str) -> None:
        self._lines.append(line)
        self._bytes += _size(line)


def _size(line: str) -> int:
    return len(line.encode()) + 1


def _on_one_line(text: str) -> str:
    return printable(cut(text, MAX_LINE_CHARACTERS + 1).strip(), _escaped)


def _escaped(character: str) -> str:
    """Return a blank for a line end or a tab, and a Python escape for other characters."""
    return " " if character in "\n\r\t" else python_escape(character)
