"""The first start on a database: a lock that lets one process at a time prepare it, and the first administrator.

Processes on several machines may start at the same moment on one empty database. A lock file would not help: they share
no disk.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, connections, transaction

_LOCK = (
    0x6B696F6B,
    1,
)  # ("kiok", prepare the database); other advisory locks of this project use a single key, or a hash
_POLL_SECONDS = 0.2
_TIMEOUTS = ("idle_in_transaction_session_timeout", "statement_timeout")

USERNAME = "admin"  # of the first administrator


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


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """A newly created user; the password exists nowhere else."""

    username: str
    password: str = field(repr=False)


def make_first_admin() -> FirstAdmin | None:
    """Create the superuser `admin` with a random password, unless a superuser exists already.

    Of processes that start at the same moment, one creates it and has the password.
    """
    with alone_on(), transaction.atomic():
        if User.objects.filter(is_superuser=True).exists() or User.objects.filter(username=USERNAME).exists():
            return None
        password = secrets.token_urlsafe(15)
        User.objects.create_superuser(USERNAME, password=password)
    return FirstAdmin(USERNAME, password)
