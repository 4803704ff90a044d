"""Durations in the form `<number><unit>`, such as `90s` or `1.5h`."""

from __future__ import annotations

import re

from kiok.text import MAX_INT64, shown

UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_DURATION = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?(ms|s|m|h|d)")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_ALLOWED = "write <number><unit> with unit ms, s, m, h or d, such as 90s or 30m"


class DurationError(ValueError):
    """Invalid duration; the message says what was found and what is allowed."""


def parse_duration(value: object, *, allow_zero: bool = False) -> int:
    """Return the duration in milliseconds, greater than 0 unless `allow_zero`. Raises DurationError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise DurationError(f"{shown(value)} has no unit: {_ALLOWED}")
    if not isinstance(value, str):
        raise DurationError(f"must be a duration, found {shown(value)}: {_ALLOWED}")
    found = _DURATION.fullmatch(value)
    if found is None:
        if _NUMBER.fullmatch(value):
            raise DurationError(f"{shown(value)} has no unit: {_ALLOWED}")
        raise DurationError(f"{shown(value)} is not a duration: {_ALLOWED}")
    whole, fraction, unit = found[1], found[2] or "", found[3]
    # Integer arithmetic, so that 0.1s is 100 ms and not 100.00000000000001.
    scaled = int(whole + fraction) * UNIT_MS[unit]
    milliseconds, rest = divmod(scaled, int("1" + "0" * len(fraction)))
    if rest:
        raise DurationError(f"{shown(value)} is not a whole number of milliseconds: {_ALLOWED}")
    if milliseconds == 0 and not allow_zero:
        raise DurationError(f"{shown(value)} must be greater than 0: {_ALLOWED}")
    if milliseconds > MAX_INT64:
        raise DurationError(f"{shown(value)} is beyond 64 bits of milliseconds: {_ALLOWED}")
    return milliseconds
