"""Masking of log events: no secrets, and no text that could be taken for a line, a field or a terminal command."""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping
from typing import Any

from kiok.connections.redaction import redact
from kiok.text import terminal_line

# Limit of one text. Output of files and answers of servers are cut much earlier; this covers unexpected texts.
MAX_CHARACTERS = 32_768
MAX_DEPTH = 5
MAX_ITEMS = 100

_OF_MANY_LINES = ("exception", "stack")
_OURS = frozenset({"timestamp", "level"})


def masked(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact, escape and cap every text of the event, at any depth (structlog processor).

    Tracebacks become lists of such lines. Values other than text, numbers, mappings and sequences become text.
    """
    safe: dict[str, Any] = {}
    for name, value in event.items():
        if name in _OURS:
            safe[name] = value
        elif name in _OF_MANY_LINES:
            safe[name] = lines(str(value))
        else:
            safe[line(name)] = _value(value, MAX_DEPTH)
    return safe


def line(text: str) -> str:
    """Return the text on one line, without secrets. It is cut last, since a secret that is cut may not be recognised."""
    return terminal_line(_cut(redact(text)))


def lines(text: str) -> list[str]:
    """Return the lines of a text, each as `line` does."""
    return [terminal_line(part) for part in _cut(redact(text)).splitlines() if part.strip()]


def _value(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping) and depth:
        return {line(_text(key)): _value(one, depth - 1) for key, one in list(value.items())[:MAX_ITEMS]}
    if isinstance(value, (list, tuple, set, frozenset)) and depth:
        return [_value(one, depth - 1) for one in list(value)[:MAX_ITEMS]]
    return line(_text(value))


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - the event is logged even if an object's __str__ fails
        return f"<{type(value).__name__}>"


def _cut(text: str) -> str:
    left_out = len(text) - MAX_CHARACTERS
    return f"{text[:MAX_CHARACTERS]}... ({left_out} characters left out)" if left_out > 0 else text
