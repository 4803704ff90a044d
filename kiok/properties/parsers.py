"""Parsers that turn the text of a property into its value.

A parser is a callable with a text `allowed` that describes valid values. It raises ValueError with what is wrong, never
with the value itself: the caller that reports the error knows whether the value may be shown.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from kiok.image_reference import image_flaw
from kiok.text import flaw

T = TypeVar("T")
_HOST = re.compile(
    r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Parser(Generic[T]):
    """A parser: `parse` turns text into a value; `show` turns a value back into such a text."""

    allowed: str
    parse: Callable[[str], T]
    show: Callable[[T], str] = str


_UNDECODED = re.compile("[\udc80-\udcff]")


def flaw_of(text: str) -> str | None:
    """Return why a configured text cannot be used: it has a NUL, or is not UTF-8; None if it can.

    Python reads a byte of the environment that is not UTF-8 as a lone surrogate (PEP 383).
    """
    if found := _UNDECODED.search(text):
        byte, escape = f"0x{ord(found[0]) - 0xDC00:02X}", f"\\u{ord(found[0]):04x}"
        return (
            f"holds the byte {byte} (or {escape}) after {found.start()} characters, which is not valid UTF-8"
        )
    return flaw(text)


def _boolean(text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.strip().lower()]
    except KeyError:
        raise ValueError("not a boolean") from None


BOOLEAN = Parser("true or false", _boolean, lambda value: str(value).lower())


def integer(minimum: int, maximum: int = 2**53, unit: str = "") -> Parser[int]:
    """Return a parser of whole numbers from `minimum` to `maximum`; `unit` is only for the message."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()):
            raise ValueError("not a whole number; write it without unit, fraction or separators")
        value = int(text)
        if value < minimum:
            raise ValueError("too small")
        if value > maximum:
            raise ValueError("too large")
        return value

    upper = "" if maximum == 2**53 else f" to {maximum}"
    return Parser(f"a whole number{' of ' + unit if unit else ''} from {minimum}{upper}", parse)


def number(minimum: float, maximum: float) -> Parser[float]:
    """Return a parser of decimal numbers from `minimum` to `maximum`, with or without a fraction."""

    def parse(text: str) -> float:
        if not re.fullmatch(r"[+-]?[0-9]{1,9}(\.[0-9]{1,9})?", text.strip()):
            raise ValueError("not a number; write it without unit or separators, such as 1 or 0.5")
        value = float(text)
        if value < minimum:
            raise ValueError("too small")
        if value > maximum:
            raise ValueError("too large")
        return value

    return Parser(f"a number from {minimum:g} to {maximum:g}", parse, lambda value: f"{value:g}")


def _line(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("it contains control characters")
    return text.strip()


def text(what: str, *, empty: bool = False) -> Parser[str]:
    """Return a parser of one line of text, stripped of blanks at its ends. `what` describes the value."""

    def parse(value: str) -> str:
        value = _line(value)
        if not value and not empty:
            raise ValueError("empty")
        return value

    return Parser(what + (" (or empty)" if empty else ""), parse)


def image(value: str) -> str:
    """Check a reference to a container image: `[registry/]name[:tag][@sha256:digest]`. Raises ValueError."""
    if reason := image_flaw(value):
        raise ValueError(reason)
    return value


IMAGE_REFERENCE = Parser(
    "an image reference, such as team-python:1 or registry.example.com/kiok/python:1",
    lambda value: image(_line(value)),
)


def choice(*values: str) -> Parser[str]:
    """Return a parser of the given words, in any case."""

    def parse(value: str) -> str:
        for known in values:
            if value.strip().lower() == known.lower():
                return known
        raise ValueError("unknown value")

    return Parser("one of " + ", ".join(values), parse)


def _directory(value: str) -> Path:
    value = _line(value)
    if not value:
        raise ValueError("empty")
    return Path(value).expanduser().absolute()


def _file(value: str) -> Path | None:
    value = _line(value)
    if not value:
        return None
    path = Path(value).expanduser().absolute()
    if not path.is_file():
        raise ValueError("the file does not exist")
    with path.open("rb"):
        return path


def readable_file(value: str) -> Path | None:
    """Return the path of an existing, readable file, or None for an empty text."""
    try:
        return _file(value)
    except OSError as exc:
        raise ValueError(f"it cannot be read: {exc.strerror}") from exc


DIRECTORY: Parser[Path] = Parser("a folder (created if it does not exist)", _directory)
FILE: Parser[Path | None] = Parser(
    "a readable file (or empty)", readable_file, lambda value: str(value) if value else ""
)


def _absolute_path(value: str) -> str:
    value = _line(value)
    if value and not value.startswith("/"):
        raise ValueError("not an absolute path")
    return value


# It may be a path on another machine, so it is not checked on this one.
ABSOLUTE_PATH = Parser("an absolute path (or empty)", _absolute_path)


def words(what: str, check: Callable[[str], str]) -> Parser[tuple[str, ...]]:
    """Return a parser of a comma-separated list; `check` checks each item and may raise ValueError."""

    def parse(value: str) -> tuple[str, ...]:
        items = (item.strip() for item in value.split(","))
        return tuple(dict.fromkeys(check(item) for item in items if item))

    return Parser(what, parse, ", ".join)


def host(item: str) -> str:
    """Return a host name, IPv4 or IPv6 address in lower case. Raises ValueError."""
    if _HOST.fullmatch(item) and len(item) <= 253:
        return item.lower()
    try:
        return str(ipaddress.ip_address(item.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise ValueError(f"{item!r} is not a host name or address") from None


def host_or_network(item: str) -> str:
    """Return a host, as `host` does, or a network such as `10.0.0.0/8`. Raises ValueError."""
    if "/" not in item:
        return host(item)
    try:
        return str(ipaddress.ip_network(item))
    except ValueError as exc:
        raise ValueError(str(exc)) from exc


def allowed_host(item: str) -> str:
    """Return a host, a domain with a leading dot, or `*`. Raises ValueError."""
    if item == "*":
        return item
    if item.startswith("."):
        return "." + host(item[1:])
    name = host(item)
    return f"[{name}]" if ":" in name else name


def origin(item: str) -> str:
    """Check an origin, `https://host[:port]`, as in a browser's Origin header. Raises ValueError."""
    if not re.fullmatch(r"https?://[A-Za-z0-9*._\-\[\]:]+", item):
        raise ValueError(f"{item!r} is not an origin such as https://kiok.example.com")
    return item


def public_url(value: str) -> str:
    """Return `https://host[:port][/path]` without a final slash, or "". Raises ValueError."""
    value = _line(value).rstrip("/")
    if value and not re.fullmatch(r"https?://[A-Za-z0-9._\-\[\]:]+(/[A-Za-z0-9._~\-/]*)?", value):
        raise ValueError("not an address such as https://kiok.example.com")
    return value


def one_of(*values: str) -> Callable[[str], str]:
    """Return a check for `words` that accepts only the given values."""

    def check(item: str) -> str:
        if item.lower() not in values:
            raise ValueError(f"{item!r} is unknown")
        return item.lower()

    return check
