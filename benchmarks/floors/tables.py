"""The floor of writing or deleting the same rows in PostgreSQL, in one transaction that is flushed to disk.

COPY moves the rows byte for byte from the tables of the service to bare tables with the same columns, without indexes,
constraints and models.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg

TABLES = ("metadata_dag", "metadata_dagversion", "gitsync_sourcefile")


@dataclass(frozen=True, slots=True)
class Floor:
    """The seconds of COPY and COMMIT, those of DELETE and COMMIT, and the copied bytes."""

    write_seconds: float
    delete_seconds: float
    copied_bytes: int


def rewrite(connection: psycopg.Connection[tuple[object, ...]]) -> Floor:
    """Copy the content of the service's tables into bare ones, then delete the rows that a prune deletes.

    Versions survive a prune, so they are kept. The bare tables are dropped again.
    """
    held = {table: _rows(connection, table) for table in TABLES}
    for table in TABLES:
        connection.execute(f"CREATE TABLE bare_{table} (LIKE {table})")
    try:
        began = time.perf_counter()
        with connection.transaction(), connection.cursor() as cursor:
            for table in TABLES:
                with cursor.copy(f"COPY bare_{table} FROM STDIN") as copy:
                    copy.write(held[table])
        written = time.perf_counter()
        with connection.transaction():
            for table in ("metadata_dag", "gitsync_sourcefile"):
                connection.execute(f"DELETE FROM bare_{table}")
        deleted = time.perf_counter()
    finally:
        for table in TABLES:
            connection.execute(f"DROP TABLE bare_{table}")
    return Floor(written - began, deleted - written, sum(map(len, held.values())))


def _rows(connection: psycopg.Connection[tuple[object, ...]], table: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(f"COPY (SELECT * FROM {table}) TO STDOUT") as copy:
        return b"".join(bytes(piece) for piece in copy)
