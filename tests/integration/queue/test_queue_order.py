"""The queue of syncs: order, limits, dead workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connections
from django.db.models.functions import Now
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from pytest_django import Settings

from compilers.pipeline import Share
from gitsync import tasks
from gitsync.models import QueuedSync, Repository, SyncRun, Trigger
from gitsync.queue import dequeue, dispatch
from gitsync.queue.tenant import Tenant, tenant_of
from gitsync.worker.poller import in_rotation
from kiok.cluster import heartbeat
from kiok.cluster.models import Worker

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = ("ant/1", "bee/1", "bee/2")
LARGE = (Share("python", 10_000, 10_000),)
SMALL = (Share("python", 10_000, 1),)


@pytest.fixture(autouse=True)
def three_workers() -> None:
    for name in WORKERS:
        Worker.objects.create(name=name, started_at=Now(), seen_at=Now())


def repositories(team: str, number: int, host: str = "git.example.com") -> list[Repository]:
    return Repository.objects.bulk_create(
        Repository(name=f"{team}-{at}", url=f"https://{host}/{team}/{at}.git") for at in range(number)
    )


def ask(rows: list[Repository], trigger: Trigger = Trigger.SCHEDULE) -> None:
    for row in rows:
        tasks.enqueue_sync(row.pk, trigger)


def take(worker: str = WORKERS[0]) -> str | None:
    """Return the name of the repository whose queued sync the worker claims."""
    turn = dequeue.claim(worker)
    return turn.repository.name if turn else None


def served(number: int) -> list[str | None]:
    """The repositories that one worker does one after the other."""
    names = []
    for _ in range(number):
        turn = dequeue.claim(WORKERS[0])
        names.append(turn.repository.name if turn else None)
        if turn:
            dequeue.finish(turn.pk)
    return names


def test_a_team_with_five_hundred_that_wait_delays_anothers_by_one(
    django_assert_max_num_queries: Any,
) -> None:
    rows = repositories("large", 500)
    ask(rows[:10])
    last = QueuedSync.objects.latest("number")
    assert last.number == 9
    QueuedSync.objects.bulk_create(
        QueuedSync(
            id=f"more-{at}",
            repository=row,
            arguments=last.arguments,
            priority=last.priority,
            tenant=last.tenant,
            host=last.host,
            number=at,
            requested_at=Now(),
        )
        for at, row in enumerate(rows[10:], start=10)
    )
    served(3)
    [lone] = repositories("small", 1)
    with django_assert_max_num_queries(12):
        ask([lone])
    assert lone.name in served(2)


def test_an_idle_repository_gets_no_credit_and_busy_ones_alternate() -> None:
    ask(repositories("large", 20))
    served(10)
    small = repositories("small", 5)
    order = []
    for row in small:
        ask([row])
        order += served(2)
    assert sum(str(name).startswith("large") for name in order) == 5


def test_concurrent_requests_get_different_numbers() -> None:
    def ask_for(row: Repository) -> None:
        try:
            tasks.enqueue_sync(row.pk, Trigger.WEBHOOK)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask_for, repositories("one", 40)))
    assert sorted(QueuedSync.objects.values_list("number", flat=True)) == list(range(40))


def test_requested_syncs_precede_polled_ones_of_the_same_tenant() -> None:
    rows = repositories("one", 5)
    ask(rows[:4])
    ask(rows[4:], Trigger.WEBHOOK)
    assert served(5) == ["one-4", "one-0", "one-1", "one-2", "one-3"]


def test_a_push_that_joins_a_polled_sync_does_not_wait_for_other_polls() -> None:
    rows = repositories("one", 5)
    for row in rows:
        assert tasks.enqueue_once(row.pk, Trigger.SCHEDULE)
    assert not tasks.enqueue_once(rows[3].pk, Trigger.SCHEDULE)
    assert not tasks.enqueue_once(rows[4].pk, Trigger.WEBHOOK)
    assert not tasks.enqueue_once(rows[2].pk, Trigger.WEBHOOK)
    assert not tasks.enqueue_once(rows[4].pk, Trigger.WEBHOOK)
    assert QueuedSync.objects.count() == 5
    assert served(6) == ["one-4", "one-0", "one-2", "one-1", "one-3", None]  # one of each lane in a round


def test_concurrent_coalesced_pushes_do_not_delay_each_other() -> None:
    rows = repositories("one", 3)
    for row in rows:
        assert tasks.enqueue_once(row.pk, Trigger.SCHEDULE)

    def join(_: int) -> None:
        try:
            assert not tasks.enqueue_once(rows[2].pk, Trigger.WEBHOOK)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(join, range(8)))
    assert (QueuedSync.objects.get(repository=rows[2]).number, served(1)) == (0, ["one-2"])


def test_a_due_queued_sync_keeps_its_place_when_a_push_is_coalesced() -> None:
    rows = repositories("one", 4)
    assert tasks.enqueue_once(rows[0].pk, Trigger.SCHEDULE)
    ask(rows[1:], Trigger.WEBHOOK)
    assert not tasks.enqueue_once(rows[0].pk, Trigger.WEBHOOK)
    assert set(served(2)) == {"one-0", "one-1"}


def test_a_team_is_a_group_or_else_the_owner_in_the_url() -> None:
    host = "git.example.com"
    assert tenant_of(f"https://{host}/team/a.git", None) == Tenant(f"{host}/team", host)
    assert tenant_of(f"git@{host}:team/sub/b.git", None) == Tenant(f"{host}/team", host)
    assert tenant_of(f"https://{host}/alone.git", None) == Tenant(f"{host}/", host)
    assert tenant_of(f"https://{host}/team/a.git", 7) == Tenant("group 7", host)
    assert tenant_of("file:///srv/git/a.git", None) == Tenant("/srv", "")
    assert tenant_of("no url at all", None) == Tenant("", "")
    first, second = repositories("one", 2)
    second.groups.add(Group.objects.create(name="team"))
    ask([first, second])
    assert QueuedSync.objects.values("tenant").distinct().count() == 2


def test_polls_rotate_through_the_tenants() -> None:
    a, b = Tenant("a", ""), Tenant("b", "")
    rows = [(pk, a, False, False, "") for pk in range(5)] + [(9, b, False, False, "")]
    assert [row[0] for row in in_rotation(rows)] == [0, 9, 1, 2, 3, 4]


def test_concurrent_syncs_are_limited_in_total_and_per_host(settings: Settings) -> None:
    ask(repositories("one", 3) + repositories("two", 1, "other.example.com"))
    settings.KIOK = replace(settings.KIOK, gitsync_host_syncs=1)
    assert take("ant/1") == "one-0"
    assert take("bee/1") == "two-0", "the next of the same host would be the second there"
    assert take("bee/2") is None
    settings.KIOK = replace(settings.KIOK, gitsync_max_syncs=2, gitsync_host_syncs=0)
    assert take("bee/2") is None
    settings.KIOK = replace(settings.KIOK, gitsync_max_syncs=3)
    assert take("bee/2") == "one-1"


def test_the_sync_of_a_dead_worker_is_queued_again() -> None:
    ask(repositories("one", 1))
    assert take("bee/1") == "one-0"
    assert take("ant/1") is None
    long_ago = Now() - timedelta(seconds=heartbeat.ALIVE_SECONDS + 1)
    Worker.objects.filter(name="bee/1").update(seen_at=long_ago)
    assert dequeue.queue_lengths(["ant/1", "bee/2"]).waiting == 1
    assert take("ant/1") == "one-0"


def test_long_syncs_leave_a_worker_to_others() -> None:
    ask(repositories("large", 3))
    turns = [dequeue.claim(worker) for worker in WORKERS]
    assert all(
        dequeue.admit(turn, worker, SMALL) for turn, worker in zip(turns, WORKERS, strict=True) if turn
    )
    admitted = [
        dequeue.admit(turn, worker, LARGE) for turn, worker in zip(turns, WORKERS, strict=True) if turn
    ]
    assert admitted == [True, True, False]
    assert take("bee/2") is None, "it waits until another long one has ended"
    ask(repositories("small", 1))
    assert take("bee/2") == "small-0"
    assert turns[0] is not None
    dequeue.finish(turns[0].pk)
    assert take("ant/1") == "large-2"


def test_a_single_worker_runs_long_syncs_too() -> None:
    Worker.objects.exclude(name="ant/1").delete()
    ask(repositories("large", 1))
    turn = dequeue.claim("ant/1")
    assert turn is not None
    assert dequeue.admit(turn, "ant/1", LARGE)


def test_a_repository_whose_last_sync_took_long_is_expected_to_again() -> None:
    rows = repositories("one", 2)
    SyncRun.objects.create(
        repository=rows[0],
        lease_number=1,
        trigger="schedule",
        started_at=Now() - timedelta(seconds=11),
        finished_at=Now(),
    )
    ask(rows)
    assert list(QueuedSync.objects.order_by("number").values_list("is_long", flat=True)) == [True, False]


def test_few_tasks_serve_many_requests_and_the_leader_sends_lost_ones() -> None:
    ask(repositories("one", 20))
    assert OrmQ.objects.count() == dispatch.ENOUGH
    assert dispatch.dispatch_waiting() == 0, "they have not waited long"
    OrmQ.objects.all().delete()
    QueuedSync.objects.update(requested_at=Now() - timedelta(seconds=dispatch.DISPATCH_SECONDS + 1))
    assert dispatch.dispatch_waiting() == len(WORKERS)
    sent = [SignedPackage.loads(row.payload)["id"] for row in OrmQ.objects.all()]
    assert set(sent) <= set(QueuedSync.objects.values_list("pk", flat=True))
    for worker in WORKERS:
        dequeue.claim(worker)
    OrmQ.objects.all().delete()
    assert dispatch.dispatch_waiting() == 0, "nobody is idle"


def test_removing_a_repository_removes_its_queued_syncs() -> None:
    rows = repositories("one", 2)
    ask(rows)
    rows[0].delete()
    assert served(2) == ["one-1", None]
    assert tasks.enqueue_sync(10**6, Trigger.ADMIN), (
        "a request after one that is gone gets a task all the same"
    )
