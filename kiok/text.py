"""Text that can be stored and text that can be shown."""

from __future__ import annotations

import re

MIN_INT64 = -(2**63)
MAX_INT64 = 2**63 - 1

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def flaw(text: str) -> str | None:
    """Why `text` can be stored in neither JSON nor PostgreSQL, or None if it can.

    A NUL has no place in a PostgreSQL text, a lone surrogate none in UTF-8.
    """
    found = _UNSTORABLE.search(text)
    if found is None:
        return None
    line = text.count("\n", 0, found.start()) + 1
    what = "a NUL character" if found[0] == "\x00" else f"the lone surrogate U+{ord(found[0]):04X}"
    return f"holds {what} (character {found.start() + 1}, line {line} of the text), which cannot be stored"


def printable(text: str, limit: int) -> str:
    """`text` made fit to be stored and shown: unstorable characters escaped, cut at `limit` characters."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return _UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shown(value: object, limit: int = 80) -> str:
    """How an error message names an untrusted value: short, one line, never raising, never descending."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return printable(ascii_safe(str.__str__(value), limit), 4 * limit)
    if isinstance(value, int):
        return f"the number {_digits(value)}"
    if isinstance(value, float):
        return f"the number {float.__repr__(value)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"a mapping of {len(value)}"
    return f"a value of the Python type {printable(str(type.__getattribute__(type(value), '__name__')), 60)}"


def ascii_safe(text: str, limit: int) -> str:
    """`text` in quotes with control characters escaped, the middle cut out beyond `limit` characters."""
    if len(text) > limit:
        text = f"{text[: limit - 20]}…{text[-19:]}"
    return repr(text)


def _digits(value: int) -> str:
    # str() of a long int is quadratic and refused by Python beyond 4300 digits.
    if int.bit_length(value) > 128:
        return f"of {int.bit_length(value)} bits"
    return int.__repr__(value)
