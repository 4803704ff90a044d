"""`gitsync.monitoring.health`: facts about leader, workers, sandbox, database and queue, and their queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from gitsync.models import QueuedSync, Repository, Trigger
from gitsync.monitoring import health
from gitsync.monitoring.health import HealthResult, facts
from gitsync.queue import dequeue
from gitsync.tasks import enqueue_sync
from kiok.checks import CheckStatus
from kiok.cluster.leader import take_lead
from kiok.cluster.models import LeaderLease, Worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_runs() -> None:
    LeaderLease.objects.all().delete()
    Worker.objects.all().delete()
    QueuedSync.objects.all().delete()


def fact(label: str) -> HealthResult:
    """The one of that label."""
    [found] = [fact for fact in facts() if fact.name == label]
    return found


def health_result(name: str, status: CheckStatus, word: str, detail: str) -> HealthResult:
    return HealthResult(name, status, detail, word=word)


def worker(name: str, *, engine: str = "", ready: int = 0, seconds_ago: float = 0.0) -> None:
    """A worker that was seen then, by the database's clock."""
    Worker.objects.create(
        name=name,
        started_at=timezone.now(),
        seen_at=Now() - timedelta(seconds=seconds_ago),
        engine=engine,
        ready=ready,
    )


def test_without_a_running_service_each_fact_has_a_remedy() -> None:
    assert [(found.name, found.status, found.word) for found in facts()] == [
        ("Leader", CheckStatus.FAIL, "None"),
        ("Workers", CheckStatus.FAIL, "None"),
        ("Sandbox", CheckStatus.UNKNOWN, "Unknown"),
        ("Database", CheckStatus.OK, "Reachable"),
        ("Queue", CheckStatus.OK, "Empty"),
    ]
    assert "manage.py qcluster" in fact("Leader").detail
    assert "manage.py qcluster" in fact("Workers").detail


def test_the_leader_is_named_and_whether_polling_is_switched_off(
    settings: Settings,
) -> None:
    lead = take_lead()
    assert lead is not None
    host, _, pid = lead.holder.split("/")[:3]
    assert fact("Leader") == health_result("Leader", CheckStatus.OK, "Alive", f"On {host}, process {pid}.")
    LeaderLease.objects.update(expires_at=Now())
    assert fact("Leader").failed
    worker("ant/1")
    assert "none is the leader" in fact("Leader").detail
    settings.KIOK = replace(settings.KIOK, gitsync_enabled=False)
    assert fact("Leader").failed, "it has more to do than to look"
    take_lead()
    looks = "It polls no repository: kiok.gitsync.enabled is false."
    assert fact("Leader") == health_result(
        "Leader", CheckStatus.OK, "Alive", f"On {host}, process {pid}. {looks}"
    )


def test_workers_are_counted_by_host_while_their_rows_are_fresh() -> None:
    worker("ant/boot/1")
    worker("ant/boot/2", seconds_ago=14)
    worker("ant/boot/3", seconds_ago=16)
    assert fact("Workers") == health_result("Workers", CheckStatus.OK, "2 alive", "On ant.")
    worker("bee/boot/1")
    assert fact("Workers") == health_result(
        "Workers", CheckStatus.OK, "3 alive", "On 2 hosts: 2 on ant, 1 on bee."
    )
    for number in range(10):
        worker(f"host-{number}/boot/1")
    assert fact("Workers").detail.endswith(" and 7 more.")


def test_the_sandbox_is_fine_until_a_worker_complains_with_its_host() -> None:
    worker("ant/boot/1", ready=2)
    worker("ant/boot/2", ready=1)
    worker("bee/boot/1", ready=2)
    worker("cat/boot/1", engine="long gone", seconds_ago=20)
    assert fact("Sandbox") == health_result("Sandbox", CheckStatus.OK, "Ready", "Warm containers: 4.")
    Worker.objects.filter(name__startswith="bee/").update(engine="no Docker engine answers")
    found = fact("Sandbox")
    assert (found.status, found.word) == (CheckStatus.FAIL, "Faulty on 1 of 2 hosts")
    assert found.detail == "bee: no Docker engine answers"
    Worker.objects.filter(name__startswith="ant/").delete()
    worker("bee/boot/2", engine="no Docker engine answered")
    assert fact("Sandbox") == health_result(
        "Sandbox", CheckStatus.FAIL, "Faulty", "no Docker engine answered"
    )


def test_a_migration_that_is_not_applied_is_seen() -> None:
    found = fact("Database")
    assert found.detail.startswith("PostgreSQL ")
    assert "MiB; all migrations are applied" in found.detail
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_migrations SET name = 'x' || name WHERE app || name = 'gitsync0001_initial'"
        )
        found = fact("Database")
        cursor.execute("UPDATE django_migrations SET name = substr(name, 2) WHERE name = 'x0001_initial'")
    assert (found.status, found.word) == (CheckStatus.FAIL, "Needs migration")
    assert "migrations not applied: 1. Run `manage.py migrate`" in found.detail
    assert fact("Database").status is CheckStatus.OK


def test_queued_syncs_are_counted_and_their_age_is_checked() -> None:
    repository = Repository.objects.create(name="team")
    enqueue_sync(repository.pk, Trigger.SCHEDULE)
    enqueue_sync(repository.pk, Trigger.SCHEDULE)
    found = fact("Queue")
    assert (found.status, found.word) == (CheckStatus.OK, "2 queued")
    QueuedSync.objects.update(requested_at=Now() - timedelta(seconds=90))
    assert fact("Queue").detail == "The oldest has been queued for 90 s; 0 running."
    worker("ant/boot/1")
    taken = dequeue.claim("ant/boot/1")
    assert taken is not None
    assert fact("Queue").detail == "The oldest has been queued for 90 s; 1 running."
    QueuedSync.objects.filter(claimed_by="").update(requested_at=Now() - timedelta(hours=3))
    assert fact("Queue") == health_result(
        "Queue", CheckStatus.FAIL, "1 queued", "The oldest has been queued for 3 h; 1 running."
    )
    dequeue.finish(taken.pk)
    assert fact("Queue").detail == "The oldest has been queued for 3 h; 0 running."


def test_a_hundred_workers_cost_as_many_queries_as_none(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    with django_assert_num_queries(4):
        facts()
    for number in range(100):
        worker(f"host-{number}/boot/1", engine=f"complaint {number}")
    with django_assert_num_queries(4):
        found = facts()
    assert all(len(fact.detail) < 500 for fact in found)


def test_long_messages_of_engines_are_cut() -> None:
    for number in range(health.MAX_NAMED + 2):
        worker(f"host-{number}/boot/1", engine=f"{number}" * 500)
    assert fact("Sandbox").detail.endswith(" and 2 more")
