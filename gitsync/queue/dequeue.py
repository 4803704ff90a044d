"""Which turn a worker takes, within the limits on syncs at once. All of it as the store tells it, for all machines.

Whoever chooses has a lock meanwhile, for some milliseconds, so that no limit is passed. A turn counts as taken while
its worker is alive (`kiok.cluster.heartbeat`); that of a worker that is gone waits again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import Count, Min, Q, QuerySet
from django.db.models.functions import Now

from compilers.base import Kind
from gitsync.models import QueuedSync
from kiok.cluster import heartbeat
from kiok.cluster.conf import properties
from kiok.cluster.idle_timeout import limit_standstill

if TYPE_CHECKING:
    from compilers.pipeline import Share

LONG_SECONDS = 5.0
"""A sync that has so much to compile is long."""
SECONDS_A_FILE: Mapping[Kind, float] = {Kind.YAML: 0.0006, Kind.PYTHON: 0.0027, Kind.JAR: 0.03}
"""As measured (docs/performance.md: cold, yaml, jars)."""
_LOCK = 0x6B696F6B_7475726E  # "kiokturn"


@dataclass(frozen=True, slots=True)
class QueueLengths:
    """How many turns wait, how many workers are at one, and how long the oldest has waited, in seconds."""

    waiting: int
    taken: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class _Now:
    """Who is at what. `taken` are the turns of living workers, without those of the one that asks."""

    workers: frozenset[str]
    taken: tuple[QueuedSync, ...]

    @property
    def may_be_long(self) -> bool:
        """Whether one more long sync leaves a worker for others, or there is but one worker."""
        return sum(queued.is_long for queued in self.taken) < max(1, len(self.workers) - 1)


def claim(worker: str) -> QueuedSync | None:
    """Give the worker the turn that is due, if there is one that may begin. Raises DatabaseError."""
    with transaction.atomic():
        _lock()
        now = _now(worker)
        queued = eligible(now.workers, now.taken).first()
        if queued is not None:
            queued.is_repeat, queued.claimed_by = queued.claimed_by != "", worker
            QueuedSync.objects.filter(pk=queued.pk).update(claimed_by=worker, claimed_at=Now())
    return queued


def eligible(workers: Iterable[str], taken: Iterable[QueuedSync]) -> QuerySet[QueuedSync]:
    """The turns that may begin now, the one that is due first."""
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
    """Whether the worker may go on to compile all this now; if not, the turn waits again, as a long one."""
    if sum(share.due * SECONDS_A_FILE.get(share.kind, 0.0) for share in shares) < LONG_SECONDS:
        return True
    with transaction.atomic():
        _lock()
        may_go_on = _now(worker).may_be_long
        mine = QueuedSync.objects.filter(pk=queued.pk, claimed_by=worker)
        mine.update(is_long=True, **({} if may_go_on else {"claimed_by": "", "claimed_at": None}))
    return may_go_on


def finish(queued: str) -> None:
    """The turn is over, and its result stored. Raises DatabaseError."""
    QueuedSync.objects.filter(pk=queued).delete()


def queue_lengths(workers: Iterable[str]) -> QueueLengths:
    """As things stand while these workers are alive. One read. Raises DatabaseError."""
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
    """The workers that are alive, and the turns they are at."""
    now = _now("")
    return now.workers, now.taken


def _waits(workers: Iterable[str]) -> Q:
    return Q(claimed_by="") | ~Q(claimed_by__in=list(workers))


def _now(worker: str) -> _Now:
    """What the worker itself took before is over."""
    alive = frozenset(heartbeat.alive().values_list("name", flat=True))
    taken = QueuedSync.objects.filter(claimed_by__in=alive - {worker}).only("host", "is_long")
    return _Now(alive | ({worker} if worker else frozenset()), tuple(taken))


def _lock() -> None:
    limit_standstill()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
