"""Detection of encodings of Python files that Python itself does not read."""

from __future__ import annotations

import codecs
import re

_BOMS = (
    # UTF-32 first: its mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF32_BE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF16_LE, "UTF-16", "utf-16"),
    (codecs.BOM_UTF16_BE, "UTF-16", "utf-16"),
)
_WIDE = (
    ("UTF-32", "utf-32-le", 4, 0),
    ("UTF-32", "utf-32-be", 4, 3),
    ("UTF-16", "utf-16-le", 2, 0),
    ("UTF-16", "utf-16-be", 2, 1),
)
_SAMPLE_BYTES = 4_096
_ENOUGH = 0.5  # minimum share of ASCII characters; programs have more, even with comments in other scripts
_TEXT = frozenset(b"\t\n\f\r") | frozenset(range(0x20, 0x7F))
# https://peps.python.org/pep-0263/
_COOKIE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"[ \t\f]*(?:#.*)?\r?\n?")


def wide_encoding(content: bytes) -> tuple[str, str] | None:
    """Return the name and Python codec of UTF-16 or UTF-32 content, with or without a byte order mark; else None."""
    for bom, name, codec in _BOMS:
        if content.startswith(bom):
            return name, codec
    sample = content[:_SAMPLE_BYTES]
    if b"\0" not in sample:  # an ASCII character has at least one in both encodings
        return None
    for name, codec, width, place in _WIDE:
        units = len(sample) // width
        if units < 2:
            continue
        ascii_units = sum(
            sample[start + place] in _TEXT and sample[start : start + width].count(0) == width - 1
            for start in range(0, units * width, width)
        )
        if ascii_units >= _ENOUGH * units:
            return name, codec
    return None


def decoded(content: bytes) -> str:
    """Return the text of a Python file, with undecodable bytes replaced; never raises."""
    wide = wide_encoding(content)
    return content.decode(wide[1] if wide else "utf-8", "replace")


def encoding_flaw(content: bytes) -> tuple[str, int | None] | None:
    """Return why Python cannot decode these bytes as source, and the line; None if it can."""
    wide = wide_encoding(content)
    if wide is not None:
        return f"the file is in {wide[0]}, which Python does not read: save it as UTF-8", None
    if b"\0" in content:
        return (
            "the file contains a NUL byte, which is not allowed in Python source: it is damaged or not text; save as UTF-8",
            content.count(b"\n", 0, content.index(b"\0")) + 1,
        )
    has_bom = content.startswith(codecs.BOM_UTF8)
    cookie, line = _cookie(content.removeprefix(codecs.BOM_UTF8))
    normal = (cookie or "utf-8").lower().replace("_", "-")
    if has_bom and normal != "utf-8" and not normal.startswith("utf-8-"):
        return (
            f"the file begins with the byte order mark of UTF-8, but its encoding comment says {cookie!r}: "
            "remove one of them, and save it as UTF-8",
            line,
        )
    return _flaw_of_utf_8(content) if normal.startswith(("utf-8", "utf8")) else None


def _flaw_of_utf_8(content: bytes) -> tuple[str, int] | None:
    try:
        content.decode()
    except UnicodeDecodeError as exc:
        return (
            f"the file is not in UTF-8 (byte 0x{content[exc.start]:02x}): save it as UTF-8, or declare its encoding "
            "in the first line, such as # -*- coding: latin-1 -*-",
            content.count(b"\n", 0, exc.start) + 1,
        )
    return None


def _cookie(content: bytes) -> tuple[str | None, int | None]:
    """Return the encoding that a comment in the first two lines names, and its line."""
    for number, line in enumerate(content.split(b"\n", 2)[:2], 1):
        if match := _COOKIE.match(line):
            return match[1].decode("ascii", "replace"), number
        if not _BLANK.fullmatch(line):
            break
    return None, None
