"""Base schemas and value types: camelCase names, strict input, and only values that the database can store."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from ninja import Query, Schema
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from gitsync.api.patterns import CORRELATION_ID, NO_NUL, REPOSITORY_NAME
from kiok.correlation import MAX_CHARACTERS
from kiok.labels import MAX_OWNER, MAX_TAG
from kiok.text import MAX_INT64

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,30})")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.IGNORECASE,
)
_NO_INSTANT = "Must be a time with its zone, such as 2026-01-31T08:00:00Z. Encode + as %2B."


class Sent(Schema):
    """Base of the responses. Times are UTC; unknown values are null."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)


class Taken(Schema):
    """Base of the request bodies: unknown keys and values of another type are refused, as are duplicate keys (`bodies`)."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


def integer(value: Any) -> Any:
    """Accept `5`, but not ` 5`, `5.0`, `05` or `1_000`, which Python would all accept."""
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise ValueError("Must be an integer in decimal digits.")
    return value


def _flag(value: Any) -> Any:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("Must be true or false.")
    return value


def _instant(value: Any) -> Any:
    """Accept a time of RFC 3339, but not a date, a number or a time without zone, which pydantic would accept."""
    if not isinstance(value, str):
        return value
    if not _INSTANT.fullmatch(value):
        raise ValueError(_NO_INSTANT)
    try:
        # Python has no year 0, and no row is as old as year 1.
        when = datetime.fromisoformat(("0001" + value[4:] if value.startswith("0000") else value).upper())
    except ValueError as exc:
        raise ValueError(_NO_INSTANT) from exc
    try:
        return when.astimezone(UTC)  # PostgreSQL refuses some of the zones that RFC 3339 allows
    except OverflowError:
        return (datetime.min if when.year == 1 else datetime.max).replace(tzinfo=UTC)


def absent(name: str) -> Any:
    """Return the default of an optional query parameter with this name, which differs from that in Python."""
    return Query(None, alias=name)  # type: ignore[type-arg]  # a type to mypy, a function to Python


# Texts without NUL, which PostgreSQL cannot store.
Text = Annotated[str, StringConstraints(pattern=NO_NUL, max_length=10_000)]
Search = Annotated[str, StringConstraints(pattern=NO_NUL, max_length=200)]
Owner = Annotated[str, StringConstraints(pattern=NO_NUL, max_length=MAX_OWNER)]
Tag = Annotated[str, StringConstraints(pattern=NO_NUL, min_length=1, max_length=MAX_TAG)]
Uid = Annotated[str, StringConstraints(pattern=NO_NUL, min_length=1, max_length=1400)]
FilePath = Annotated[
    str,
    StringConstraints(pattern=NO_NUL, min_length=1, max_length=1024),
    Field(description="The file's path, from the repository's root."),
]
CorrelationId = Annotated[
    str,
    StringConstraints(pattern=CORRELATION_ID, max_length=MAX_CHARACTERS),
    Field(description="Only syncs with this correlation id, which their log lines have too."),
]
RepositoryName = Annotated[
    str,
    StringConstraints(pattern=REPOSITORY_NAME, max_length=63),
    Field(description="The repository's name."),
]
RepositoryFilter = Annotated[RepositoryName, Field(description="Only rows of the repository with this name.")]
# Values in URLs.
Flag = Annotated[bool, BeforeValidator(_flag)]
Key = Annotated[int, Field(ge=1, le=MAX_INT64), BeforeValidator(integer)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1), BeforeValidator(integer)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Time = datetime | None

ABSENT: Any = None  # the default of an optional parameter; a parameter that is sent is never null
