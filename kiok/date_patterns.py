"""Patterns of dates in placeholders: the letters of Java's `DateTimeFormatter` that mean the same in every locale.

https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/time/format/DateTimeFormatter.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kiok.text import shown

MAX_CHARACTERS = 200

# Each letter with the numbers of repetitions that are allowed.
LETTERS = {
    "y": (1, 2, 3, 4),  # year; two letters: its last two digits
    "u": (1, 2, 3, 4),  # the same
    "M": (1, 2, 3, 4),  # month: 1, 01, Jan, January
    "L": (1, 2, 3, 4),  # the same
    "d": (1, 2),  # day of the month
    "D": (1, 2, 3),  # day of the year
    "Q": (1, 2, 3),  # quarter: 1, 01, Q1
    "E": (1, 2, 3, 4),  # day of the week: Tue, Tue, Tue, Tuesday
    "a": (1,),  # AM or PM
    "H": (1, 2),  # hour, 0-23
    "k": (1, 2),  # hour, 1-24
    "h": (1, 2),  # hour, 1-12
    "K": (1, 2),  # hour, 0-11
    "m": (1, 2),  # minute
    "s": (1, 2),  # second
    "S": tuple(range(1, 10)),  # fraction of a second
    "V": (2,),  # time zone: Europe/Berlin
    "z": (1, 2, 3),  # its abbreviation: CET
    "Z": (1, 2, 3, 5),  # offset: +0100, +01:00
    "X": (1, 2, 3),  # offset: +01, +0100, +01:00; Z for UTC
    "x": (1, 2, 3),  # the same, +00 for UTC
}
_SAME_AS = {"Y": "y"}  # the week-based year, which is never meant

_RESERVED = frozenset("[]{}#")
_TOKEN = re.compile(r"'((?:[^']|'')*)'|(')|([A-Za-z])\3*|[^A-Za-z']+")


class PatternError(ValueError):
    """Invalid pattern of a date; the message says what was found and what is allowed."""


@dataclass(frozen=True, slots=True)
class PatternField:
    """A field of a date: `letter` as in `LETTERS`, and how often it is repeated."""

    letter: str
    count: int


def parse_pattern(pattern: str) -> tuple[PatternField | str, ...]:
    """Return the fields and the literal texts of a pattern, in order. Raises PatternError."""
    if not pattern:
        raise PatternError("the pattern is empty; write one such as yyyy-MM-dd")
    if len(pattern) > MAX_CHARACTERS:
        raise PatternError(f"the pattern has {len(pattern)} characters; at most {MAX_CHARACTERS} are allowed")
    parts: list[PatternField | str] = []
    for token in _TOKEN.finditer(pattern):
        quoted, quote, letter = token.groups()
        if quote:
            raise PatternError(
                "a single quote (') is not closed; write text as 'text', and a quote itself as ''"
            )
        if quoted is not None:
            parts.append(quoted.replace("''", "'") or "'")
        elif letter:
            parts.append(_field(_SAME_AS.get(letter, letter), letter, len(token[0])))
        else:
            if wrong := _RESERVED.intersection(token[0]):
                raise PatternError(f"{shown(min(wrong))} is reserved; write it in single quotes")
            parts.append(token[0])
    return tuple(parts)


def _field(letter: str, written: str, count: int) -> PatternField:
    allowed = LETTERS.get(letter)
    if allowed is None:
        raise PatternError(
            f"the letter {written!r} is not supported; allowed: {' '.join(LETTERS)}, and text in single quotes"
        )
    if count not in allowed:
        times = " or ".join(map(str, allowed)) if len(allowed) < 3 else f"{allowed[0]} to {allowed[-1]}"
        raise PatternError(f"the letter {written!r} is repeated {count} times; allowed: {times}")
    return PatternField(letter, count)
