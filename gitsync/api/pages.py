"""Pagination by keyset: a page begins after the last row of the previous page, so inserts and deletes shift no row."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from pydantic import BeforeValidator, Field, StringConstraints

from gitsync.api.problems import ApiRefusal
from gitsync.api.schemas import integer
from kiok.text import MAX_INT64

DEFAULT_LIMIT = 50
MAX_LIMIT = 500

Limit = Annotated[
    int,
    Field(ge=1, le=MAX_LIMIT, description="The maximum number of items per page."),
    BeforeValidator(integer),
]
Cursor = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", min_length=1, max_length=8000),
    Field(description="Where the page begins; taken from `next` of the previous page."),
]

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a list is ordered by; `kind` is str, int or datetime. The columns of a list are unique together."""

    name: str
    kind: type
    descending: bool = False


def cut(
    rows: QuerySet[Any, Row], order: Sequence[Column], request: HttpRequest, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    """Return a page of the ordered rows, and the address of the next page (None on the last), with one query.

    Raise Refused (404) for a cursor that does not belong to this list.
    """
    if cursor:
        rows = rows.filter(_after(order, _read(cursor, order)))
    ordered = rows.order_by(*[("-" if column.descending else "") + column.name for column in order])
    found = list(ordered[: limit + 1])
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    get: Callable[[str], Any] = (
        last.__getitem__ if isinstance(last, Mapping) else lambda name: getattr(last, name)
    )
    query = request.GET.copy()
    query["cursor"] = _written([get(column.name) for column in order])
    return found[:limit], f"{request.path}?{query.urlencode()}"


def _after(order: Sequence[Column], values: Sequence[Any]) -> Q:
    """Return a condition that selects the rows after the one with these values."""
    condition = Q()
    for column, value in reversed(list(zip(order, values, strict=True))):
        later = Q(**{f"{column.name}__{'lt' if column.descending else 'gt'}": value})
        condition = later | (Q(**{column.name: value}) & condition) if condition else later
    first = order[0]
    # Redundant, but it lets PostgreSQL start an index scan there.
    return Q(**{f"{first.name}__{'lte' if first.descending else 'gte'}": values[0]}) & condition


def _written(values: Sequence[Any]) -> str:
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain, ensure_ascii=False).encode()).decode().rstrip("=")


def _read(cursor: str, order: Sequence[Column]) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return [_value(column.kind, value) for column, value in zip(order, values, strict=True)]
    except (ValueError, TypeError, RecursionError) as exc:
        raise ApiRefusal(404, "Invalid cursor. Start again at the first page.", code="cursor") from exc


def _value(kind: type, value: Any) -> Any:
    if kind is datetime and isinstance(value, str):
        when = datetime.fromisoformat(value)
        if when.tzinfo is None:
            raise ValueError("no zone")
        return when
    if kind is str and isinstance(value, str) and "\0" not in value:
        value.encode()  # raises for a lone surrogate
        return value
    if kind is int and type(value) is int and -MAX_INT64 <= value <= MAX_INT64:
        return value
    raise ValueError("of another type")
