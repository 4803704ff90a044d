"""The delivery of notifications: order, retries, workers that are killed or wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import OrmQ

from gitsync.models import Repository
from kiok.notifications import outbox, sender, webhook
from kiok.notifications.models import (
    DeliveryState,
    Notification,
    NotificationChannel,
    NotificationDelivery,
)
from tests.integration.conftest import yaml_dag
from tests.support.cluster import ROOT, eventually, workers
from tests.support.notification_rows import BROKEN, events, fail, later, put, states
from tests.support.servers.receiver import WebhookServer
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def events_received(server: WebhookServer) -> list[str]:
    return [item.json["event"] for item in server.received]


# That it arrives.


def test_a_worker_killed_after_sending_sends_again_under_the_same_id(
    repository: Repository, channel: NotificationChannel, server: WebhookServer
) -> None:
    put(repository, "killed")
    code = "import django; django.setup(); from kiok.notifications.sender import deliver; deliver()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.support.same_database",
            "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
            "KIOK_GITSYNC_SSL_CA_INFO": str(server.ca_file),
        },
    )
    server.on_request = lambda: os.kill(process.pid, signal.SIGKILL)
    assert process.wait(600) == -signal.SIGKILL
    server.on_request = lambda: None
    assert states() == [DeliveryState.WAITING]
    assert outbox.wake_if_due()
    assert sender.deliver() == "1 notifications delivered"
    first, second = server.received
    assert first.headers["kiok-notice-id"] == second.headers["kiok-notice-id"] == first.json["id"]
    assert first.body == second.body
    assert states() == [DeliveryState.SENT]


def test_a_channel_that_is_down_gets_its_notifications_later_in_order(
    repository: Repository, channel: NotificationChannel, server: WebhookServer
) -> None:
    server.status = 503
    put(repository, "one", "two")
    assert sender.deliver() == "0 notifications delivered"
    assert len(server.received) == 1  # the second would have fared no better
    put(repository, "three")
    assert sender.deliver() == "0 notifications delivered"  # it is left alone for a while
    assert len(server.received) == 1
    channel.refresh_from_db()
    assert channel.failures == 1
    assert channel.retry_at is not None
    assert timezone.now() < channel.retry_at < timezone.now() + timedelta(minutes=1)
    assert "503" in NotificationDelivery.objects.earliest("pk").outcome
    later()
    server.status = 200
    assert sender.deliver() == "3 notifications delivered"
    assert [item.json["message"] for item in server.received] == ["one", "one", "two", "three"]
    channel.refresh_from_db()
    assert (channel.failures, channel.retry_at, channel.holder) == (0, None, "")


def test_back_off_grows_to_an_hour_and_ends_after_a_day(
    repository: Repository, channel: NotificationChannel, server: WebhookServer
) -> None:
    server.status = 500
    put(repository, "old")
    pauses = []
    for _ in range(9):
        later()
        sender.deliver()
        channel.refresh_from_db()
        pauses.append((channel.retry_at - timezone.now()).total_seconds())  # type: ignore[operator]
    assert pauses == pytest.approx([30, 60, 120, 240, 480, 960, 1920, 3600, 3600], abs=25)
    NotificationDelivery.objects.update(created_at=Now() - timedelta(hours=25))
    later()
    sender.deliver()
    assert states() == [DeliveryState.GIVEN_UP]
    assert not outbox.due().exists()


def test_a_refused_message_does_not_delay_the_next_ones_for_long(
    repository: Repository, channel: NotificationChannel, server: WebhookServer
) -> None:
    server.status = 400
    put(repository, "bad", "good")
    for _ in range(sender.REFUSALS):
        assert sender.deliver() == "0 notifications delivered"
        later()
    assert states() == [DeliveryState.GIVEN_UP, DeliveryState.WAITING]
    server.status = 204
    server.answer = b""
    assert sender.deliver() == "1 notifications delivered"


def test_a_hanging_channel_costs_one_attempt_and_delays_no_other(
    repository: Repository,
    channel: NotificationChannel,
    server: WebhookServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 10.0)
    hanging = WebhookServer(tmp_path / "hanging")  # not serving: it accepts connections, and never responds
    NotificationChannel.objects.create(name="hangs", url=hanging.url(), all_repositories=True)
    put(repository, "one", "two")
    assert sender.deliver() == "2 notifications delivered"
    assert len(server.received) == 2
    lost = NotificationDelivery.objects.filter(channel__name="hangs").order_by("pk")
    assert [row.attempts for row in lost] == [1, 0]
    assert "did not respond within 10 s" in lost[0].outcome
    hanging._server.server_close()


def test_concurrent_workers_send_each_notification_once_and_in_order(
    repository: Repository, channel: NotificationChannel, server: WebhookServer
) -> None:
    put(repository, *(str(number) for number in range(6)))

    def work() -> None:
        try:
            sender.deliver()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [item.json["message"] for item in server.received] == [str(number) for number in range(6)]


def test_a_notification_sent_by_another_worker_stays_sent(
    repository: Repository, channel: NotificationChannel, server: WebhookServer
) -> None:
    """A worker that was frozen in the middle of an attempt, whose channel another worker took, and which then fails."""
    put(repository, "one")

    def be_overtaken() -> None:
        server.on_request = lambda: None
        NotificationChannel.objects.update(held_until=Now() - timedelta(seconds=1))
        try:
            assert sender.deliver() == "1 notifications delivered"
        finally:
            connection.close()
        server.status = 500

    server.on_request = be_overtaken
    assert sender.deliver() == "0 notifications delivered"
    assert len(server.received) == 2
    assert states() == [DeliveryState.SENT]


def test_concurrent_failures_wake_one_worker(repository: Repository, channel: NotificationChannel) -> None:
    OrmQ.objects.all().delete()
    put(repository, "one", "two", "three")
    assert OrmQ.objects.count() == 1
    assert OrmQ.objects.get().task["func"] == outbox.DELIVER


def test_a_channel_that_waits_after_a_failure_does_not_delay_another(
    repository: Repository, channel: NotificationChannel
) -> None:
    put(repository, "one")
    NotificationChannel.objects.update(failures=1, retry_at=Now() - timedelta(seconds=1))
    NotificationChannel.objects.create(name="another", url="https://x.invalid/").repositories.add(repository)
    OrmQ.objects.all().delete()
    put(repository, "two")
    assert OrmQ.objects.count() == 1


def test_a_lost_queue_fails_no_sync_and_the_leader_wakes_a_worker_later(
    repository: Repository, channel: NotificationChannel
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_q_ormq RENAME TO away")
        try:
            fail(repository)
        finally:
            cursor.execute("ALTER TABLE away RENAME TO django_q_ormq")
    assert (events(), states()) == (["failing"], [DeliveryState.WAITING])
    assert outbox.wake_if_due()
    assert OrmQ.objects.count() == 1


def test_without_a_channel_nothing_is_queued(repository: Repository) -> None:
    OrmQ.objects.all().delete()
    fail(repository)
    assert (OrmQ.objects.count(), NotificationDelivery.objects.count()) == (0, 0)


def test_notifications_are_kept_for_90_days(repository: Repository, channel: NotificationChannel) -> None:
    put(repository, "old", "new")
    Notification.objects.filter(message="old").update(at=Now() - timedelta(days=91))
    assert (outbox.forget(), outbox.forget()) == (1, 0)
    assert NotificationDelivery.objects.get().notification.message == "new"


def test_a_real_worker_notifies_of_a_broken_file_and_of_its_repair(
    work_repo: WorkRepo, repository: Repository, channel: NotificationChannel, server: WebhookServer
) -> None:
    work_repo.publish({"a.yaml": BROKEN})
    environment: dict[str, Any] = {
        "KIOK_GITSYNC_SSL_CA_INFO": str(server.ca_file),
        "KIOK_GITSYNC_INTERVAL_MS": "1000",
        "KIOK_WORKERS": "1",
        "KIOK_WEB_PUBLIC_URL": "https://kiok.example.com/",
    }
    with workers(environment):
        eventually(lambda: events_received(server) == ["degraded"], 60, "the failure is sent")
        work_repo.publish({"a.yaml": yaml_dag("a")})
        eventually(lambda: events_received(server) == ["degraded", "recovered"], 60, "the recovery is sent")
    assert (
        server.received[0].json["link"]
        == f"https://kiok.example.com/admin/gitsync/repository/{repository.pk}/change/"
    )
