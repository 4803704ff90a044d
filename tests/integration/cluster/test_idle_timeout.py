"""A process that is stopped (SIGSTOP) while it holds a lock that others wait for loses the lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from gitsync import tasks
from gitsync.models import Priority, Repository, Trigger
from gitsync.queue import dequeue, enqueue
from gitsync.sync.context import SyncOptions
from gitsync.sync.lease import acquire, leave_request, release
from gitsync.sync.poll import settled
from tests.integration.conftest import Sync, yaml_dag
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

SCHEDULED = SyncOptions(trigger=Trigger.SCHEDULE)
LOCKS = ("FOR UPDATE", "pg_advisory_xact_lock", 'UPDATE "gitsync_repository"')


def give_back(repository: Repository) -> None:
    held = acquire(repository.pk)
    assert held is not None
    assert leave_request(repository.pk, Trigger.ADMIN)
    release(held)


def take_a_turn(repository: Repository) -> None:
    enqueue.enqueue(repository.pk, Priority.INTERACTIVE, ["admin", False, "", ""])
    assert dequeue.claim("ant/boot/1")


def fail_to_reach(repository: Repository) -> None:
    repository.url = "file:///nowhere.git"
    repository.save()
    settled(repository, SCHEDULED)
    assert Repository.objects.get().state == "failing"


def reach_again(repository: Repository) -> None:
    Repository.objects.update(state="failing", reason="network")
    repository.refresh_from_db()
    settled(repository, SCHEDULED)
    assert Repository.objects.get().state == "in_sync"


def ask_by_webhook(repository: Repository) -> None:
    assert tasks.enqueue_once(repository.pk, Trigger.WEBHOOK)


@pytest.mark.parametrize("action", [give_back, take_a_turn, fail_to_reach, reach_again, ask_by_webhook])
def test_transactions_that_hold_contended_locks_have_an_idle_timeout(
    action: Callable[[Repository], None], work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    limits: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if connection.in_atomic_block and any(lock in sql for lock in LOCKS):
            with connection.connection.cursor() as cursor:
                cursor.execute("SHOW idle_in_transaction_session_timeout")
                limits.append(cursor.fetchone()[0])
        return result

    with connection.execute_wrapper(watch):
        action(Repository.objects.get())

    assert limits
    assert set(limits) == {"20s"}
