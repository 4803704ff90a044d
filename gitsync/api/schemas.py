"""Values as they are sent: names in camelCase, input taken strictly, nothing that the database could choke on."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from kiok.correlation import MAX_CHARACTERS
from kiok.text import MAX_INT64

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,30})")
_NO_NUL = r"^[^\x00]*$"
# `$` would do, were it not taken by some readers of the pattern for the place before a last line break.
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"


class Sent(Schema):
    """What the service sends. Times are UTC; what is not known is null."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)


class Taken(Schema):
    """What clients send: each key known, each value of its own type, no key twice (`bodies`)."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


def integer(value: Any) -> Any:
    """`5`, and not ` 5`, `5.0`, `05`, `1_000`, all of which Python would take."""
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise ValueError("write an integer in decimal digits")
    return value


def _flag(value: Any) -> Any:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("write true or false")
    return value


# Texts without NUL, which PostgreSQL cannot hold.
Text = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=10_000)]
Search = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=200)]
Uid = Annotated[str, StringConstraints(pattern=_NO_NUL, min_length=1, max_length=1400)]
FilePath = Annotated[str, StringConstraints(pattern=_NO_NUL, min_length=1, max_length=1024)]
CorrelationId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=MAX_CHARACTERS),
]
RepositoryName = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=63)]
# In addresses.
Flag = Annotated[bool, BeforeValidator(_flag)]
Key = Annotated[int, Field(ge=1, le=MAX_INT64), BeforeValidator(integer)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1), BeforeValidator(integer)]
Time = datetime | None

ABSENT: Any = None
"""The default of a parameter that need not be sent; sent, it is never null."""
