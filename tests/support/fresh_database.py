"""An empty database next to the test's own, which this process uses for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

Columns = dict[str, list[str]]


@contextmanager
def fresh_database(name: str = "fresh") -> Iterator[str]:
    """Create it, use it, drop it; yield the name of the previous database. For tests outside a transaction."""
    own = connection.settings_dict["NAME"]
    _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
    _use(name)
    try:
        yield own
    finally:
        _use(own)
        _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def all_rows(columns: Columns | None = None, at: Any = None) -> dict[str, list[str]]:
    """Every table's rows as text, sorted; of the given columns, else of all. `at`: a cursor of another database."""
    cursor = at or connection.cursor()
    return {
        table: [
            row[0]
            for row in read(
                cursor, f'SELECT ROW({", ".join(names)})::text COLLATE "C" FROM "{table}" ORDER BY 1'
            )
        ]
        for table, names in (columns or all_columns(cursor)).items()
    }


def all_columns(at: Any = None) -> Columns:
    """The columns of each table, quoted; without those that the database fills."""
    found: Columns = {}
    for table, column in read(
        at or connection.cursor(),
        """SELECT table_name, quote_ident(column_name) FROM information_schema.columns
        WHERE table_schema = 'public' AND is_generated = 'NEVER' ORDER BY table_name, ordinal_position""",
    ):
        found.setdefault(table, []).append(column)
    return found


def read(cursor: Any, sql: str) -> list[tuple[str, ...]]:
    """All rows of a query."""
    cursor.execute(sql)
    return list(cursor.fetchall())


def _administer(*statements: str) -> None:
    with connection._nodb_cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _use(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name
