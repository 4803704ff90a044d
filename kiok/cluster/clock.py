"""Time of the database, which all processes share. A worker's own clock may be wrong, or be set while it runs."""

from __future__ import annotations

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return the database's time, for comparison with times from `Now()` or from another process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
