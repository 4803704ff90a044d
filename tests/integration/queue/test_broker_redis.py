"""Redis as the broker while it is away: a request gets an error, or succeeds without it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.brokers import get_broker

from gitsync.models import QueuedSync, Repository, Trigger
from gitsync.monitoring.doctor import workers
from gitsync.queue.brokers import redis as brokers_redis
from gitsync.tasks import enqueue_dry_run, enqueue_sync
from kiok.notifications import outbox
from kiok.notifications.models import Notification, NotificationChannel, NotificationDelivery
from tests.support.api_client import Api, make_token
from tests.support.servers.redis import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/gitsync/repository/"


@pytest.fixture
def ada(transactional_db: None) -> User:
    return User.objects.create_superuser("ada", password="x")


def pages_of(repository: Repository) -> dict[str, dict[str, str]]:
    """Return the form of each button that requests an immediate task of a worker, by address."""
    page = f"{LIST}{repository.pk}"
    return {
        f"{page}/dry-run/": {},
        f"{page}/check/": {},
        f"{page}/accept-host-key/": {"fingerprint": "ssh-ed25519 SHA256:x"},
        reverse("admin:gitsync_system_check"): {},
    }


def test_buttons_report_a_lost_redis_and_work_when_it_is_back(
    ada: User, repository: Repository, redis_server: RedisServer
) -> None:
    browser = Client()
    browser.force_login(ada)
    redis_server.kill()
    for address, form in pages_of(repository).items():
        answer = browser.post(address, form)
        assert answer.status_code == 302, address
        [output] = [str(message) for message in get_messages(answer.wsgi_request)]
        assert output.startswith(
            "No worker can be reached: Redis, which carries their tasks, does not answer."
        )
        assert "Try again" in output
        assert "KIOK_REDIS_URL" in output
        shown = browser.get(answer.headers["Location"]).content.decode()
        assert "No worker can be reached" in shown
        assert "Waiting for a worker" not in shown
    redis_server.start()
    for number, (address, form) in enumerate(pages_of(repository).items(), 1):
        assert not list(get_messages(browser.post(address, form).wsgi_request))
        assert get_broker().queue_size() == number


def test_while_redis_is_away_the_api_answers_503_and_when_to_try_again(
    ada: User, repository: Repository, redis_server: RedisServer
) -> None:
    api = Api(make_token(ada)[0])
    redis_server.kill()
    answer = api("POST", "repositories/team/dry-run", {})
    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"
    assert int(answer["Retry-After"]) > 0
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == "urn:kiok:problem:unavailable"
    assert problem["detail"].startswith("No worker can be reached: Redis")
    # A sync is queued in the database.
    assert api("POST", "repositories/team/sync", {}).status_code == 202
    assert QueuedSync.objects.count() == 1
    redis_server.start()
    assert api("POST", "repositories/team/dry-run", {}).status_code == 202


def test_the_doctor_reports_the_length_of_the_queue_or_a_lost_redis(
    repository: Repository, redis_server: RedisServer
) -> None:
    enqueue_dry_run(repository.pk)
    found = workers.queue()
    assert (found.status.value, found.detail) == ("ok", "1 waiting")
    redis_server.kill()
    found = workers.queue()
    assert found.status.value == "fail"
    assert found.detail.startswith("Redis does not answer: ")
    assert found.remedy == "Start it, or correct KIOK_REDIS_URL."


def test_notifications_wait_for_a_lost_redis_and_log_one_line(
    repository: Repository, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    NotificationChannel.objects.create(name="all", url="https://x.invalid/", all_repositories=True)
    redis_server.kill()
    with transaction.atomic():
        outbox.put(Notification(repository=repository, event="failing", at=timezone.now()))
    assert outbox.wake_if_due()
    assert NotificationDelivery.objects.get().state == "waiting"
    output = [record for record in caplog.records if "Notifications wait until it is back" in record.message]
    assert len(output) == 2
    assert not [record for record in caplog.records if record.exc_info]
    redis_server.start()
    assert outbox.wake_if_due()
    assert get_broker().queue_size() == 1


def test_requesting_a_sync_waits_once_for_a_silent_redis(
    repository: Repository, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git service gives a delivery up after some seconds: the client must not try again and again."""
    monkeypatch.setattr(brokers_redis, "ANSWER_SECONDS", 10.0)
    redis_server.freeze()
    began = time.monotonic()
    enqueue_sync(repository.pk, Trigger.WEBHOOK)
    assert 10 <= time.monotonic() - began < 20, "it has not waited once"
    assert QueuedSync.objects.count() == 1
