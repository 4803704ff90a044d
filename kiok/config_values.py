"""Encoding of config values in wire form, where all values are strings.

A scalar becomes its JSON text without quotes, a list or mapping compact JSON with sorted keys, so that
the same DAG gives the same bytes in every format and in every compilation.
"""

from __future__ import annotations

import json
import math
from typing import Any

from kiok.text import MAX_INT64, MIN_INT64, flaw, shown

MAX_DEPTH = 50
MAX_NODES = 200_000


class ConfigValueError(ValueError):
    """The value is not allowed in a config; the message says what was found and what is allowed."""


def encode(value: object) -> str:
    """Return the wire form of a config value.

    Accepts str, int, float, bool, None, and lists, tuples and dicts of them, with at most 50 levels and
    200 000 values (a structure that contains itself is too deep). Raises ConfigValueError.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple | dict):
        plain = _plain(value)
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return _scalar(value)


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not MIN_INT64 <= value <= MAX_INT64:
            raise ConfigValueError(f"{shown(value)} is beyond 64 bits; write it as a string")
        return int.__repr__(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigValueError(f"{shown(value)} is not finite, which JSON cannot represent")
        return float.__repr__(value)
    raise ConfigValueError(
        f"{shown(value)} cannot be a config value; allowed: string, number, boolean, null, list, mapping"
    )


def _text(value: str) -> str:
    reason = flaw(value)
    if reason is not None:
        raise ConfigValueError(f"{shown(value)} {reason}")
    return str.__str__(value)


def _plain(root: object) -> object:
    """Return a checked copy that has only built-in types, made without recursion."""
    top: list[Any] = [None]
    pending: list[tuple[object, Any, Any, int]] = [(root, top, 0, 0)]
    nodes = 0
    while pending:
        value, parent, place, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise ConfigValueError(f"it is nested deeper than {MAX_DEPTH} levels")
        copy: Any
        if isinstance(value, list | tuple):
            nodes += len(value)
            _check_nodes(nodes)
            copy = [None] * len(value)
            pending.extend((item, copy, index, depth + 1) for index, item in enumerate(value))
        elif isinstance(value, dict):
            nodes += len(value)
            _check_nodes(nodes)
            copy = {}
            for key, item in value.items():
                name = _text(key) if isinstance(key, str) else _scalar(key)
                if name in copy:
                    raise ConfigValueError(f"it has the key {shown(name)} twice")
                copy[name] = None
                pending.append((item, copy, name, depth + 1))
        elif isinstance(value, str):
            copy = _text(value)
        else:
            _scalar(value)
            copy = _exact(value)
        parent[place] = copy
    return top[0]


def _exact(value: object) -> object:
    # Subclasses (an IntEnum, a numpy float) may have another text form.
    if isinstance(value, bool) or value is None:
        return value
    return int(value) if isinstance(value, int) else float(value)  # type: ignore[arg-type]


def _check_nodes(nodes: int) -> None:
    if nodes > MAX_NODES:
        raise ConfigValueError(f"it has more than {MAX_NODES} values")
