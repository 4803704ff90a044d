"""The interface to django-q2: tasks, and the schedule.

Tasks take primary keys and may be delivered twice; the functions that they call are fenced. A sync task names no
repository: it runs the queued sync that is due (`gitsync.queue`), and its result is the result of that sync.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django_q.tasks import async_task

from gitsync.models import Priority, Repository, Trigger
from gitsync.queue import dispatch, enqueue, leader_schedule
from gitsync.queue.brokers.errors import BrokerAway
from gitsync.worker.startup import WorkerContext
from kiok import correlation
from kiok.cluster.conf import properties
from kiok.cluster.idle_timeout import limit_idle_in_transaction
from kiok.cluster.models import LeaderLease

if TYPE_CHECKING:
    from gitsync.sync.context import Requeue, SyncOptions

SYNC = dispatch.TASK
DRY_RUN = "gitsync.tasks.dry_run"
DELIVERY = "deliver notifications"  # name of the task

log = logging.getLogger(__name__)


def enqueue_sync(repository_id: int, trigger: Trigger, *, full: bool = False, requested_by: str = "") -> str:
    """Request a sync, which starts once the current transaction is committed. Return the id of the task.

    The sync has the correlation id of the caller.
    """
    priority = Priority.SCHEDULED if trigger == Trigger.SCHEDULE else Priority.INTERACTIVE
    known = correlation.current() or correlation.made()
    return enqueue.enqueue(repository_id, priority, (str(trigger), full, requested_by, known))


def enqueue_dry_run(repository_id: int, *, full: bool = False) -> str:
    """Request a dry run, which starts once the current transaction is committed. Return the id of the task."""
    name = f"dry run {repository_id}"
    known = correlation.current() or correlation.made()
    return str(async_task(DRY_RUN, repository_id, full, known, q_options={"group": name, "task_name": name}))


def enqueue_delivery(function: str) -> None:
    """Enqueue the task that sends notifications; log a warning if the broker is down. Raises DatabaseError."""
    try:
        async_task(function, q_options={"group": DELIVERY, "task_name": DELIVERY, "save": False})
    except BrokerAway as exc:
        log.warning("%s. Notifications wait until it is back", exc.found)


def enqueue_once(repository_id: int, trigger: Trigger, *, requested_by: str = "") -> bool:
    """Enqueue a sync, unless one that this function enqueued still waits for a worker. Return True if it was enqueued.

    A waiting sync that a poll requested is promoted when a user, a webhook or the API requests one too.
    """
    until = Now() + timedelta(milliseconds=properties().gitsync_sync_timeout_ms)
    not_waiting = Q(queued_until__isnull=True) | Q(queued_until__lte=Now())
    rows = Repository.objects.filter(pk=repository_id)
    waiting = rows.exclude(not_waiting).values_list("name", "queued_correlation_id")
    with correlation.bound() as known, transaction.atomic():
        # Read first, which waits for nobody: most requests of a flood go no further.
        joined = waiting.first()
        if joined is None:
            limit_idle_in_transaction()
            if rows.filter(not_waiting).update(queued_until=until, queued_correlation_id=known):
                enqueue_sync(repository_id, trigger, requested_by=requested_by)
                return True
            joined = waiting.first()
        if joined:
            if trigger != Trigger.SCHEDULE:
                enqueue.promote(repository_id)
            log.info("a sync of %s is already queued; this request is coalesced into %s", *joined)
    return False


def run_next_queued_sync() -> str:
    """Task: run the queued sync that is due, and return a line for people, free of secrets."""
    from gitsync.sync.context import Requeue, SyncOptions

    queued = WORKER.tasks.claim()
    if queued is None:
        return "no queued sync may start now"
    trigger, full, requested_by, correlation_id = queued.arguments
    options = SyncOptions(
        Trigger(trigger),
        requested_by,
        full,
        is_repeat=queued.is_repeat,
        admit=partial(WORKER.tasks.admit, queued),
    )
    with correlation.bound(correlation_id):
        name = Repository.objects.filter(pk=queued.repository_id).values_list("name", flat=True).first()
        log.info("running the queued sync of repository %s", name or "(deleted)")
        outcome = run_sync(queued.repository_id, options)
    if isinstance(outcome, Requeue):
        WORKER.tasks.requeue(queued, full=outcome.full)
        return outcome.reason
    return outcome


def run_sync(repository_id: int, options: SyncOptions) -> str | Requeue:
    """Sync a repository, and return a line for people, or Requeue if `options.admit` says that it has to wait."""
    from gitsync.sync import run
    from gitsync.sync.context import Requeue

    # A push from now on needs a request of its own: the poll below may come too early for it. And if the database fails
    # before the lease is taken, no request waits for this sync.
    Repository.objects.filter(pk=repository_id, queued_until__isnull=False).update(queued_until=None)
    try:
        outcome = run.run_sync(repository_id, options)
    except Repository.DoesNotExist:
        return f"repository {repository_id} was deleted"
    if isinstance(outcome, Requeue):
        return outcome
    return f"{outcome.name}: {outcome.state} {outcome.message}".strip()


def dry_run(repository_id: int, full: bool = False, correlation_id: str = "") -> dict[str, Any]:
    """Task: return what a sync would do; see `gitsync.sync.dry_run`. `{}` if the repository was deleted."""
    from gitsync.sync.dry_run import preview

    try:
        with correlation.bound(correlation_id):
            return preview(repository_id, full=full)
    except Repository.DoesNotExist:
        return {}


def lead() -> str:
    """Task: have this worker process campaign for the leader lease, if it does not yet."""
    WORKER.campaign()
    return "campaigning for leader"


def connect() -> None:
    """Have every worker process campaign for the leader lease, maintain its warm pool, and run queued syncs."""
    WORKER.connect()


def ensure_schedule(**_: Any) -> None:
    """Create the schedule that has a worker campaign for the leader lease every minute, and the row of that lease.

    The row also identifies the installation.
    """
    LeaderLease.objects.get_or_create(pk=1)
    leader_schedule.ensure()


def hand_to_worker(repository_id: int) -> None:
    """Enqueue a scheduled sync, unless one already waits for a worker."""
    enqueue_once(repository_id, Trigger.SCHEDULE)


WORKER = WorkerContext()  # of this process
