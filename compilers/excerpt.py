"""Source lines around each problem, as they were when the file was compiled.

Made on the host from the text of the commit. The text is untrusted, and for Python files the line number too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kiok.errors import Diagnostic
from kiok.text import cut, printable, u_escape

AROUND = 2  # lines before and after the line of the problem
MAX_CHARACTERS = 160  # of one line
MAX_EXCERPTS = 20  # per file, for its first problems
MAX_LINE = 100_000  # lines further down are not shown, because finding them takes too long

LINE_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Consecutive lines of a source. `first` is the number of the first one, counted from 1."""

    first: int
    lines: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"first": self.first, "lines": list(self.lines)}

    @classmethod
    def from_json(cls, value: object) -> Excerpt | None:
        """Read back `to_json`'s form; None for any other value."""
        if not isinstance(value, Mapping):
            return None
        first, lines = value.get("first"), value.get("lines")
        if not isinstance(first, int) or not isinstance(lines, list):
            return None
        return cls(first, tuple(str(line) for line in lines))


def excerpts(
    text: str, diagnostics: Sequence[Diagnostic], line_break: re.Pattern[str] = LINE_BREAK
) -> list[Excerpt | None]:
    """Return the lines around each diagnostic's line; None if it has no line or `text` has no such line.

    `line_break` matches what ends a line in the format of the source.
    """
    wanted = [item.line for item in diagnostics[:MAX_EXCERPTS]]
    last = max((line for line in wanted if line is not None and line <= MAX_LINE), default=0)
    if last == 0:
        return [None] * len(diagnostics)
    lines = _first_lines(text, last + AROUND, line_break)
    found = [_around(lines, line) for line in wanted]
    return found + [None] * (len(diagnostics) - len(found))


def _around(lines: Sequence[str], line: int | None) -> Excerpt | None:
    if line is None or line > len(lines):
        return None
    first = max(1, line - AROUND)
    shown = lines[first - 1 : line + AROUND]
    if not shown[-1] and first + len(shown) - 1 > line:
        shown = shown[:-1]  # an empty last line is not shown
    return Excerpt(first, tuple(_clean(item) for item in shown))


def _first_lines(text: str, number: int, line_break: re.Pattern[str]) -> list[str]:
    """Return the first `number` lines, each cut one character after its shown part.

    A line break at the end of the text is followed by one more, empty line: problems can be there too.
    """
    lines, start = [], 1 if text.startswith("\ufeff") else 0
    for found in islice(line_break.finditer(text), number):
        lines.append(text[start : min(found.start(), start + MAX_CHARACTERS + 1)])
        start = found.end()
    if len(lines) < number:
        lines.append(text[start : start + MAX_CHARACTERS + 1])
    return lines


def _clean(line: str) -> str:
    """Return a line that can be displayed: invisible and bidirectional control characters are escaped."""
    return cut(printable(line.expandtabs(4), u_escape), MAX_CHARACTERS)
