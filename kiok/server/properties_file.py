"""A strict reader of Java-style properties files.

`key=value`, `key: value` or `key value`; `#` and `!` start a comment line; a line that ends in an
odd number of backslashes continues on the next one; `\\n \\t \\r \\f \\uXXXX` are escapes, and a backslash
before any other character stands for that character. The text is UTF-8. Unlike in
Java, a duplicate key is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kiok.server.errors import PropertyError

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.|$)", re.DOTALL)
_KEY_END = re.compile(r"(?<!\\)(?:\\\\)*([=:\s])")


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and value of the file; `line` is where it begins, counted from 1."""

    key: str
    value: str
    line: int


def read(path: Path) -> dict[str, Entry]:
    """Return the entries of a file by key. Raises PropertyError if it cannot be read or has a duplicate key."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as exc:
        raise PropertyError([f"{path}: cannot read the properties file: {exc.strerror}"]) from exc
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        byte = f"byte 0x{data[exc.start]:02X} at offset {exc.start}"
        raise PropertyError([f"{path}:{line}: it is not UTF-8 text: {byte}; save it as UTF-8"]) from exc
    entries: dict[str, Entry] = {}
    problems = []
    for entry in _parse(text):
        first = entries.setdefault(entry.key, entry)
        if first is not entry:
            problems.append(f"{path}:{entry.line}: {entry.key} is already set in line {first.line}; keep one")
    if problems:
        raise PropertyError(problems)
    return entries


def _parse(text: str) -> Iterator[Entry]:
    for number, line in _logical_lines(text):
        end = _KEY_END.search(line)
        if end is None:
            key, value = line, ""
        else:
            key, value = line[: end.start(1)], line[end.start(1) :].lstrip(" \t\f")
            if value[:1] in ("=", ":"):
                value = value[1:].lstrip(" \t\f")
        yield Entry(_unescape(key), _unescape(value), number)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number of the first line and the text of each logical line, without comments and blank lines."""
    start, joined = 0, ""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        stripped = line.lstrip(" \t\f")
        if not start:
            if not stripped or stripped[0] in "#!":
                continue
            start = number
        joined += stripped
        if (len(joined) - len(joined.rstrip("\\"))) % 2:
            joined = joined[:-1]
            continue
        yield start, joined
        start, joined = 0, ""
    if start:
        yield start, joined


def _unescape(text: str) -> str:
    def replacement(match: re.Match[str]) -> str:
        code = match.group(1)
        return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPES.get(code, code)

    return _ESCAPE.sub(replacement, text)
