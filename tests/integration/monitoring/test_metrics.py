"""`/metrics`: values from the database, their queries, and read access."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from gitsync.models import Repository, SyncRun, Trigger
from gitsync.monitoring import collector, metrics
from gitsync.queue import dequeue
from gitsync.tasks import enqueue_sync
from kiok.cluster.leader import resign, take_lead
from kiok.cluster.models import LeaderLease, Worker
from kiok.cluster.version import VERSION
from kiok.metadata.models import Dag
from kiok.notifications.models import Notification, NotificationChannel, NotificationDelivery
from tests.integration.conftest import Sync, yaml_dag
from tests.support.metrics_page import labels_of, make_dags, make_store, make_syncs, scrape
from tests.support.servers.repositories import WorkRepo


@pytest.mark.django_db(transaction=True)
def test_results_of_a_sync_are_on_the_page(work_repo: WorkRepo, repository: Repository, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    page = scrape()
    assert page.value("gitsync_repositories", state="in_sync") == 1
    assert page.value("gitsync_repository_dags", repository="team") == 2
    assert page.value("gitsync_repository_stale_dags", repository="team") == 0
    assert page.value("gitsync_recent_syncs", state="succeeded", reason="") == 1

    work_repo.publish({"b.yaml": "dag:\n  id: b\ntasks:\n- id: x\n  require: [y]\n"})
    sync()
    page = scrape()
    repository.refresh_from_db()
    assert repository.last_good_at
    assert repository.checked_at
    assert page.value("gitsync_repositories", state="in_sync") == 0
    assert page.value("gitsync_repositories", state="degraded") == 1
    assert page.value("gitsync_repository_dags", repository="team") == 2
    assert page.value("gitsync_repository_stale_dags", repository="team") == 1
    assert page.value("gitsync_repository_failed_files", repository="team") == 1
    assert page.value("gitsync_repository_consecutive_failures", repository="team") == 0
    good = page.value("gitsync_repository_last_good_sync_timestamp_seconds", repository="team")
    assert good == pytest.approx(repository.last_good_at.timestamp(), abs=1e-3)
    checked = page.value("gitsync_repository_last_check_timestamp_seconds", repository="team")
    assert checked == pytest.approx(repository.checked_at.timestamp(), abs=1e-3)
    assert page.value("gitsync_recent_syncs", state="partial", reason="files_failed") == 1
    assert page.value("gitsync_syncs_running") == 0

    runs = SyncRun.objects.all()
    longest = max((run.finished_at - run.started_at).total_seconds() for run in runs if run.finished_at)
    assert page.value("gitsync_recent_sync_seconds", quantile="0.99") == pytest.approx(longest)
    for step in ("fetch", "compile", "plan", "apply"):
        slowest = max(run.timings[step] for run in runs)
        found = page.value("gitsync_recent_sync_step_seconds", step=step, quantile="0.99")
        assert found == pytest.approx(slowest)


@pytest.mark.django_db(transaction=True)
def test_a_repository_that_fails_is_seen_by_its_failures_and_its_reason(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    assert scrape().value("gitsync_repository_last_check_timestamp_seconds", repository="team") is None
    Repository.objects.update(ref="nowhere")
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    page = scrape()
    assert page.value("gitsync_repositories", state="failing") == 1
    assert page.value("gitsync_repository_consecutive_failures", repository="team") == 1
    assert page.value("gitsync_repository_last_good_sync_timestamp_seconds", repository="team") is None
    assert page.value("gitsync_repository_last_check_timestamp_seconds", repository="team")
    repository.refresh_from_db()
    assert page.value("gitsync_recent_syncs", state="failed", reason=repository.reason) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("held_back", "state"),
    [
        ({"enabled": False}, "disabled"),
        ({"paused_at": Now(), "pause_reason": "a move"}, "paused"),
        ({"enabled": False, "paused_at": Now()}, "disabled"),
    ],
)
def test_a_paused_repository_raises_no_alert_but_its_dags_count(
    held_back: dict[str, Any], state: str
) -> None:
    now = timezone.now()
    off = Repository.objects.create(
        name="off", state="failing", last_good_at=now, checked_at=now, **held_back
    )
    make_dags([off], 1)
    Dag.objects.update(stale_since=now)
    page = scrape()
    states = ("never", "in_sync", "degraded", "failing", "paused", "disabled")
    assert [page.value("gitsync_repositories", state=name) for name in states] == [
        int(name == state) for name in states
    ]
    assert page.value("gitsync_repository_dags", repository="off") == 1
    with_it = {name for name, family in page.families.items() if {"repository"} <= labels_of(family)}
    assert with_it == {"kiok_gitsync_repository_dags", "kiok_repository_info"}


@pytest.mark.django_db
def test_each_repository_has_its_owner_as_a_label() -> None:
    owner = 'Équipe "Ventes" \\ <b>x</b>'
    Repository.objects.create(name="team", owner=owner)
    Repository.objects.create(name="other", enabled=False)
    page = scrape()
    assert page.value("repository_info", repository="team", owner=owner) == 1
    assert page.value("repository_info", repository="other", owner="") == 1
    assert len(page.families["kiok_repository_info"].samples) == 2


@pytest.mark.django_db
def test_a_sync_under_way_counts_while_its_lease_runs() -> None:
    for name, expires in (("now", timedelta(minutes=1)), ("dead", -timedelta(minutes=1))):
        Repository.objects.create(name=name, lease_holder="w", lease_expires_at=timezone.now() + expires)
    assert scrape().value("gitsync_syncs_running") == 1


@pytest.mark.django_db
def test_only_the_newest_syncs_within_the_window_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository = Repository.objects.create(name="team")
    make_syncs([repository], 2, ended=timezone.now() - collector.WINDOW - timedelta(minutes=1))
    make_syncs([repository], 3)
    running = SyncRun.objects.create(repository=repository, lease_number=1, started_at=timezone.now())
    page = scrape()
    assert page.labels("gitsync_recent_syncs") == [{"state": "succeeded", "reason": ""}]
    assert page.value("gitsync_recent_syncs", state="succeeded", reason="") == 3
    running.delete()
    monkeypatch.setattr(collector, "MAX_RECENT_SYNCS", 2)
    assert scrape().value("gitsync_recent_syncs", state="succeeded", reason="") == 2


@pytest.mark.django_db
def test_a_quantile_is_a_value_that_was_there() -> None:
    repository = Repository.objects.create(name="team")
    for seconds in range(1, 11):
        make_syncs([repository], 1, timings={"fetch": float(seconds)})
    page = scrape()
    found = [
        page.value("gitsync_recent_sync_step_seconds", step="fetch", quantile=str(quantile))
        for quantile in collector.QUANTILES
    ]
    assert found == [5.0, 9.0, 10.0]


@pytest.mark.django_db
def test_the_leader_and_its_lease_are_on_the_page() -> None:
    LeaderLease.objects.all().delete()
    page = scrape()
    assert (page.value("gitsync_leader_present"), page.value("gitsync_leader_changes_total")) == (0, 0)
    lead = take_lead()
    assert lead is not None
    page = scrape()
    assert (page.value("gitsync_leader_present"), page.value("gitsync_leader_changes_total")) == (1, 1)
    until = page.value("gitsync_leader_lease_expiration_timestamp_seconds")
    expires_at = LeaderLease.objects.get().expires_at
    assert expires_at is not None
    assert until == pytest.approx(expires_at.timestamp(), abs=1e-3)
    LeaderLease.objects.update(expires_at=Now())
    page = scrape()
    assert page.value("gitsync_leader_present") == 0
    assert page.value("gitsync_leader_lease_expiration_timestamp_seconds") is not None
    resign(lead)
    assert scrape().value("gitsync_leader_lease_expiration_timestamp_seconds") is None


@pytest.mark.django_db
def test_workers_that_are_alive_count_and_those_of_a_host_share_its_engine() -> None:
    page = scrape()
    names = ("gitsync_workers", "gitsync_workers_without_engine", "gitsync_pool_containers")
    assert [page.value(name) for name in names] == [0, 0, 0]
    for name, engine, ready, seconds in (
        ("ant/1", "", 2, 0),
        ("ant/2", "", 1, 14),
        ("ant/3", "", 9, 16),
        ("bee/1", "", 3, 0),
        ("cat/1", "no Docker engine answers", 0, 0),
    ):
        seen = Now() - timedelta(seconds=seconds)
        Worker.objects.create(name=name, started_at=seen, seen_at=seen, engine=engine, ready=ready)
    page = scrape()
    assert [page.value(name) for name in names] == [4, 1, 5]


@pytest.mark.django_db
def test_the_least_free_space_that_a_hosts_workers_report_is_served() -> None:
    for name, free, seconds in (("ant/1", 9, 0), ("ant/2", 7, 0), ("ant/3", 1, 16), ("bee/1", None, 0)):
        seen = Now() - timedelta(seconds=seconds)
        Worker.objects.create(name=name, started_at=seen, seen_at=seen, data_free_bytes=free)
    page = scrape()
    assert page.labels("gitsync_data_free_bytes") == [{"host": "ant"}]
    assert page.value("gitsync_data_free_bytes", host="ant") == 7


@pytest.mark.django_db
def test_whether_repositories_are_synced_at_all_is_on_the_page(settings: Settings) -> None:
    assert scrape().value("gitsync_enabled") == 1
    settings.KIOK = replace(settings.KIOK, gitsync_enabled=False)
    assert scrape().value("gitsync_enabled") == 0
    assert scrape().value("build_info", version=VERSION) == 1


@pytest.mark.django_db(transaction=True)
def test_syncs_count_as_waiting_until_a_worker_takes_them(repository: Repository) -> None:
    for _ in range(3):
        enqueue_sync(repository.pk, Trigger.SCHEDULE)
    page = scrape()
    assert page.value("gitsync_queue_tasks", state="waiting") == 3
    assert page.value("gitsync_queue_tasks", state="taken") == 0
    Worker.objects.create(name="ant/boot/1", started_at=Now(), seen_at=Now())
    taken = dequeue.claim("ant/boot/1")
    assert taken is not None
    page = scrape()
    assert page.value("gitsync_queue_tasks", state="waiting") == 2
    assert page.value("gitsync_queue_tasks", state="taken") == 1
    dequeue.finish(taken.pk)
    assert scrape().value("gitsync_queue_tasks", state="taken") == 0


@pytest.mark.django_db
def test_waiting_notifications_are_counted_by_kind_of_channel() -> None:
    def counted() -> dict[tuple[str, str], float | None]:
        page = scrape()
        return {
            (kind, state): page.value("gitsync_notices", kind=kind, state=state)
            for kind in ("webhook", "email")
            for state in ("waiting", "given_up")
        }

    assert set(counted().values()) == {0}
    hook, off, mail = (
        NotificationChannel.objects.create(name=name, kind=kind, enabled=name != "off")
        for name, kind in (("hook", "webhook"), ("off", "webhook"), ("mail", "email"))
    )
    for channel, state, hours in (
        *((hook, "waiting", 0), (hook, "waiting", 30), (hook, "sent", 0), (off, "waiting", 0)),
        *((mail, "given_up", 23), (off, "given_up", 1), (hook, "given_up", 25)),
    ):
        NotificationDelivery.objects.create(
            notification=Notification.objects.create(event="test", at=Now()),
            channel=channel,
            state=state,
            attempted_at=timezone.now() - timedelta(hours=hours),
        )
    assert counted() == {
        ("webhook", "waiting"): 2,
        ("webhook", "given_up"): 0,
        ("email", "waiting"): 0,
        ("email", "given_up"): 1,
    }


@pytest.mark.django_db
def test_every_metric_is_announced_with_its_type_and_no_other_is_there() -> None:
    families = scrape().families
    assert {name: family.type for name, family in families.items()} == {
        metric.name.removesuffix("_total"): metric.kind for metric in metrics.METRICS
    }
    assert {family.name: family.documentation for family in families.values()} == {
        metric.name.removesuffix("_total"): metric.meaning for metric in metrics.METRICS
    }


@pytest.mark.django_db
def test_a_thousand_repositories_cost_as_many_queries_as_one() -> None:
    make_store(1)
    with CaptureQueriesContext(connection) as one:
        scrape()
    make_store(999, first=1)
    with CaptureQueriesContext(connection) as thousand:
        page = scrape()
    assert len(thousand) == len(one) == 10
    assert page.value("gitsync_repositories", state="in_sync") == 1000
    assert page.value("gitsync_repository_dags", repository="team-999") == 2
    assert page.value("gitsync_repository_failed_files", repository="team-999") == 1
    assert page.value("gitsync_recent_syncs", state="succeeded", reason="") == 1000
