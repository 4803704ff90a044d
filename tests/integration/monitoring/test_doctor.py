"""`manage.py doctor`: each part broken for real, and its message."""

from __future__ import annotations

import json
import os
import socket
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from gitsync.models import QueuedSync, Repository, Trigger
from gitsync.monitoring.doctor import database, workers
from gitsync.monitoring.doctor.check import Check, ok
from gitsync.monitoring.doctor.runner import NAMES, examine
from gitsync.tasks import enqueue_sync
from kiok.checks import CheckResult, CheckStatus
from kiok.cluster.leader import take_lead
from kiok.cluster.models import LeaderLease, Worker
from kiok.notifications.models import Notification, NotificationChannel, NotificationDelivery
from tests.support import forks
from tests.support.doctor import outcome

pytestmark = pytest.mark.django_db(transaction=True)


DATABASE_PASSWORD = "a-password-of-the-database"


@pytest.fixture
def well() -> None:
    """Have a leader and a worker, both for the next hour, and nothing in the queue."""
    LeaderLease.objects.update_or_create(pk=1, defaults={"holder": "", "expires_at": None})
    OrmQ.objects.all().delete()
    assert take_lead()
    hour = timedelta(hours=1)
    LeaderLease.objects.update(expires_at=Now() + hour)
    Worker.objects.create(name="ant/boot/1/2/3", started_at=timezone.now(), seen_at=Now() + hour)


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return the exit status and the output."""
    status = 0
    try:
        call_command("doctor", *arguments)
    except SystemExit as exc:
        status = int(str(exc.code))
    return status, capsys.readouterr().out


# The command.


def test_a_well_installation_has_a_line_for_each_part_and_status_0(
    well: None, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = doctor(capsys, "--json")
    found = json.loads(printed)
    assert [item["name"] for item in found["checks"]] == list(NAMES)
    failed = [item for item in found["checks"] if item["status"] == "fail"]
    assert (failed, status, found["ok"]) == ([], 0, True)
    status, printed = doctor(capsys)
    lines = printed.splitlines()
    assert (status, len(lines)) == (0, len(NAMES))
    for name, line in zip(NAMES, lines, strict=True):
        assert line.split()[:2] in ([word, name] for word in ("ok", "warn")), line
        assert line.startswith("ok") or " → " in line, line
    assert "\x1b" not in printed  # it is no terminal


def test_a_failed_check_is_reported_with_a_remedy_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    Worker.objects.all().delete()
    status, printed = doctor(capsys, "--only", "workers", "--only", "database", "--skip", "database")
    assert status == 1
    assert printed.startswith("fail  workers  no worker heartbeat in the last 15 s → Start `manage.py run`")
    with pytest.raises(CommandError, match="invalid choice: 'disc'"):
        call_command("doctor", "--only", "disc")


def test_hanging_and_broken_checks_stop_no_other() -> None:
    released = threading.Event()

    def hang() -> CheckResult:
        released.wait(600)
        return ok("too late")

    def broken() -> CheckResult:
        raise ZeroDivisionError("by\n\x1b[2Jnought")

    checks = [Check("hangs", hang), Check("breaks", broken), Check("works", lambda: ok("fine"))]
    try:
        hanging, breaking, working = results = examine(checks, limit_seconds=3)
    finally:
        released.set()
    assert [result.name for result in results] == ["hangs", "breaks", "works"]
    assert outcome(hanging) == ("fail", "no result within 3 s")
    assert outcome(breaking) == ("fail", "the check itself failed: ZeroDivisionError: by [2Jnought")
    assert outcome(working) == ("ok", "fine")


@pytest.mark.parametrize("kind", ["refuses", "is silent", "is of another version"])
def test_without_a_database_the_other_parts_are_still_checked(kind: str, tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))  # accepts connections, and never responds
    port = 1 if kind == "refuses" else listener.getsockname()[1]
    url = f"postgresql://kiok:{DATABASE_PASSWORD}@127.0.0.1:{port}/kiok?connect_timeout=2"
    where = "given by DATABASE_URL"
    if kind == "is of another version":  # the embedded one, which does not start
        (tmp_path / "postgres").mkdir(mode=0o700)
        (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
        url, where = "", "embedded"
    skip = [argument for name in ("engine", "image-python", "image-jar") for argument in ("--skip", name)]
    with listener:
        done = forks.run(
            ["doctor", "--json", *skip],
            {**os.environ, "DATABASE_URL": url, "KIOK_BASE_DATA_DIR": str(tmp_path)},
        )
    found = {item["name"]: item for item in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert found["database"]["status"] == "fail"
    assert f"the database ({where}) does not respond" in found["database"]["found"]
    assert found["database"]["remedy"]
    for name in ("migrations", "clock", "leader", "workers", "queue", "syncs", "images-of-repositories"):
        assert found[name]["found"] == "unknown while the database does not respond", found[name]
    for name in ("git", "disk-data", "secret-files", "web"):
        assert found[name]["status"] in ("ok", "warn"), found[name]
    assert DATABASE_PASSWORD not in done.stdout + done.stderr
    assert ("was created by PostgreSQL 9" in done.stderr) == (where == "embedded")


# The store.


def test_tables_of_another_version_are_seen() -> None:
    assert outcome(database.migrations()) == ("ok", "all migrations are applied")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, name FROM django_migrations WHERE app = 'gitsync' ORDER BY name DESC LIMIT 1"
        )
        number, name = cursor.fetchone()
        try:
            cursor.execute("UPDATE django_migrations SET name = '9999_later' WHERE id = %s", [number])
            behind = database.migrations()
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('gitsync', %s, now())", [name]
            )
            ahead = database.migrations()
        finally:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'gitsync' AND name = %s", [name])
            cursor.execute("UPDATE django_migrations SET name = %s WHERE id = %s", [name, number])
    assert outcome(behind) == ("fail", f"1 migrations are not applied, the first is gitsync.{name}")
    assert outcome(ahead) == ("fail", "the database belongs to a newer version: gitsync.9999_later")


def test_a_missing_table_is_reported_by_each_check_that_needs_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE gitsync_leadership RENAME TO gone")
        try:
            [leader] = examine([Check("leader", workers.leader, needs_database=True)])
        finally:
            cursor.execute("ALTER TABLE gone RENAME TO gitsync_leadership")
    assert outcome(leader) == ("warn", 'unknown: relation "gitsync_leadership" does not exist')


@pytest.mark.parametrize(
    ("ahead_seconds", "status", "message"),
    [
        (0.02, "ok", "20 ms difference"),
        (-3.0, "warn", "3.0 s behind"),
        (40.0, "fail", "40.0 s ahead of"),
    ],
)
def test_a_wrong_clock_is_reported(ahead_seconds: float, status: str, message: str) -> None:
    found = outcome(database.judged_clock(ahead_seconds))
    assert found[0] == status
    assert message in found[1]
    assert database.clock().status is CheckStatus.OK


# Workers.


def test_a_task_that_waits_for_long_is_reported(well: None) -> None:
    assert outcome(workers.queue()) == ("ok", "0 waiting, 0 running")
    enqueue_sync(Repository.objects.create(name="team").pk, Trigger.ADMIN)
    assert outcome(workers.queue())[0] == "ok"
    OrmQ.objects.update(lock=Now() - timedelta(hours=1))
    status, text = outcome(workers.queue())
    assert (status, text[:23]) == ("warn", "1 waiting, 0 running, o")
    assert "for 3600 s" in text


def test_a_long_queued_sync_is_reported_for_any_broker(well: None) -> None:
    assert outcome(workers.syncs()) == ("ok", "0 queued, 0 running")
    enqueue_sync(Repository.objects.create(name="team").pk, Trigger.ADMIN)
    OrmQ.objects.all().delete()
    assert outcome(workers.syncs())[0] == "ok"
    QueuedSync.objects.update(requested_at=Now() - timedelta(hours=2))
    assert outcome(workers.syncs()) == ("warn", "1 queued, 0 running, the oldest queued for 7200 s")


def test_the_leader_and_its_start_are_reported_and_a_missing_leader(well: None) -> None:
    status, text = outcome(workers.leader())
    assert status == "ok"
    assert f"process {os.getpid()}, since {timezone.now():%Y-%m-%d}" in text
    LeaderLease.objects.update(expires_at=Now())
    assert outcome(workers.leader())[0] == "fail"


def test_a_worker_without_an_engine_is_reported_with_its_host(well: None) -> None:
    assert outcome(workers.workers()) == ("ok", "1 alive on ant")
    Worker.objects.update(engine="no Docker engine answers")
    assert outcome(workers.workers()) == (
        "fail",
        "1 alive on ant; 1 without a usable engine, on ant: no Docker engine answers",
    )


def test_channels_whose_last_attempt_failed_are_reported(settings: Settings) -> None:
    assert outcome(workers.notifications()) == ("ok", "no notification channel is configured")
    hook = NotificationChannel.objects.create(name="hook", url="https://x.invalid/")
    assert outcome(workers.notifications()) == ("warn", "1 channel; notifications have no links")
    settings.KIOK = replace(settings.KIOK, web_public_url="https://kiok.example.com")
    assert outcome(workers.notifications())[0] == "ok"
    hook.failures = 2
    hook.save()
    assert outcome(workers.notifications()) == ("warn", "1 channel; the last attempt failed: hook")
    NotificationChannel.objects.create(name="mail", kind="email", addresses="ada@example.com")
    assert outcome(workers.notifications())[0] == "fail"


def test_notifications_that_wait_or_were_given_up_are_reported(settings: Settings) -> None:
    settings.KIOK = replace(settings.KIOK, web_public_url="https://kiok.example.com")
    hook = NotificationChannel.objects.create(name="hook", url="https://x.invalid/")

    def notification(state: str, age: timedelta) -> NotificationDelivery:
        made = Notification.objects.create(event="test", at=Now())
        at = timezone.now() - age
        return NotificationDelivery.objects.create(
            notification=made, channel=hook, state=state, created_at=at, attempted_at=at
        )

    notification("sent", timedelta(days=30))
    notification("given_up", timedelta(days=2))
    waiting = notification("waiting", timedelta(minutes=1))
    assert outcome(workers.notifications()) == ("ok", "1 channel")
    NotificationDelivery.objects.filter(pk=waiting.pk).update(created_at=Now() - timedelta(hours=2))
    status, text = outcome(workers.notifications())
    assert (status, text.replace("\xa0", " ")) == ("warn", "1 channel; a notification has waited for 2 hours")
    notification("given_up", timedelta(hours=1))
    assert outcome(workers.notifications()) == ("warn", "1 channel; given up within the last day: 1 to hook")
