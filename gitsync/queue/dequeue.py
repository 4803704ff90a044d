"""Dequeueing: which queued sync a worker claims, within the concurrency limits of all machines.

All decisions are based on the store. The worker that chooses holds a lock for some milliseconds, so that no limit is
exceeded. A queued sync counts as claimed while its worker is alive (`kiok.cluster.heartbeat`); after that it waits again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import Count, Min, Q, QuerySet
from django.db.models.functions import Now

from gitsync.models import QueuedSync
from kiok.cluster import heartbeat
from kiok.cluster.conf import properties
from kiok.cluster.idle_timeout import limit_idle_in_transaction

if TYPE_CHECKING:
    from compilers.pipeline import Share

LONG_SECONDS = 5.0  # a sync whose compile is estimated to take this long is a long one
_LOCK = 0x6B696F6B_7475726E  # "kiokturn"


@dataclass(frozen=True, slots=True)
class QueueLengths:
    """Queue lengths: waiting syncs, claimed syncs, and how long the oldest waiting one has waited, in seconds."""

    waiting: int
    taken: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class _Now:
    """Live workers and their claimed syncs. `taken` excludes those of the worker that asks."""

    workers: frozenset[str]
    taken: tuple[QueuedSync, ...]

    @property
    def may_be_long(self) -> bool:
        """Return whether one more long sync leaves a worker for others, or there is only one worker."""
        return sum(queued.is_long for queued in self.taken) < max(1, len(self.workers) - 1)


def claim(worker: str) -> QueuedSync | None:
    """Claim the queued sync that is due for the worker, if one may start. Raises DatabaseError."""
    with transaction.atomic():
        _lock()
        now = _now(worker)
        queued = eligible(now.workers, now.taken).first()
        if queued is not None:
            queued.is_repeat, queued.claimed_by = queued.claimed_by != "", worker
            QueuedSync.objects.filter(pk=queued.pk).update(claimed_by=worker, claimed_at=Now())
    return queued


def eligible(workers: Iterable[str], taken: Iterable[QueuedSync]) -> QuerySet[QueuedSync]:
    """Return the queued syncs that may start now, in the order in which they are due."""
    config = properties()
    now = _Now(frozenset(workers), tuple(taken))
    if config.gitsync_max_syncs and len(now.taken) >= config.gitsync_max_syncs:
        return QueuedSync.objects.none()
    rows = QueuedSync.objects.filter(_waits(now.workers))
    if config.gitsync_host_syncs:
        hosts = Counter(queued.host for queued in now.taken if queued.host)
        rows = rows.exclude(host__in=[name for name, n in hosts.items() if n >= config.gitsync_host_syncs])
    if not now.may_be_long:
        rows = rows.filter(is_long=False)
    return rows.order_by("number", "priority", "requested_at", "pk")


def admit(queued: QueuedSync, worker: str, shares: Iterable[Share]) -> bool:
    """Return whether the worker may compile these files now; if not, requeue the sync as a long one."""
    if sum(share.seconds for share in shares) < LONG_SECONDS:
        return True
    with transaction.atomic():
        _lock()
        may_go_on = _now(worker).may_be_long
        mine = QueuedSync.objects.filter(pk=queued.pk, claimed_by=worker)
        mine.update(is_long=True, **({} if may_go_on else {"claimed_by": "", "claimed_at": None}))
    return may_go_on


def finish(queued: str) -> None:
    """Delete a queued sync that is done and whose result is stored. Raises DatabaseError."""
    QueuedSync.objects.filter(pk=queued).delete()


def queue_lengths(workers: Iterable[str]) -> QueueLengths:
    """Return the queue lengths, given the workers that are alive. One query. Raises DatabaseError."""
    waits = _waits(workers)
    told = QueuedSync.objects.aggregate(
        all=Count("pk"),
        waiting=Count("pk", filter=waits),
        waited=Now() - Min("requested_at", filter=waits),
    )
    waited: timedelta | None = told["waited"]
    seconds = waited.total_seconds() if waited else 0.0
    return QueueLengths(told["waiting"], told["all"] - told["waiting"], seconds)


def busy_workers() -> tuple[frozenset[str], tuple[QueuedSync, ...]]:
    """Return the live workers and the queued syncs that they have claimed."""
    now = _now("")
    return now.workers, now.taken


def _waits(workers: Iterable[str]) -> Q:
    return Q(claimed_by="") | ~Q(claimed_by__in=list(workers))


def _now(worker: str) -> _Now:
    """Return the live workers and their claimed syncs; what `worker` itself claimed before counts as done."""
    alive = frozenset(heartbeat.alive().values_list("name", flat=True))
    taken = QueuedSync.objects.filter(claimed_by__in=alive - {worker}).only("host", "is_long")
    return _Now(alive | ({worker} if worker else frozenset()), tuple(taken))


def _lock() -> None:
    limit_idle_in_transaction()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
