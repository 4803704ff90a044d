"""An error of the YAML parser with its surrounding text, and the message that replaces it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from kiok.text import cut, shown

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_MAX_LINE_CHARACTERS = (
    1_000  # characters of a line that are examined for a cause: longer lines are hostile or data
)
MAX_SHOWN = 60  # characters of the text that a message quotes


class Mark(NamedTuple):
    """A place in the text, both counted from 1."""

    line: int
    column: int


class Fault(NamedTuple):
    """An error as the parser reports it. `start` is where the broken construct begins, `at` where parsing stopped.

    `quote_opened` is the line where a multi-line quoted text opens that closes in the line of `at`; `bracket` is
    the place of the innermost bracket that is open there.
    """

    context: str
    problem: str
    start: Mark | None
    at: Mark | None
    lines: Sequence[str]
    quote_opened: int | None = None
    bracket: Mark | None = None

    def line(self, number: int) -> str:
        """Return the text of a line, "" if it does not exist."""
        return self.lines[number - 1] if 1 <= number <= len(self.lines) else ""

    def above(self, number: int) -> int:
        """Return the number of the nearest line above with content, 0 if there is none."""
        for candidate in range(number - 1, 0, -1):
            text = self.line(candidate).strip()
            if text and not text.startswith("#"):
                return candidate
        return 0

    @property
    def here(self) -> str:
        """The text of the line where parsing stopped."""
        return self.line(self.at.line) if self.at else ""

    @property
    def is_at_end(self) -> bool:
        """Return whether only white space follows the place where parsing stopped."""
        if self.at is None:
            return False
        return not any(
            line.strip() for line in (self.here[self.at.column - 1 :], *self.lines[self.at.line :])
        )

    @property
    def character(self) -> str:
        """The character where parsing stopped, "" at the end of a line."""
        return self.here[self.at.column - 1 : self.at.column] if self.at else ""


class Explained(NamedTuple):
    """A message for the author, and the place that it is about."""

    message: str
    at: Mark | None


def lines_of(text: str) -> list[str]:
    """Return the lines as the parser counts them, each truncated to limit the cost of examining it."""
    return [line[:_MAX_LINE_CHARACTERS] for line in _LINE_BREAK.split(text.removeprefix("\ufeff"))]


def indentation(line: str) -> int:
    """Return the number of leading white space characters of the line."""
    return len(line) - len(line.lstrip())


def in_blanks(number: int) -> str:
    """Return an indentation in words."""
    return "no spaces" if number == 0 else "1 space" if number == 1 else f"{number} spaces"


def quoted(text: str) -> str:
    """Return a part of the text as it appears in a message."""
    return shown(text.strip(), MAX_SHOWN)


def in_quotes(value: str) -> str:
    """Return a plain value in quotes, without its comment, as an author would write it."""
    value = value.partition(" #")[0].strip()
    short = cut(value, MAX_SHOWN)
    return f"'{short}'" if '"' in short or "\\" in short else f'"{short}"'
