"""Base schemas and value types: camelCase names, strict input, and only values that the database can store."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from kiok.correlation import MAX_CHARACTERS
from kiok.labels import MAX_OWNER, MAX_TAG
from kiok.text import MAX_INT64

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,30})")
_NO_NUL = r"^[^\x00]*$"
# In pydantic's regex engine, `$` matches only the end of the text; in Python's, also before a final line break.
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"


class Sent(Schema):
    """Base of the responses. Times are UTC; unknown values are null."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)


class Taken(Schema):
    """Base of the request bodies: unknown keys and values of another type are refused, as are duplicate keys (`bodies`)."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


def integer(value: Any) -> Any:
    """Accept `5`, but not ` 5`, `5.0`, `05` or `1_000`, which Python would all accept."""
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise ValueError("write an integer in decimal digits")
    return value


def _flag(value: Any) -> Any:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("write true or false")
    return value


# Texts without NUL, which PostgreSQL cannot store.
Text = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=10_000)]
Search = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=200)]
Owner = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=MAX_OWNER)]
Tag = Annotated[str, StringConstraints(pattern=_NO_NUL, min_length=1, max_length=MAX_TAG)]
Uid = Annotated[str, StringConstraints(pattern=_NO_NUL, min_length=1, max_length=1400)]
FilePath = Annotated[
    str,
    StringConstraints(pattern=_NO_NUL, min_length=1, max_length=1024),
    Field(description="The file's path, from the repository's root."),
]
CorrelationId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=MAX_CHARACTERS),
    Field(description="Only syncs with this correlation id, which their log lines have too."),
]
RepositoryName = Annotated[
    str,
    StringConstraints(pattern=NAME_PATTERN, max_length=63),
    Field(description="The repository's name."),
]
RepositoryFilter = Annotated[RepositoryName, Field(description="Only rows of the repository with this name.")]
# Values in URLs.
Flag = Annotated[bool, BeforeValidator(_flag)]
Key = Annotated[int, Field(ge=1, le=MAX_INT64), BeforeValidator(integer)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1), BeforeValidator(integer)]
Time = datetime | None

ABSENT: Any = None  # the default of an optional parameter; a parameter that is sent is never null
