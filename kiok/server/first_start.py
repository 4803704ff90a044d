"""A lock that lets one process at a time prepare a database: tables, first rows, the first administrator.

Processes on several machines may start at the same moment on one empty database. A lock file would not help: they share
no disk.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections

_LOCK = (
    0x6B696F6B,
    1,
)  # ("kiok", prepare the database); other advisory locks of this project use a single key, or a hash
_POLL_SECONDS = 0.2
_TIMEOUTS = ("idle_in_transaction_session_timeout", "statement_timeout")


@contextmanager
def alone_on(database: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Run the block while no other process on any machine is in such a block on the same database. Waits for them.

    The lock belongs to a transaction on a separate connection, because a pooler in transaction mode may change sessions
    between transactions. PostgreSQL releases it when the process ends in any way. Raises DatabaseError.
    """
    holder = connections[database].copy()
    try:
        holder.set_autocommit(False)
        with holder.cursor() as cursor:
            # Polled: a session that waits in a statement holds a snapshot, and CREATE INDEX CONCURRENTLY, which a
            # migration may run, waits for all snapshots. That would be a deadlock.
            while True:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", _LOCK)
                if cursor.fetchone() == (True,):
                    break
                holder.rollback()
                time.sleep(_POLL_SECONDS)
            # Migrating a large table takes long, and this session stays idle in its transaction.
            for timeout in _TIMEOUTS:
                cursor.execute(f"SET LOCAL {timeout} = 0")
        yield
        holder.rollback()  # releases the lock now, not when the server notices that the connection is closed
    finally:
        holder.close()
