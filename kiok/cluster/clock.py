"""The time that all processes share: the database's. A worker's own clock may be wrong, or be set while it runs."""

from __future__ import annotations

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The database's time, for what is compared with `Now()` there or written by another process elsewhere."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
