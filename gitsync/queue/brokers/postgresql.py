"""PostgreSQL broker: django-q2's task table, with a NOTIFY for each new row instead of a poll every few milliseconds.

The table is based on the database's clock alone. django-q2 compares the clocks of the enqueuing and the delivering
machine: a task enqueued on a machine whose clock is an hour ahead, or just before a clock is set back by one, would not be
delivered for an hour.
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F
from django.db.models.functions import Now
from django_q.brokers.orm import ORM
from django_q.conf import Conf

from gitsync.queue.brokers.load import Load

CHANNEL = "kiok_tasks"
SAFETY_SECONDS = (
    1.0  # the table is also polled at this interval; a stopping cluster is noticed within this time
)
HEARING_SECONDS = 2.0  # timeout of the notification that tests whether notifications arrive
DEAF_POLL_SECONDS = 0.1  # poll interval of the table if notifications do not arrive

log = logging.getLogger(__name__)


class TaskTable(ORM):  # type: ignore[misc]
    """Task table whose times come from the database's clock, which all machines share."""

    def timeout(self, task: Any) -> Any:  # noqa: ARG002
        return Now() + timedelta(seconds=Conf.RETRY)

    def queue_size(self) -> int:
        return int(self.get_connection().filter(key=self.list_key, lock__lte=Now()).count())

    def lock_size(self) -> int:
        return int(self.get_connection().filter(key=self.list_key, lock__gt=Now()).count())

    def load(self) -> Load:
        """Return the load. Raises DatabaseError."""
        waiting = self.get_connection().filter(key=self.list_key, lock__lte=Now())
        # The `lock` of a waiting task is the time at which it was enqueued.
        ages = waiting.annotate(age=Now() - F("lock")).order_by("lock").values_list("age", flat=True)
        oldest = ages.first()
        return Load(
            self.queue_size(), self.lock_size(), None if oldest is None else float(oldest.total_seconds())
        )

    def enqueue(self, task: str) -> Any:
        row = self.get_connection().create(key=self.list_key or Conf.CLUSTER_NAME, payload=task, lock=Now())
        return row.pk

    def dequeue(self) -> list[tuple[int, str]]:
        """Claim and return the tasks that are due; if there are none, sleep for the poll interval."""
        table = self.get_connection()
        due = table.filter(key=self.list_key, lock__lt=Now())[: Conf.BULK]
        taken = [
            (row.pk, row.payload)
            for row in due
            # Another cluster may have been faster.
            if table.filter(pk=row.pk, lock=row.lock).update(lock=self.timeout(row))
        ]
        if not taken:
            time.sleep(Conf.POLL)
        return taken


class PostgresqlBroker(TaskTable):
    """Broker with at-least-once delivery. A task enqueued in a transaction is delivered when that is committed."""

    is_transactional = True
    _listener: NotificationListener | None = None

    def enqueue(self, task: str) -> Any:
        key = super().enqueue(task)
        notify(self.list_key)
        return key

    def dequeue(self) -> Any:
        """Return a task, waiting for at most `SAFETY_SECONDS`; None if there is none."""
        if self._listener is None:
            # Here, not in __init__: only one of the processes with a broker dequeues tasks.
            self._listener = NotificationListener()
        self._listener.listen()  # before the table is read, so that no task is missed in between
        taken = super().dequeue()
        if not taken:
            self._listener.wait()
        return taken or None


def notify(payload: str) -> None:
    """Notify all listeners once the current transaction is committed. Raises DatabaseError."""
    with connections[Conf.ORM].cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])


class NotificationListener:
    """Separate database session that listens for notifications. If none arrive, `wait` is a short sleep, and it is logged.

    Nothing between this session and the server may share sessions among clients: a pooler in transaction mode accepts
    LISTEN and delivers nothing.
    """

    def __init__(self, database: str | None = None) -> None:
        """Set up the listener. `database` overrides the database of the settings."""
        self._database = database
        self._session: BaseDatabaseWrapper | None = None
        self.is_deaf = False

    def listen(self) -> None:
        """Connect and listen. A failure is not raised: the table is polled through another connection."""
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
            log.debug("cannot listen for task notifications: %s", exc)
            self.close()

    def wait(self) -> bool:
        """Wait at most `SAFETY_SECONDS` for a notification; return whether one arrived."""
        if self._session is None or self.is_deaf:
            time.sleep(DEAF_POLL_SECONDS)
            return False
        try:
            return any(True for _ in self._session.connection.notifies(timeout=SAFETY_SECONDS, stop_after=1))
        except psycopg.Error as exc:
            log.debug("lost the connection that listens for task notifications: %s", exc)
            self.close()
            time.sleep(DEAF_POLL_SECONDS)
            return False

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(DatabaseError, psycopg.Error):
                session.close()


def hears() -> bool:
    """Return whether notifications arrive at a listener of this process; takes `HEARING_SECONDS` if they do not."""
    listener = NotificationListener()
    try:
        listener.listen()
        return not listener.is_deaf
    finally:
        listener.close()


def _is_heard(session: BaseDatabaseWrapper) -> bool:
    """Return whether a notification sent over another connection arrives at this session."""
    sent = uuid.uuid4().hex
    notify(sent)
    heard = session.connection.notifies(timeout=HEARING_SECONDS)
    if any(notification.payload == sent for notification in heard):
        return True
    log.warning(
        "PostgreSQL notifications do not arrive, so tasks are polled every %s s. A pooler in transaction mode may be the "
        "cause. Point DATABASE_URL at the server itself, or at a pool in session mode",
        DEAF_POLL_SECONDS,
    )
    return False
