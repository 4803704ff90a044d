"""What happened in a sync, in words for people, with the seconds since its beginning."""

from __future__ import annotations

import threading
import time

from kiok.connections.redaction import redact

MAX_BYTES = 64 * 1024
"""Of the whole text."""
MAX_LINE_CHARACTERS = 1000
MAX_END_BYTES = 8 * 1024
"""Of the bytes above, kept for how the sync ends: it is what most people look for."""
_READ_CHARACTERS = 20 * MAX_LINE_CHARACTERS
"""Of a text, before it is cut: a secret that passes the end of what is shown is found whole."""
FULL = f"… the log holds at most {MAX_BYTES // 1024} KiB; what followed is left out"


class SyncLog:
    """Lines `+0.12 fetch: …`. Kept in memory; used by several threads.

    What goes in may quote a server or a file: secrets are masked before anything is cut, and what does not print is
    shown as an escape, so that a line is a line.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._bytes = 0
        self._is_full = False

    def note(self, step: str, text: str, *, is_end: bool = False) -> None:
        """Add a line. `is_end`: it tells how the sync ended, and has its place however long the log is."""
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
        """All lines."""
        with self._lock:
            return "\n".join(self._lines)

    def _add(self, line: str) -> None:
        self._lines.append(line)
        self._bytes += _size(line)


def _size(line: str) -> int:
    return len(line.encode()) + 1


def _on_one_line(text: str) -> str:
    cut = text if len(text) <= MAX_LINE_CHARACTERS else f"{text[:MAX_LINE_CHARACTERS]}…"
    return "".join(character if character.isprintable() else _escaped(character) for character in cut.strip())


def _escaped(character: str) -> str:
    """Line ends become blanks; the rest is shown as Python writes it."""
    return " " if character in "\n\r\t" else character.encode("unicode_escape").decode("ascii")
