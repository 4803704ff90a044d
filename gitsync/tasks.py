"""The edges to django-q2: tasks, and the schedule.

Tasks take primary keys and may be delivered twice; what they call is fenced. A worker that is handed the task of a sync
does the sync whose turn it is (`gitsync.queue`), and the task's result is that one's.
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

from gitsync.errors import Requeue
from gitsync.models import Leadership, Priority, Repository, Trigger
from gitsync.queue import dispatch, django_q, enqueue, leader_schedule
from gitsync.worker.startup import WorkerProcess
from kiok import correlation
from kiok.cluster.conf import properties
from kiok.cluster.idle_timeout import limit_standstill

if TYPE_CHECKING:
    from gitsync.sync.request import SyncOptions

LEADER_SCHEDULE = leader_schedule.NAME
LEAD = leader_schedule.FUNCTION
SYNC = dispatch.TASK
DRY_RUN = "gitsync.tasks.dry_run"

log = logging.getLogger(__name__)


def enqueue_sync(repository_id: int, trigger: Trigger, *, full: bool = False, requested_by: str = "") -> str:
    """Have a worker sync a repository once the current transaction is committed. Returns the task's id.

    The sync goes by the correlation id of whoever asks here.
    """
    priority = Priority.SCHEDULED if trigger == Trigger.SCHEDULE else Priority.INTERACTIVE
    known = correlation.current() or correlation.made()
    return enqueue.enqueue(repository_id, priority, (str(trigger), full, requested_by, known))


def enqueue_dry_run(repository_id: int, *, full: bool = False) -> str:
    """Have a worker find out what a sync would do, once the current transaction is committed. Returns the task's id."""
    name = f"dry run {repository_id}"
    known = correlation.current() or correlation.made()
    return str(async_task(DRY_RUN, repository_id, full, known, q_options={"group": name, "task_name": name}))


def enqueue_once(repository_id: int, trigger: Trigger, *, requested_by: str = "") -> bool:
    """Enqueue a sync, unless one that was asked for by this waits for a worker already. Whether it was.

    One that waits because a look found something has its turn sooner when anybody else asks.
    """
    until = Now() + timedelta(milliseconds=properties().gitsync_sync_timeout_ms)
    not_waiting = Q(queued_until__isnull=True) | Q(queued_until__lte=Now())
    rows = Repository.objects.filter(pk=repository_id)
    waiting = rows.exclude(not_waiting).values_list("name", "queued_correlation_id")
    with correlation.bound() as known, transaction.atomic():
        # Read first, which waits for nobody: most requests of a flood go no further.
        joined = waiting.first()
        if joined is None:
            limit_standstill()
            if rows.filter(not_waiting).update(queued_until=until, queued_correlation_id=known):
                enqueue_sync(repository_id, trigger, requested_by=requested_by)
                return True
            joined = waiting.first()
        if joined:
            if trigger != Trigger.SCHEDULE:
                enqueue.promote(repository_id)
            log.info("a sync of %s waits for a worker already: this request joins %s", *joined)
    return False


def sync(
    repository_id: int, trigger: str, full: bool = False, requested_by: str = "", correlation_id: str = ""
) -> str:
    """Task: sync the repository whose turn it is; called rather than delivered by the queue, this one.

    The result is a line for people, free of secrets.
    """
    from gitsync.sync.request import SyncOptions

    if not django_q.is_delivered():
        with correlation.bound(correlation_id):
            return _sync(repository_id, SyncOptions(Trigger(trigger), requested_by, full))
    queued = django_q.claim()
    if queued is None:
        return "no turn may begin now"
    trigger, full, requested_by, correlation_id = queued.arguments
    request = SyncOptions(
        Trigger(trigger),
        requested_by,
        full,
        is_repeat=queued.is_repeat,
        admit=partial(django_q.admit, queued),
    )
    try:
        with correlation.bound(correlation_id):
            name = Repository.objects.filter(pk=queued.repository_id).values_list("name", flat=True).first()
            log.info("the turn is that of repository %s", name or "that is removed")
            return _sync(queued.repository_id, request)
    except Requeue as exc:
        django_q.requeue(queued, full=exc.full)
        return str(exc)


def _sync(repository_id: int, request: SyncOptions) -> str:
    """Raises Deferred where the request does not admit what is to be compiled."""
    from gitsync.sync.run import sync_repository

    # A push from now on needs a request of its own: the look below may come too early for it. And whatever becomes of
    # this one, should the database go before the claim, nobody waits for it.
    Repository.objects.filter(pk=repository_id, queued_until__isnull=False).update(queued_until=None)
    try:
        report = sync_repository(repository_id, request)
    except Repository.DoesNotExist:
        return f"repository {repository_id} is gone"
    return f"{report.name}: {report.state} {report.message}".strip()


def dry_run(repository_id: int, full: bool = False, correlation_id: str = "") -> dict[str, Any]:
    """Task: what a sync would do; see `gitsync.sync.dry_run`. `{}` where the repository is gone."""
    from gitsync.sync.dry_run import preview

    try:
        with correlation.bound(correlation_id):
            return preview(repository_id, full=full)
    except Repository.DoesNotExist:
        return {}


def lead() -> str:
    """Task: have this worker process stand for leader, if it does not yet."""
    _worker_process.stand_for_leader()
    return "standing for leader"


def connect() -> None:
    """Have every worker process stand for leader and keep its engine, and its tasks become turns."""
    _worker_process.connect()
    django_q.connect()


def ensure_schedule(**_: Any) -> None:
    """The schedule that keeps a leader alive: each minute some worker makes sure that it stands for it.

    With it the row that leaders are recorded in, which also names the installation.
    """
    Leadership.objects.get_or_create(pk=1)
    leader_schedule.ensure()


def _hand_to_worker(repository_id: int) -> None:
    """Enqueue a scheduled sync, unless one waits for a worker already."""
    enqueue_once(repository_id, Trigger.SCHEDULE)


_worker_process = WorkerProcess(_hand_to_worker)
