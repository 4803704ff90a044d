"""A property: a row of the table, and the parsers of its quantities."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from kiok.properties.parsers import Parser, integer

T = TypeVar("T")

MIB = 1024 * 1024
MAX_MILLISECONDS = 7 * 24 * 3600 * 1000  # a week


@dataclass(frozen=True, slots=True)
class Property:
    """A row of the table. `attribute` is its name in `Properties`, `variable` its name in the environment."""

    name: str
    parser: Parser[Any]
    default: Any
    description: str

    @property
    def attribute(self) -> str:
        return attribute_of(self.name)

    @property
    def variable(self) -> str:
        return self.name.upper().replace(".", "_")


@dataclass(frozen=True, slots=True)
class Setting:
    """The current value of a property as text, and the `source` it was read from."""

    name: str
    value: str
    source: str
    description: str


def attribute_of(name: str) -> str:
    """Return the name in `Properties` of the property with this full name."""
    return name.removeprefix("kiok.").replace(".", "_")


def row(name: str, parser: Parser[T], default: T, description: str) -> T:
    """Return a dataclass field that carries its row of the table; typed as its value, for type checkers."""
    return field(default=default, metadata={"property": Property(name, parser, default, description)})


def milliseconds(minimum: int, maximum: int = MAX_MILLISECONDS) -> Parser[int]:
    """Return the parser of a duration."""
    return integer(minimum, maximum, "milliseconds")


def byte_count(minimum: int) -> Parser[int]:
    """Return the parser of a size."""
    return integer(minimum, 2**40, "bytes")


def days() -> Parser[int]:
    """Return the parser of an age."""
    return integer(0, 36_500, "days")
