"""A sync that kills its worker: number of attempts, reason, and recovery."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta
from typing import Any

import pytest
from django_q.timeout import TimeoutHandler

from gitsync.models import Repository, SyncRun, Trigger
from gitsync.sync.lease import leave_request
from gitsync.sync.poll import poll
from gitsync.sync.report import SyncReport
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.cluster.clock import database_now
from kiok.metadata.models import Dag
from kiok.notifications.models import Notification
from tests.integration.conftest import yaml_dag
from tests.support.servers.repositories import WorkRepo
from tests.support.stateful.nursery import Nursery

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, POISON, CURE = (yaml_dag("a", f"echo {number}") for number in range(3))
DIED = ("abandoned", "worker_died")
FAILED = ("failed", "worker_died")
SUCCEEDED = ("succeeded", "")


class Poisoned:
    """A repository with a commit whose sync kills its worker in compile, as often as `die` is called."""

    def __init__(self, repository: Repository, work_repo: WorkRepo, nursery: Nursery) -> None:
        self.pk = repository.pk
        self._nursery = nursery
        work_repo.publish({"a.yaml": BEFORE})
        sync_repository(self.pk)
        self.commit = work_repo.publish({"a.yaml": POISON})

    @property
    def row(self) -> Repository:
        return Repository.objects.get(pk=self.pk)

    def die(self, times: int = 1, *, trigger: Trigger = Trigger.SCHEDULE, before: str = "plan") -> None:
        for _ in range(times):
            assert self._nursery.sync(self.pk, step=before, trigger=trigger), "it was not even tried"

    def sync(self, trigger: Trigger = Trigger.SCHEDULE, **options: Any) -> SyncReport:
        return sync_repository(self.pk, SyncOptions(trigger, **options))

    def until(self) -> datetime:
        """Until when it is put off."""
        return datetime.fromisoformat(self.row.last_outcome["until"])

    def runs(self) -> list[tuple[str, str]]:
        return list(SyncRun.objects.order_by("id").values_list("state", "reason"))


@pytest.fixture
def poisoned(repository: Repository, work_repo: WorkRepo, nursery: Nursery) -> Poisoned:
    return Poisoned(repository, work_repo, nursery)


@pytest.fixture
def put_off(poisoned: Poisoned) -> Poisoned:
    """After three deaths and the sync that found the last of them."""
    poisoned.die(3)
    assert poisoned.sync().reason == "worker_died"
    return poisoned


def test_three_worker_deaths_fail_the_sync_and_good_dags_stay_served(
    put_off: Poisoned,
) -> None:
    row = put_off.row
    assert (row.state, row.reason, row.last_commit) == ("failing", "worker_died", put_off.commit)
    died = f"the worker died 3 times in a row during a sync of commit {put_off.commit[:12]}"
    assert row.message.startswith(f"{died}, the last time in step compile: out of memory, crashed")
    assert put_off.runs() == [SUCCEEDED, DIED, DIED, FAILED]
    assert Dag.objects.values_list("version", "source", "stale_since").get() == (1, BEFORE, None)
    assert Notification.objects.values_list("event", "reason").get() == ("failing", "worker_died")


def test_it_is_polled_on_its_interval_and_retried_with_back_off(put_off: Poisoned) -> None:
    for number, minutes in ((4, 1), (5, 2), (6, 4)):
        requested = database_now()
        pause = put_off.until() - requested
        assert timedelta(minutes=minutes - 0.5) < pause <= timedelta(minutes=minutes)
        assert not poll(put_off.pk), "it is to be tried only after the pause"
        row = put_off.row
        assert row.checked_at is not None
        assert row.checked_at >= requested
        assert timedelta(0) < row.next_due_at - row.checked_at <= timedelta(minutes=1)
        assert (row.state, row.reason) == ("failing", "worker_died")

        Repository.objects.update(last_outcome=row.last_outcome | {"until": requested.isoformat()})
        assert poll(put_off.pk)
        put_off.die()
        assert f"{number} times in a row" in put_off.sync().message
    assert put_off.runs()[-3:] == [FAILED] * 3
    assert Notification.objects.count() == 1


def test_a_worker_death_before_the_commit_is_known_delays_polls(poisoned: Poisoned) -> None:
    poisoned.die(3, before="discover")
    requested = database_now()
    message = poisoned.sync().message
    assert "during a sync before the commit was fetched, the last time in step fetch: " in message
    row = poisoned.row
    assert (row.reason, row.last_outcome) == ("worker_died", {})
    assert row.next_due_at > requested + timedelta(minutes=0.9)
    assert poisoned.sync(Trigger.ADMIN).ok


def test_two_worker_deaths_in_a_row_have_no_effect(poisoned: Poisoned, work_repo: WorkRepo) -> None:
    poisoned.die(2)
    assert poisoned.sync().ok
    work_repo.publish({"a.yaml": CURE})
    poisoned.die(2)
    assert poisoned.sync().ok
    assert poisoned.runs() == [SUCCEEDED, *[DIED, DIED, SUCCEEDED] * 2]
    assert not Notification.objects.exists()


def test_worker_deaths_at_another_commit_do_not_count(poisoned: Poisoned, work_repo: WorkRepo) -> None:
    poisoned.die(2)
    commit = work_repo.publish({"a.yaml": CURE})
    poisoned.die(2)
    assert poisoned.sync().to_commit == commit


def test_a_new_commit_is_tried_immediately(put_off: Poisoned, work_repo: WorkRepo) -> None:
    commit = work_repo.publish({"a.yaml": CURE})
    assert poll(put_off.pk)
    report = put_off.sync()
    assert (report.state, report.to_commit) == ("in_sync", commit)
    assert put_off.row.consecutive_failures == 0
    assert [notification.event for notification in Notification.objects.order_by("id")] == [
        "failing",
        "recovered",
    ]


def test_an_edit_is_tried_immediately(put_off: Poisoned) -> None:
    Repository.objects.update(include="*.txt")
    assert poll(put_off.pk)
    assert put_off.sync().ok


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("is_answered", [False, True])
def test_a_request_is_tried_immediately_and_once(put_off: Poisoned, full: bool, is_answered: bool) -> None:
    put_off.die(trigger=Trigger.ADMIN)
    if is_answered:  # by a sync that a poll has queued
        put_off.sync()
    assert put_off.sync(Trigger.ADMIN, full=full, is_repeat=True).reason == "worker_died"
    assert put_off.runs() == [SUCCEEDED, DIED, DIED, FAILED, FAILED]
    assert put_off.sync(Trigger.ADMIN, full=full).ok


def test_a_request_left_with_a_dead_sync_is_done(poisoned: Poisoned) -> None:
    poisoned.die(3)
    assert leave_request(poisoned.pk, Trigger.ADMIN, "ada")
    assert poisoned.sync().ok
    assert poisoned.runs()[-2:] == [FAILED, SUCCEEDED]


def test_a_sync_over_its_time_limit_counts_as_a_worker_death(poisoned: Poisoned) -> None:
    poisoned.die(2)

    def hang(step: str, _detail: str) -> None:
        if step == "compile":
            signal.raise_signal(signal.SIGALRM)  # as when the time is up

    with pytest.raises(SystemExit), TimeoutHandler(600):
        sync_repository(poisoned.pk, SyncOptions(Trigger.SCHEDULE), hang)
    assert SyncRun.objects.order_by("id").last().log.endswith("maximum timeout value (600 seconds)")  # type: ignore[union-attr]
    assert poisoned.sync().reason == "worker_died"
    assert poisoned.runs() == [SUCCEEDED, DIED, DIED, FAILED]


def test_a_manually_interrupted_sync_is_no_worker_death(poisoned: Poisoned) -> None:
    def break_off(step: str, _detail: str) -> None:
        if step == "compile":
            raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            sync_repository(poisoned.pk, SyncOptions(), break_off)
    assert poisoned.sync().ok
    assert poisoned.runs() == [SUCCEEDED, *[("abandoned", "")] * 3, SUCCEEDED]
