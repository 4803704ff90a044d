"""A strict parser of JSON that an attacker may have written.

It is stricter than `json.loads`, which accepts duplicate keys (the last wins), NaN, 1e999 as infinity, and UTF-16, spends
quadratic time on long integers, and may exhaust the C stack on deep nesting.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from kiok.text import MAX_INT64, MIN_INT64, shown

MAX_DEPTH = 32

# Possessive quantifiers, so that text with many quotes cannot make it backtrack; the opening quote of an unterminated
# string matches alone.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{}]', re.DOTALL)
_MAX_INT_DIGITS = 20


class StrictJsonError(ValueError):
    """The bytes are not acceptable JSON; the message says what was found and where."""


def parse(payload: bytes) -> object:
    """Return the value of a UTF-8 JSON text of at most 32 levels. Raises only HostileJsonError."""
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
    except ValueError as exc:  # such as JSONDecodeError; its message contains only a position
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
                raise StrictJsonError(f"the key {shown(key)} is duplicated in one object")
            seen.add(key)
    return made


def _constant(name: str) -> float:
    raise StrictJsonError(f"{name} is not a JSON number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise StrictJsonError(f"the number {text[:40]} is beyond the range of a float")
    return number


def _integer(text: str) -> int:
    if len(text) <= _MAX_INT_DIGITS and MIN_INT64 <= int(text) <= MAX_INT64:
        return int(text)
    raise StrictJsonError(f"the integer {text[:40]} ({len(text)} characters) is beyond 64 bits")
