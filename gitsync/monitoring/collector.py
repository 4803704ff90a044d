"""Values of the Prometheus metrics, read from the database.

All values are read at each scrape, so every process returns the same metrics and none has to stay alive for them. The
number of queries is constant, however many repositories there are. No engine, remote or queue is contacted.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q
from django.db.models.functions import Now
from prometheus_client import Metric as Family
from prometheus_client import generate_latest
from prometheus_client.registry import Collector

from gitsync.models import FileState, Repository, RepositoryState, SourceFile, SyncRun, SyncState
from gitsync.monitoring import metrics
from gitsync.monitoring.metrics import Sample
from gitsync.queue.dequeue import queue_lengths
from kiok.authentication import failures
from kiok.cluster import heartbeat
from kiok.cluster.conf import properties
from kiok.cluster.models import LeaderLease, Worker
from kiok.cluster.version import VERSION
from kiok.metadata.models import Dag, Origin
from kiok.notifications.models import ChannelKind, DeliveryState
from kiok.notifications.outbox import undelivered

WINDOW = timedelta(hours=1)
MAX_RECENT_SYNCS = 5000  # only the newest syncs of the window count, to limit the cost: 5000 take about 50 ms
QUANTILES = (0.5, 0.9, 0.99)
# The states of a repository that is disabled or paused, regardless of the outcome of its last poll.
DISABLED = "disabled"
PAUSED = "paused"


class StoreCollector(Collector):
    """Collector that reads the database at each scrape."""

    def collect(self) -> Iterable[Family]:
        """Return every metric with its samples. Raise DatabaseError."""
        families = {
            metric.name: Family(metric.name.removesuffix("_total"), metric.meaning, metric.kind)
            for metric in metrics.METRICS
        }
        for sample in _samples():
            families[sample.metric.name].add_sample(sample.metric.name, sample.labels, sample.value)
        return families.values()


def exposition() -> bytes:
    """Return the metrics in the Prometheus text format 0.0.4. Raise DatabaseError."""
    return generate_latest(StoreCollector())


def _samples() -> Iterator[Sample]:
    yield metrics.BUILD_INFO.sample(1, VERSION)
    yield metrics.ENABLED.sample(properties().gitsync_enabled)
    yield from _repositories()
    yield from _syncs()
    yield from _leader()
    workers = list(heartbeat.alive())
    yield from _workers(workers)
    yield from _queue(workers)
    yield from _notices()
    for kind, number in failures.counts().items():
        yield metrics.LOGIN_FAILURES.sample(number, kind)


def _repositories() -> Iterator[Sample]:
    """Yield the samples of repositories, with three queries: repositories, their DAGs, their failed files.

    A disabled or paused repository has none of the series that alerts use.
    """
    columns = ("name", "enabled", "paused_at", "state", "consecutive_failures", "next_due_at", "last_good_at")
    is_claimed = Repository.LEASE.held()
    rows = list(
        Repository.objects.annotate(is_claimed=is_claimed).values_list(
            *columns, "checked_at", "owner", "is_claimed"
        )
    )
    states = Counter(_state(enabled, paused_at, state) for _, enabled, paused_at, state, *_ in rows)
    for state in (*RepositoryState.values, PAUSED, DISABLED):
        yield metrics.REPOSITORIES.sample(states[state], state)
    yield metrics.SYNCS_RUNNING.sample(sum(bool(row[-1]) for row in rows))
    active = set()
    for name, enabled, paused_at, _, in_a_row, next_due_at, last_good_at, checked_at, owner, _ in rows:
        yield metrics.REPOSITORY_INFO.sample(1, name, owner)
        if not enabled or paused_at:
            continue
        active.add(name)
        yield metrics.FAILURES.sample(in_a_row, name)
        yield metrics.NEXT_CHECK.sample(next_due_at.timestamp(), name)
        if last_good_at:
            yield metrics.LAST_GOOD.sample(last_good_at.timestamp(), name)
        if checked_at:
            yield metrics.LAST_CHECK.sample(checked_at.timestamp(), name)
    yield from _contents([name for name, *_ in rows], active)


def _state(enabled: bool, paused_at: datetime | None, state: str) -> str:
    if not enabled:
        return DISABLED
    return PAUSED if paused_at else state


def _contents(names: Iterable[str], active: Container[str]) -> Iterator[Sample]:
    """Yield the numbers of DAGs and failed files of the named repositories, including zeros."""
    stale = Count("pk", filter=Q(stale_since__isnull=False))
    by_name = Dag.objects.filter(origin=Origin.GIT).order_by().values_list("repository")
    dags = {name: counts for name, *counts in by_name.annotate(number=Count("pk"), n_stale=stale)}
    failing = SourceFile.objects.filter(state=FileState.FAILED).order_by().values_list("repository__name")
    failed = dict(failing.annotate(number=Count("pk")))
    for name in names:
        number, n_stale = dags.get(name, (0, 0))
        yield metrics.DAGS.sample(number, name)
        if name in active:
            yield metrics.STALE_DAGS.sample(n_stale, name)
            yield metrics.FAILED_FILES.sample(failed.get(name, 0), name)


def _syncs() -> Iterator[Sample]:
    """Yield the samples of recent syncs, with two queries: the newest key, then a range of keys.

    A year of syncs is too many to scan. The range needs a literal value: with a subquery, the planner reads the whole table.
    """
    newest = SyncRun.objects.aggregate(newest=Max("pk"))["newest"] or 0
    recent = SyncRun.objects.filter(pk__gt=newest - MAX_RECENT_SYNCS).order_by()
    ended = recent.filter(finished_at__gte=Now() - WINDOW)
    counts: Counter[tuple[str, str]] = Counter()
    totals: list[float] = []
    steps: defaultdict[str, list[float]] = defaultdict(list)
    columns = ("state", "reason", "timings", "started_at", "finished_at")
    for state, reason, timings, started_at, finished_at in ended.values_list(*columns):
        counts[state, reason] += 1
        if state in (SyncState.SUCCEEDED, SyncState.PARTIAL):
            totals.append((finished_at - started_at).total_seconds())
        for step, seconds in timings.items():
            steps[step].append(seconds)
    for (state, reason), number in sorted(counts.items()):
        yield metrics.RECENT_SYNCS.sample(number, state, reason)
    for quantile, value in _quantiles(totals):
        yield metrics.RECENT_SECONDS.sample(value, quantile)
    for step, values in sorted(steps.items()):
        for quantile, value in _quantiles(values):
            yield metrics.RECENT_STEP_SECONDS.sample(value, step, quantile)


def _quantiles(values: list[float]) -> Iterator[tuple[str, float]]:
    """Yield each quantile by nearest rank, so that it is one of the values; nothing for no values."""
    ordered = sorted(values)
    if ordered:
        for quantile in QUANTILES:
            yield str(quantile), ordered[math.ceil(quantile * len(ordered)) - 1]


def _leader() -> Iterator[Sample]:
    rows = LeaderLease.objects.filter(pk=1).annotate(is_led=LeaderLease.LEASE.held())
    row: tuple[int, datetime | None, bool | None] | None
    row = rows.values_list("number", "expires_at", "is_led").first()
    number, expires_at, is_led = row or (0, None, False)
    yield metrics.LEADER_PRESENT.sample(bool(is_led))
    yield metrics.LEADER_CHANGES.sample(number)
    if expires_at:
        yield metrics.LEADER_LEASE.sample(expires_at.timestamp())


def _workers(workers: Sequence[Worker]) -> Iterator[Sample]:
    yield metrics.WORKERS.sample(len(workers))
    yield metrics.FAULTY_ENGINES.sample(sum(bool(worker.engine) for worker in workers))
    yield metrics.POOL.sample(heartbeat.containers_ready(workers))
    yield metrics.POOL_SIZE.sample(properties().sandbox_pool_size)
    for host, free_bytes in sorted(heartbeat.data_free_bytes(workers).items()):
        yield metrics.DATA_FREE.sample(free_bytes, host)


def _queue(workers: Iterable[Worker]) -> Iterator[Sample]:
    found = queue_lengths(worker.name for worker in workers)
    yield metrics.QUEUE_TASKS.sample(found.waiting, "waiting")
    yield metrics.QUEUE_TASKS.sample(found.taken, "taken")


def _notices() -> Iterator[Sample]:
    """Yield the samples of undelivered notifications, with one query."""
    rows = undelivered().values_list("channel__kind", "state").annotate(number=Count("pk"))
    found = Counter({(kind, state): number for kind, state, number in rows})
    for kind in ChannelKind.values:
        for state in (DeliveryState.WAITING, DeliveryState.GIVEN_UP):
            yield metrics.NOTICES.sample(found[kind, state], kind, state)
