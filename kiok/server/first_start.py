"""One process at a time prepares a database: tables, first rows, the first administrator.

Processes of several machines may start at the same moment on one empty database. A lock file would not do: they share no
disk.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections

_LOCK = (
    0x6B696F6B,
    1,
)  # ("kiok", preparing the database); other locks of this project use one key, or a hash
_POLL_SECONDS = 0.2
_TIMEOUTS = ("idle_in_transaction_session_timeout", "statement_timeout")


@contextmanager
def alone_on(database: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Run the block while no other process of any machine is in such a block on the same database. Waits for them.

    The lock belongs to a transaction on a connection of its own: a pooler in transaction mode hands out sessions anew
    between transactions. PostgreSQL drops it when the process ends, however it ends. Raises DatabaseError.
    """
    holder = connections[database].copy()
    try:
        holder.set_autocommit(False)
        with holder.cursor() as cursor:
            # Polled: a session that waits in a statement holds a snapshot, and CREATE INDEX CONCURRENTLY, which a
            # migration may be at, waits for every snapshot. Neither would ever end.
            while True:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", _LOCK)
                if cursor.fetchone() == (True,):
                    break
                holder.rollback()
                time.sleep(_POLL_SECONDS)
            # Migrating a large table takes long, while this session is idle in its transaction.
            for timeout in _TIMEOUTS:
                cursor.execute(f"SET LOCAL {timeout} = 0")
        yield
        holder.rollback()  # now, and not when the server has noticed that the connection is closed
    finally:
        holder.close()
