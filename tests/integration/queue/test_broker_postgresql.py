"""Tasks in PostgreSQL: notifications reach workers immediately; without them workers poll and warn."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django_q.models import OrmQ

from gitsync.queue.brokers import postgresql
from gitsync.queue.brokers.postgresql import NotificationListener, PostgresqlBroker
from tests.support.cluster import eventually

pytestmark = pytest.mark.django_db(transaction=True)

FOR_EVER = 60.0


@pytest.fixture
def listener() -> Iterator[NotificationListener]:
    made = NotificationListener()
    yield made
    made.close()


@pytest.fixture
def taker() -> Iterator[list[Any]]:
    """Return the tasks that a cluster's pusher takes, in a thread, without the periodic poll of the table."""
    taken: list[Any] = []
    stopping = threading.Event()

    def run() -> None:
        broker = PostgresqlBroker()
        try:
            while not stopping.is_set():
                taken.extend(broker.dequeue() or ())
        finally:
            if broker._listener:
                broker._listener.close()
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgresql, "SAFETY_SECONDS", FOR_EVER)
        thread.start()
        eventually(listens, 10, "it listens")
        yield taken
        stopping.set()
        postgresql.notify("the end")
        thread.join(600)
    assert not thread.is_alive()


def listens() -> bool:
    """Return whether a session of this database waits after a LISTEN."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE 'LISTEN%' AND state = 'idle'"
        )
        return bool(cursor.fetchone()[0])


def test_a_task_is_taken_as_soon_as_it_is_committed(taker: list[Any]) -> None:
    with transaction.atomic():
        key = PostgresqlBroker().enqueue("a task")
        assert taker == []
    eventually(lambda: taker, 10, "it is taken, long before the table would be looked at")
    assert taker == [(key, "a task")]
    with transaction.atomic():
        PostgresqlBroker().enqueue("never committed")
        transaction.set_rollback(True)
    PostgresqlBroker().enqueue("another")
    eventually(lambda: len(taker) == 2, 10, "the next is taken")
    assert taker[1][1] == "another"


def test_a_task_without_a_notification_is_found_by_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "SAFETY_SECONDS", 0.2)
    broker = PostgresqlBroker()
    assert broker.dequeue() is None
    OrmQ.objects.create(key=broker.list_key, payload="silent", lock="2020-01-01T00:00:00Z")
    assert [task for _, task in broker.dequeue()] == ["silent"]
    assert broker._listener is not None
    broker._listener.close()


def test_a_worker_without_notifications_polls_often_and_warns(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Notifications stay within a database: in another one nothing arrives, as behind a pooler in transaction mode."""
    monkeypatch.setattr(postgresql, "SAFETY_SECONDS", FOR_EVER)
    monkeypatch.setattr(postgresql, "HEARING_SECONDS", 0.5)
    elsewhere = NotificationListener("postgres")
    with caplog.at_level(logging.WARNING, logger="gitsync.queue.brokers.postgresql"):
        elsewhere.listen()
    assert elsewhere.is_deaf
    assert "pooler in transaction mode" in caplog.text
    assert not elsewhere.wait(), "it would wait for a minute if it trusted its ears"
    elsewhere.close()


def test_a_listener_whose_session_is_ended_listens_again(listener: NotificationListener) -> None:
    listener.listen()
    assert not listener.is_deaf
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE 'LISTEN%'"
        )
    assert not listener.wait()
    listener.listen()
    postgresql.notify("again")
    assert listener.wait()


def test_a_listener_without_a_database_raises_nothing(listener: NotificationListener) -> None:
    missing = NotificationListener("there_is_no_such_database")
    missing.listen()
    assert not missing.wait()
