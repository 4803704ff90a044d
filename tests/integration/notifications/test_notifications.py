"""Notifications of a repository: one per event, delivered in spite of crashes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from gitsync.errors import LeaseLost
from gitsync.models import Repository, SyncRun, Trigger
from gitsync.sync import remote, status
from gitsync.sync.context import SyncContext, SyncOptions
from gitsync.sync.failure import SyncFailure
from gitsync.sync.lease import acquire
from kiok.notifications import content, sender
from kiok.notifications.content import Description
from kiok.notifications.models import (
    Notification,
    NotificationChannel,
    NotificationDelivery,
    NotificationEvent,
)
from tests.integration.conftest import Sync, yaml_dag
from tests.support.notification_rows import BROKEN, events, fail, later, put
from tests.support.servers.https import HttpsServer
from tests.support.servers.receiver import WebhookServer
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


# Which notifications are sent, and when.


def test_a_failure_and_the_recovery_are_notified_once_each(
    work_repo: WorkRepo,
    sync: Sync,
    repository: Repository,
    channel: NotificationChannel,
    server: WebhookServer,
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    assert events() == []
    Repository.objects.update(subpath="nowhere")
    for _ in range(3):
        sync()
    assert events() == ["failing"]
    Repository.objects.update(subpath="")
    for _ in range(3):
        sync()
    assert events() == ["failing", "recovered"]
    assert sender.deliver() == "2 notifications delivered"
    assert sender.deliver() == "0 notifications delivered"
    failing, recovered = (item.json for item in server.received)
    assert (failing["repository"], failing["state"], failing["before"]) == ("team", "failing", "in_sync")
    assert failing["owner"] == ""
    assert failing["reason"] == "subpath_missing"
    assert failing["remedy"]
    assert "nowhere" in failing["message"]
    assert failing["commit"] == recovered["commit"] == work_repo.head()
    assert (recovered["event"], recovered["before"], recovered["reason"]) == ("recovered", "failing", "")
    assert failing["time"] <= recovered["time"]


def test_the_owner_of_the_repository_is_named(
    repository: Repository, channel: NotificationChannel, server: WebhookServer
) -> None:
    Repository.objects.update(owner="Équipe <b>x</b>")
    fail(Repository.objects.get())
    assert sender.deliver() == "1 notifications delivered"
    NotificationChannel.objects.update(style="slack")
    put(Repository.objects.get(), "again")
    assert sender.deliver() == "1 notifications delivered"
    as_json, as_slack = (item.json for item in server.received)
    assert as_json["owner"] == "Équipe <b>x</b>"
    (details,) = (block for block in as_slack["blocks"] if block["type"] == "context")
    assert "Owner: Équipe &lt;b&gt;x&lt;/b&gt;" in [element["text"] for element in details["elements"]]
    mail = content.mail_text(content.content_of(Notification.objects.earliest("pk")))
    assert "Owner: Équipe <b>x</b>" in mail.splitlines()


def test_a_file_that_breaks_and_its_fix_are_notified_immediately(
    work_repo: WorkRepo, sync: Sync, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": BROKEN})
    sync()
    work_repo.publish({"a.yaml": BROKEN, "b.yaml": yaml_dag("b")})
    sync()
    assert events() == ["degraded"]
    notification = Notification.objects.get()
    assert notification.reason == "files_failed"
    assert notification.message.startswith("1 file failed. a.yaml:5: ")
    assert "requires" in notification.message
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    assert events() == ["degraded", "recovered"]


def test_the_number_of_failed_polls_before_a_notification_is_a_property(
    repository: Repository, settings: Settings
) -> None:
    settings.KIOK = replace(settings.KIOK, notice_after_failures=1)
    fail(repository, transient=True)
    assert events() == ["failing"]


def test_a_transient_failure_is_notified_after_some_polls_in_a_row(
    work_repo: WorkRepo, repository: Repository, https_server: HttpsServer, sync: Sync, settings: Settings
) -> None:
    settings.KIOK = replace(settings.KIOK, gitsync_ssl_ca_info=https_server.ca_file, notice_after_failures=3)
    remote.client.cache_clear()
    try:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        Repository.objects.update(url=https_server.url("dags.git"))
        for _ in range(2):  # it is unreachable for two polls, twice
            https_server.status = None
            assert sync().state == "in_sync"
            https_server.status = 503
            for _ in range(2):
                assert sync().reason == "server_error"
        assert events() == []
        for _ in range(3):
            sync()
        assert events() == ["failing"]
        https_server.status = None
        for _ in range(2):
            assert sync().state == "in_sync"
        assert events() == ["failing", "recovered"]
        assert SyncRun.objects.filter(state="succeeded").count() == 1  # the others were polls, not syncs
    finally:
        remote.client.cache_clear()


def test_a_worker_that_lost_its_lease_sends_no_notification(repository: Repository) -> None:
    held = acquire(repository.pk)
    assert held is not None
    run = SyncRun.objects.create(
        repository=repository, lease_number=held.number, trigger="admin", started_at=timezone.now()
    )
    Repository.objects.update(lease_number=held.number + 1)
    with pytest.raises(LeaseLost):
        status.fail(
            held,
            run,
            SyncFailure("ref_missing", "gone", False),
            SyncContext(repository, SyncOptions(), run=run),
        )
    assert events() == []


def test_a_notification_is_stored_if_and_only_if_the_state_is(repository: Repository) -> None:
    with transaction.atomic():
        fail(repository)
        assert events() == ["failing"]
        transaction.set_rollback(True)
    repository.refresh_from_db()
    assert (repository.state, repository.notified_state, events()) == ("never", "", [])


def test_notifications_have_no_secrets_and_control_characters(repository: Repository) -> None:
    failure = SyncFailure("unknown", "https://u:hunter22@git.example.org/x\x1b[2J\nline " + "x" * 5000, False)
    status.fail_unreached(repository, failure, Trigger.SCHEDULE)
    message = Notification.objects.get().message
    assert "hunter22" not in message
    assert message.isprintable()
    assert len(message) <= 1000


def test_channels_get_notifications_of_their_repositories_alone(repository: Repository) -> None:
    ours, theirs = Group.objects.create(name="ours"), Group.objects.create(name="theirs")
    repository.groups.add(ours)
    other = Repository.objects.create(name="other")
    by_name = {
        name: NotificationChannel.objects.create(name=name, url="https://x.invalid/")
        for name in ("by group", "by repository", "by both", "of others", "of none")
    }
    by_name["by group"].groups.add(ours)
    by_name["by repository"].repositories.add(repository)
    by_name["by both"].groups.add(ours, theirs)
    by_name["by both"].repositories.add(repository, other)
    by_name["of others"].groups.add(theirs)
    by_name["of others"].repositories.add(other)
    NotificationChannel.objects.create(name="all", url="https://x.invalid/", all_repositories=True)
    NotificationChannel.objects.create(name="off", all_repositories=True, enabled=False)
    fail(repository)
    found = NotificationDelivery.objects.values_list("channel__name", flat=True)
    assert sorted(found) == ["all", "by both", "by group", "by repository"]


def test_an_event_is_described_by_the_app_that_registered_it(
    repository: Repository,
    channel: NotificationChannel,
    server: WebhookServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(content, "_describe", {})
    put(repository, "one")
    assert sender.deliver() == "0 notifications delivered"
    assert NotificationDelivery.objects.get().outcome == "no app describes the event 'failing'"
    content.register(
        [NotificationEvent.FAILING], lambda row: Description(f"{row.message} of another app", page="/x/")
    )
    later()
    assert sender.deliver() == "1 notifications delivered"
    assert server.received[0].json["title"] == "one of another app"
    assert server.received[0].json["repository"] == ""
