"""The rows of worker processes: written whatever the engine does, silent without a database, gone with the process."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection, connections
from django.db.models.functions import Now

from gitsync.worker import sandbox
from gitsync.worker.pool_maintainer import PoolMaintainer
from kiok.cluster import heartbeat
from kiok.cluster.heartbeat import EngineStatus, Heartbeat, alive
from kiok.cluster.models import Worker
from kiok.cluster.process_id import process_name
from tests.support.cluster import eventually, stop, workers
from tests.support.environment import DATA_DIR

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "pass-of-the-engine"


@pytest.fixture
def present() -> Iterator[Heartbeat]:
    made = Heartbeat(process_name())
    yield made
    made.stop()


@pytest.fixture
def maintainer(monkeypatch: pytest.MonkeyPatch, address: str) -> Iterator[PoolMaintainer]:
    """Return a maintainer of warm containers for the engine at `address`, not started yet."""
    monkeypatch.setenv("DOCKER_HOST", address)
    monkeypatch.setattr(heartbeat, "INTERVAL_SECONDS", 0.2)
    monkeypatch.setattr(heartbeat, "SLOW_SECONDS", 0.5)
    sandbox.sandbox.cache_clear()
    made = PoolMaintainer()
    yield made
    made.stop()
    sandbox.sandbox.cache_clear()


def row() -> Worker | None:
    return Worker.objects.first()


def seen_at() -> datetime:
    return Worker.objects.get().seen_at


def old_row(name: str, seconds: float) -> None:
    then = Now() - timedelta(seconds=seconds)
    Worker.objects.create(name=name, started_at=then, seen_at=then)


def test_a_worker_has_a_row_with_its_last_report_while_it_runs(present: Heartbeat) -> None:
    present.start()
    eventually(row, 10, "the row is there")
    first = Worker.objects.get()
    present.report(EngineStatus("no engine\x00\x1b[31m answers", 3))
    eventually(lambda: Worker.objects.get().ready == 3, 10, "what was seen is stored")
    stored = Worker.objects.get()
    assert stored.engine == "no engine [31m answers"
    assert stored.seen_at > first.seen_at
    assert abs(stored.started_at - first.started_at) < timedelta(seconds=2)
    assert list(alive()) == [stored]
    # Others write to the same disk.
    free = shutil.disk_usage(DATA_DIR).free
    assert stored.data_free_bytes == pytest.approx(free, abs=4 * 2**30)
    present.stop()
    assert row() is None


def test_each_write_removes_the_rows_of_workers_that_ended_long_ago(present: Heartbeat) -> None:
    old_row("gone", heartbeat.FORGET_SECONDS + 1)
    old_row("late", heartbeat.ALIVE_SECONDS + 1)
    assert not alive().exists()
    present.start()
    eventually(alive().exists, 10, "the row is there")
    eventually(lambda: not Worker.objects.filter(name="gone").exists(), 10, "the old row is gone")
    assert Worker.objects.filter(name="late").exists()


def test_writing_a_row_again_touches_no_index(present: Heartbeat) -> None:
    def updates() -> tuple[int, int]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = %s",
                [Worker._meta.db_table],
            )
            total, hot = cursor.fetchone()
            return total, hot

    before = updates()
    present.start()
    for number in range(1, 6):
        present.report(EngineStatus("", number))
        eventually(lambda wanted=number: Worker.objects.filter(ready=wanted).exists(), 10, "it is written")
    present.stop()
    eventually(lambda: updates()[0] - before[0] >= 4, 10, "the updates are in the statistics")
    total, hot = updates()
    assert total - before[0] == hot - before[1]


def test_a_database_loss_is_not_logged_and_then_the_row_returns(
    present: Heartbeat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "INTERVAL_SECONDS", 0.1)
    with monkeypatch.context() as away, caplog.at_level(logging.DEBUG, logger="kiok.cluster.heartbeat"):
        away.setitem(connections.settings["default"], "HOST", "/nonexistent")
        present.start()
        eventually(lambda: len(caplog.records) > 2, 10, "some writes have failed")
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    assert row() is None
    eventually(row, 10, "the row is there")


@pytest.fixture
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the parameter; by default the address of an engine that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield getattr(request, "param", f"tcp://127.0.0.1:{listener.getsockname()[1]}")


def test_a_worker_whose_engine_hangs_is_alive_and_reports_it(maintainer: PoolMaintainer) -> None:
    maintainer.start()
    eventually(
        lambda: row() and "has not answered since" in Worker.objects.get().engine, 20, "the failure is stored"
    )
    before = seen_at()
    eventually(lambda: seen_at() > before, 10, "it writes on")
    assert alive().count() == 1


@pytest.mark.parametrize("address", [f"tcp://ada:{SECRET}@127.0.0.9:9"], indirect=True)
def test_a_worker_whose_engine_is_away_reports_it_without_secrets(
    maintainer: PoolMaintainer, caplog: pytest.LogCaptureFixture
) -> None:
    maintainer.start()
    # On a busy machine the check may first be stored as one that has not ended yet.
    failure = "no Docker engine answers at DOCKER_HOST=tcp://"
    eventually(lambda: row() and failure in Worker.objects.get().engine, 20, "the failure is stored")
    assert SECRET not in Worker.objects.get().engine
    assert Worker.objects.get().ready == 0


def test_workers_count_while_alive_and_vanish_when_they_end() -> None:
    with workers({"KIOK_WORKERS": "2", "KIOK_SANDBOX_POOL_SIZE": "1"}) as service:
        eventually(
            lambda: alive().filter(engine="", ready=2).count() == 2, 40, "both see the ready containers"
        )
        killed = Worker.objects.order_by("name")[0].name
        os.kill(int(killed.split("/")[2]), signal.SIGKILL)
        eventually(
            lambda: not alive().filter(name=killed).exists(),
            heartbeat.ALIVE_SECONDS + 1,
            "the killed one is not alive",
        )
        eventually(lambda: alive().count() == 2, 20, "another has taken its place")
        stop(service)
    assert set(Worker.objects.values_list("name", flat=True)) <= {killed}
