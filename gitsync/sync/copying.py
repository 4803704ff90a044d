"""Many new rows at once, by PostgreSQL's COPY: several times faster than INSERT, also for the server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import AutoField, Field, GeneratedField, JSONField, Model

_PLAIN = frozenset({str, int, float, bool, datetime, type(None)})


class Json(str):
    """A value of a JSON column, as text that is written as it is."""

    __slots__ = ()


def copy(rows: Sequence[Model]) -> None:
    """Insert unsaved rows of one model; keys that the database gives stay unknown. Raises IntegrityError."""
    if not rows:
        return
    model = type(rows[0])
    fields = [
        field for field in model._meta.concrete_fields if not isinstance(field, AutoField | GeneratedField)
    ]
    quoted = connection.ops.quote_name
    columns = ", ".join(quoted(field.column or field.name) for field in fields)
    command = f"COPY {quoted(model._meta.db_table)} ({columns}) FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors:
        target: Any = cursor.cursor  # psycopg's own: Django's knows no COPY
        with target.copy(command) as copying:
            for row in rows:
                copying.write_row([_value(row, field) for field in fields])


def _value(row: Model, field: Field[Any, Any]) -> Any:
    """What psycopg is given. Most values it takes as they are, which saves half of the time."""
    value = getattr(row, field.attname)
    if type(value) is Json:
        return str(value)
    if type(value) in _PLAIN and not isinstance(field, JSONField):
        return value
    return field.get_db_prep_save(value, connection)
