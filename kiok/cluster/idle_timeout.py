"""Idle-in-transaction timeout: PostgreSQL ends the session of a process that is stopped inside a transaction with locks.

See docs/adr/0025-stopped-workers.md.
"""

from __future__ import annotations

from django.db import connection

IDLE_SECONDS = (
    20.0  # between two statements; as long as a sync lease, which a stopped process loses by then anyway
)


def limit_idle_in_transaction() -> None:
    """Set the timeout for the rest of the transaction. Call it before the first lock. Raises database errors."""
    with connection.cursor() as cursor:
        # Local to the transaction: a setting of the session would not survive a pooler.
        cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS:g}s'")
