"""What PostgreSQL itself takes to write, or to delete, the very same rows, in one transaction that is on the disk then.

The rows are copied, byte for byte as COPY has them, from the tables of the service into bare tables of the same
columns: no index, no constraint, no model between.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg

TABLES = ("metadata_dag", "metadata_dagversion", "gitsync_sourcefile")


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds of COPY and COMMIT, of DELETE and COMMIT, and how much was copied."""

    write_seconds: float
    delete_seconds: float
    copied_bytes: int


def rewrite(connection: psycopg.Connection[tuple[object, ...]]) -> Floor:
    """Copy what the service's tables hold now into bare ones, then delete there what a prune deletes.

    Versions survive a prune, so they stay. The bare tables are dropped again.
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
