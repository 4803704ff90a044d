"""Checks and escapes that make text safe to store and to show."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

MIN_INT64 = -(2**63)
MAX_INT64 = 2**63 - 1

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
# Characters that a terminal interprets or hides: C0 and C1 controls, line and paragraph separators, characters that
# change the direction of text (https://www.unicode.org/reports/tr9/) or have no width, tags, and surrogates.
_UNPRINTABLE = (
    r"\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f\ud800-\udfff"
)
_NOT_OF_A_LINE = re.compile(rf"[\x00-\x1f{_UNPRINTABLE}]")
# Control characters except tab and line feed, bidirectional controls, zero-width characters, Unicode line separators.
_HIDDEN_IN_CODE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
_NOT_OF_A_TEXT = re.compile(rf"[\x00-\x08\x0b-\x1f{_UNPRINTABLE}]")


def flaw(text: str) -> str | None:
    """Return why `text` cannot be stored in JSON and PostgreSQL, or None if it can.

    PostgreSQL text cannot contain a NUL, and UTF-8 cannot encode a lone surrogate.
    """
    found = _UNSTORABLE.search(text)
    if found is None:
        return None
    line = text.count("\n", 0, found.start()) + 1
    what = "a NUL character" if found[0] == "\x00" else f"the lone surrogate U+{ord(found[0]):04X}"
    return f"holds {what} (character {found.start() + 1}, line {line} of the text), which cannot be stored"


def storable(text: str, limit: int) -> str:
    """Return `text` in a form that can be stored: unstorable characters escaped, cut at `limit` characters."""
    return _UNSTORABLE.sub(lambda found: u_escape(found[0]), cut(text, limit))


def cut(text: str, limit: int) -> str:
    """Return the first `limit` characters of `text`; the last one is an ellipsis if others are left out."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def printable(text: str, replacement: str | Callable[[str], str] = " ") -> str:
    """Return `text` with each character replaced that `str.isprintable` refuses: also line breaks and tabs."""
    if text.isprintable():
        return text
    replace = replacement if callable(replacement) else lambda _: replacement
    return "".join(character if character.isprintable() else replace(character) for character in text)


def in_sentence(label: str) -> str:
    """Return the label of a state as it reads within a sentence: `In sync` becomes `in sync`."""
    return label[:1].lower() + label[1:]


def one_line(text: str) -> str:
    """Return `text` on one line: unprintable characters become blanks, and several blanks become one."""
    return " ".join(printable(text).split())


def reveal_hidden(text: str) -> str:
    """Return code that reads as it runs: hidden and bidirectional characters become escapes, `\\r\\n` a line feed.

    See https://trojansource.codes/.
    """
    return _HIDDEN_IN_CODE.sub(lambda found: u_escape(found[0]), text.replace("\r\n", "\n"))


def u_escape(character: str) -> str:
    """Return the escape of a character with at least four hexadecimal digits: `\\u202e`."""
    return f"\\u{ord(character):04x}"


def python_escape(character: str) -> str:
    """Return the escape of an unprintable character in a Python string: `\\x1b`, `\\u202e`."""
    return repr(character)[1:-1]


def shown(value: object, limit: int = 80) -> str:
    """Return an untrusted value for an error message: short and on one line. Never raises; does not read containers."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return storable(ascii_safe(str.__str__(value), limit), 4 * limit)
    if isinstance(value, int):
        return f"the number {_digits(value)}"
    if isinstance(value, float):
        return f"the number {float.__repr__(value)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"a mapping of {len(value)}"
    return f"a value of the Python type {storable(str(type.__getattribute__(type(value), '__name__')), 60)}"


def ascii_safe(text: str, limit: int) -> str:
    """Return `text` in quotes with control characters escaped; beyond `limit` characters the middle is cut out."""
    if len(text) > limit:
        text = f"{text[: limit - 20]}…{text[-19:]}"
    return repr(text)


def _digits(value: int) -> str:
    # str() of a long int takes quadratic time, and Python refuses more than 4300 digits.
    if int.bit_length(value) > 128:
        return f"of {int.bit_length(value)} bits"
    return int.__repr__(value)


def terminal_line(text: str) -> str:
    """Return `text` for one line of a terminal or log: escape all characters that are not shown literally."""
    return _NOT_OF_A_LINE.sub(_escaped, text)


def terminal_text(text: str, indent: str = "") -> str:
    """Return `text` as `terminal_line` does, but keep its line breaks and tabs.

    Every line except the first begins with `indent`, so that it cannot be taken for a line of the program itself.
    """
    safe = _NOT_OF_A_TEXT.sub(_escaped, text)
    return safe.replace("\n", f"\n{indent}") if indent else safe


def terminal_json(text: str) -> str:
    """Return printable JSON text with the same value: characters that `terminal_text` escapes become `\\uXXXX`."""
    return _NOT_OF_A_TEXT.sub(lambda found: json.dumps(found[0])[1:-1], text)


def joined_surrogates(text: str) -> str:
    """Return `text` with each surrogate pair replaced by its character; JSON escapes use pairs beyond U+FFFF.

    A lone surrogate stays unchanged; see `flaw`.
    """
    return _SURROGATE_PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)


def _escaped(found: re.Match[str]) -> str:
    return python_escape(found[0])
