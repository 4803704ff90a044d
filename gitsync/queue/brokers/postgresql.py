"""Tasks in PostgreSQL: django-q2's table, and a notification for each new row instead of a poll every few milliseconds."""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import suppress
from typing import Any

import psycopg
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django_q.conf import Conf

from gitsync.queue.brokers.task_table import TaskTable

CHANNEL = "kiok_tasks"
SAFETY_SECONDS = 1.0
"""The table is looked at this often all the same; and a cluster is told to stop within this time."""
HEARING_SECONDS = 2.0
"""So long may a notification take that is sent to see whether any arrives."""
DEAF_POLL_SECONDS = 0.1
"""How often the table is looked at where none arrives."""

log = logging.getLogger(__name__)


class PostgresqlBroker(TaskTable):
    """Delivers at least once. What is enqueued in a transaction is delivered when that is committed."""

    is_transactional = True
    _listener: NotificationListener | None = None

    def enqueue(self, task: str) -> Any:
        key = super().enqueue(task)
        notify(self.list_key)
        return key

    def dequeue(self) -> Any:
        """A task to do, after at most `SAFETY_SECONDS`; None when there is none."""
        if self._listener is None:
            # Here, not in __init__: of all processes that have a broker one takes tasks.
            self._listener = NotificationListener()
        self._listener.listen()  # before the table is looked at, so that nothing falls between the two
        taken = super().dequeue()
        if not taken:
            self._listener.wait()
        return taken or None


def notify(payload: str) -> None:
    """Tell all listeners, when the current transaction is committed. Raises DatabaseError."""
    with connections[Conf.ORM].cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])


class NotificationListener:
    """A session of its own that listens. Where it cannot hear, waiting for it is a short sleep, and the log says so.

    Between it and the server there must be nothing that hands sessions from one client to the next: a pooler in
    transaction mode takes LISTEN and delivers nothing.
    """

    def __init__(self, database: str | None = None) -> None:
        """`database`: another than that of the settings."""
        self._database = database
        self._session: BaseDatabaseWrapper | None = None
        self.is_deaf = False

    def listen(self) -> None:
        """Be connected. A failure is not raised: the table is looked at through another connection."""
        if self._session is not None:
            return
        session = connections[Conf.ORM].copy()
        if self._database is not None:
            session.settings_dict = {**session.settings_dict, "NAME": self._database}
        try:
            session.ensure_connection()
            session.connection.execute(f"LISTEN {CHANNEL}")
            self._session = session
            self.is_deaf = not _is_heard(session)
        except (DatabaseError, psycopg.Error) as exc:
            log.debug("cannot listen for tasks: %s", exc)
            self.close()

    def wait(self) -> bool:
        """Until a notification comes, at most `SAFETY_SECONDS`; whether one came."""
        if self._session is None or self.is_deaf:
            time.sleep(DEAF_POLL_SECONDS)
            return False
        try:
            return any(True for _ in self._session.connection.notifies(timeout=SAFETY_SECONDS, stop_after=1))
        except psycopg.Error as exc:
            log.debug("the connection that listens for tasks is gone: %s", exc)
            self.close()
            time.sleep(DEAF_POLL_SECONDS)
            return False

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(DatabaseError, psycopg.Error):
                session.close()


def hears() -> bool:
    """Whether a notification arrives at who listens from here; takes `HEARING_SECONDS` where none does."""
    listener = NotificationListener()
    try:
        listener.listen()
        return not listener.is_deaf
    finally:
        listener.close()


def _is_heard(session: BaseDatabaseWrapper) -> bool:
    """Whether a notification that is sent over another connection arrives at this one."""
    sent = uuid.uuid4().hex
    notify(sent)
    heard = session.connection.notifies(timeout=HEARING_SECONDS)
    if any(notification.payload == sent for notification in heard):
        return True
    log.warning(
        "notifications of the database do not arrive, so tasks are looked for every %s s. Is there a pooler in "
        "transaction mode before it? Let DATABASE_URL lead to the server itself, or to a pool in session mode",
        DEAF_POLL_SECONDS,
    )
    return False
