"""The YAML 1.2 core schema: types of unquoted scalars.

Unlike YAML 1.1, `on`, `yes`, dates and `12:30:45` are text. https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from kiok.text import MAX_INT64, MIN_INT64

_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("null", "Null", "NULL", "~", "")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBERS_BEGIN_WITH = frozenset("-+.0123456789")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o([0-7]+)")
_HEX = re.compile(r"0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NAN = re.compile(r"\.(?:nan|NaN|NAN)")
_MAX_DIGITS = 70  # 64 bits in octal, with room for leading zeros; for more, int() may be slow or fail

TAG_PREFIX = "tag:yaml.org,2002:"
COLLECTION_TAGS = {"map": "mapping", "seq": "list"}
SCALAR_TAGS = ("null", "bool", "int", "float", "str")


class ScalarError(ValueError):
    """The scalar has no value in the core schema, or one that a DAG cannot contain."""


def resolve(text: str, *, plain: bool, tag: str | None) -> object:
    """Return the value of a scalar: str, int, float, bool or None.

    `plain`: written without quotes; `tag`: its explicit tag, if any. Raises ScalarError.
    """
    if tag is None:
        return _plain(text) if plain else text
    kind = tag.removeprefix(TAG_PREFIX)
    if tag == "!" or (tag.startswith(TAG_PREFIX) and kind == "str"):
        return text
    if not tag.startswith(TAG_PREFIX) or kind not in SCALAR_TAGS:
        raise ScalarError(f"the tag {tag_name(tag)!r} is not allowed on a scalar; {ALLOWED_TAGS}")
    value = _plain(text)
    found = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str"}[type(value)]
    if kind == "float" and found == "int":
        return float(text) if _FLOAT.fullmatch(text) else float(_number(value))
    if kind != found:
        raise ScalarError(f"{text[:40]!r} does not match its tag '!!{kind}'")
    return value


ALLOWED_TAGS = "allowed tags: !!str, !!int, !!float, !!bool, !!null, !!seq, !!map"


def tag_name(tag: str) -> str:
    """Return a tag as an author writes it, of limited length."""
    short = "!!" + tag.removeprefix(TAG_PREFIX) if tag.startswith(TAG_PREFIX) else tag
    return short[:80]


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _plain(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBERS_BEGIN_WITH:
        return text  # most text
    if _INT.fullmatch(text):
        return _integer(text, 10, text)
    if octal := _OCTAL.fullmatch(text):
        return _integer(octal[1], 8, text)
    if hexadecimal := _HEX.fullmatch(text):
        return _integer(hexadecimal[1], 16, text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise ScalarError(f"the number {text[:40]} is beyond the range of a float; write it in quotes")
        return number
    if _INFINITY.fullmatch(text) or _NAN.fullmatch(text):
        raise ScalarError(
            f"{text} is not a number that JSON can represent; write it in quotes if text is meant"
        )
    return text


def _integer(digits: str, base: int, text: str) -> int:
    if len(digits) <= _MAX_DIGITS and MIN_INT64 <= (number := int(digits, base)) <= MAX_INT64:
        return number
    raise ScalarError(f"the number {text[:40]} is beyond 64 bits; write it in quotes if text is meant")
