"""Lists: their order, their number of rows, and pages by keyset.

A page begins after the last row of the previous page, so inserts and deletes shift no row, whatever the order is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Annotated, Any, Generic, TypeVar

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from gitsync.api.patterns import CURSOR
from gitsync.api.problems import ApiRefusal
from gitsync.api.schemas import integer
from kiok.text import MAX_INT64

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
EARLIEST = datetime(
    1970, 1, 1, tzinfo=UTC
)  # stands for a time that is null, which PostgreSQL would order last

Limit = Annotated[
    int,
    Field(ge=1, le=MAX_LIMIT, description="The maximum number of items per page."),
    BeforeValidator(integer),
]
Cursor = Annotated[
    str,
    StringConstraints(pattern=CURSOR, min_length=1, max_length=8000),
    Field(description="Where the page begins; taken from `next` of the previous page."),
]

SORT = Field(
    description="The field that the list is ordered by. With a leading `-`, the order is descending."
)
Total = Annotated[
    int, Field(description="The number of rows on all pages: those that match and that the user may see.")
]

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a list is ordered by; `kind` is str, int or datetime. It is never null: see `or_earliest`."""

    name: str
    kind: type
    descending: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """The orders of a list: `default`, and the fields that the parameter `sort` accepts, whose annotation it is.

    `key` is a unique column, which orders the rows that are equal in a field.
    """

    default: tuple[Column, ...]
    key: Column
    fields: Mapping[str, Column]

    @property
    def allowed(self) -> list[str]:
        """Return the values of `sort`: each field, ascending and descending."""
        return [sign + name for name in self.fields for sign in ("", "-")]

    def columns(self, sort: str | None) -> tuple[Column, ...]:
        """Return the columns that rows are ordered by, which are unique together."""
        if not sort:
            return self.default
        descending = sort.startswith("-")
        column = self.fields[sort.removeprefix("-")]
        both = (column,) if column.name == self.key.name else (column, self.key)
        return tuple(replace(item, descending=descending) for item in both)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self,
        schema: CoreSchema,
        handler: GetJsonSchemaHandler,
    ) -> JsonSchemaValue:
        return {"type": "string", "enum": self.allowed}

    def _check(self, sort: str) -> str:
        if sort not in self.allowed:
            raise ValueError(f"Must be one of: {', '.join(self.allowed)}.")
        return sort


@dataclass(frozen=True, slots=True)
class Cut(Generic[Row]):
    """A page of a list: its rows, the address of the next page (None on the last), and the number of all rows."""

    rows: list[Row]
    next: str | None
    total: int


def or_earliest(name: str) -> Coalesce:
    """Return a time as a column of an order: rows without it come before all others."""
    return Coalesce(F(name), Value(EARLIEST))


def contains(text: str, *fields: str) -> Q:
    """Return the condition that one of the fields contains the text, regardless of case."""
    return reduce(or_, (Q(**{f"{field}__icontains": text}) for field in fields))


def cut(
    rows: QuerySet[Any, Row],
    order: Order,
    request: HttpRequest,
    limit: int,
    cursor: str | None,
    sort: str | None,
    *,
    default: Sequence[Column] = (),
) -> Cut[Row]:
    """Return a page of the rows, with two queries. `default` replaces the default of the order.

    Raise ApiRefusal (404) for a cursor that does not belong to this list in this order.
    """
    columns = order.columns(sort) if sort or not default else default
    total = rows.order_by().count()
    if cursor:
        rows = rows.filter(_after(columns, _read(cursor, columns, sort)))
    ordered = rows.order_by(*[("-" if column.descending else "") + column.name for column in columns])
    found = list(ordered[: limit + 1])
    if len(found) <= limit:
        return Cut(found, None, total)
    last = found[limit - 1]
    get: Callable[[str], Any] = (
        last.__getitem__ if isinstance(last, Mapping) else lambda name: getattr(last, name)
    )
    query = request.GET.copy()
    query["cursor"] = _written([get(column.name) for column in columns], sort)
    return Cut(found[:limit], f"{request.path}?{query.urlencode()}", total)


def _after(order: Sequence[Column], values: Sequence[Any]) -> Q:
    """Return a condition that selects the rows after the one with these values."""
    condition = Q()
    for column, value in reversed(list(zip(order, values, strict=True))):
        later = Q(**{f"{column.name}__{'lt' if column.descending else 'gt'}": value})
        condition = later | (Q(**{column.name: value}) & condition) if condition else later
    first = order[0]
    # Redundant, but it lets PostgreSQL start an index scan there.
    return Q(**{f"{first.name}__{'lte' if first.descending else 'gte'}": values[0]}) & condition


def _written(values: Sequence[Any], sort: str | None) -> str:
    """Return a cursor: the values of a row's columns, after the order if it is not the default."""
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    text = json.dumps([sort, *plain] if sort else plain, ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str, columns: Sequence[Column], sort: str | None) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return _values(values, columns, sort)
    except (ValueError, TypeError, RecursionError) as exc:
        raise ApiRefusal(404, "Invalid cursor. Start again at the first page.", code="cursor") from exc


def _values(found: Any, columns: Sequence[Column], sort: str | None) -> list[Any]:
    """Return the values of a cursor. Raise ValueError or TypeError unless they are of these columns and this order."""
    first, *values = found if sort else (sort, *found)
    if first != sort:
        raise ValueError("of another order")
    return [_value(column.kind, value) for column, value in zip(columns, values, strict=True)]


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
