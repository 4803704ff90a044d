"""Parsing JSON that an attacker wrote.

Stricter than `json.loads`, which takes the last of duplicate keys, NaN, 1e999 as infinity and UTF-16, spends
quadratic time on long integers, and may exhaust the C stack on deep nesting.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from kiok.text import MAX_INT64, MIN_INT64, shown

MAX_DEPTH = 32

# Possessive, so that text of many quotes cannot make it backtrack; a quote that opens a string which
# never ends matches alone.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{}]', re.DOTALL)
_MAX_INT_DIGITS = 20


class StrictJsonError(ValueError):
    """The bytes are not acceptable JSON; the message says what was found and where."""


def parse(payload: bytes) -> object:
    """The value of a UTF-8 JSON text of at most 32 levels. Raises HostileJsonError, and nothing else."""
    if payload.startswith(b"\xef\xbb\xbf"):
        raise StrictJsonError("it begins with a byte order mark")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise StrictJsonError(f"byte {exc.start + 1} is not UTF-8 ({exc.reason})") from exc
    _check_depth(text)
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except StrictJsonError:
        raise
    except ValueError as exc:  # JSONDecodeError and its like; its message holds no more than a position
        raise StrictJsonError(str(exc)) from exc


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        first = token[0]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise StrictJsonError(
                    f"more than {MAX_DEPTH} levels of nesting at character {token.start() + 1}"
                )
        elif first in "]}":
            depth -= 1
        elif first == '"':
            raise StrictJsonError(f"the string at character {token.start() + 1} has no end")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _value in pairs:
            if key in seen:
                raise StrictJsonError(f"the key {shown(key)} stands twice in one object")
            seen.add(key)
    return made


def _constant(name: str) -> float:
    raise StrictJsonError(f"{name} is not a JSON number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise StrictJsonError(f"the number {text[:40]} is beyond what a float holds")
    return number


def _integer(text: str) -> int:
    if len(text) <= _MAX_INT_DIGITS and MIN_INT64 <= int(text) <= MAX_INT64:
        return int(text)
    raise StrictJsonError(f"the integer {text[:40]} ({len(text)} characters) is beyond 64 bits")
