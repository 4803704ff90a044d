"""Prometheus metrics of Git Sync, read from the database.

All values are read at each scrape, so every process returns the same metrics and none has to stay alive for them. The
number of queries is constant, however many repositories there are. No engine, remote or queue is contacted.

A value that can decrease, as rows are removed by age or with their repository, is a gauge or a summary over a time window.
Only values that never decrease in the database are counters. See docs/adr/0017-metrics-from-the-store.md.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q
from django.db.models.functions import Now
from prometheus_client import Metric as Family
from prometheus_client import generate_latest
from prometheus_client.registry import Collector

from gitsync import VERSION
from gitsync.models import (
    FileState,
    NoticeState,
    ReceiverKind,
    Repository,
    RepositoryState,
    SourceFile,
    SyncRun,
    SyncState,
)
from gitsync.notices.outbox import undelivered
from gitsync.queue.dequeue import queue_lengths
from kiok.authentication import failures
from kiok.cluster import heartbeat
from kiok.cluster.conf import properties
from kiok.cluster.models import LeaderLease, Worker
from kiok.metadata.models import Dag, Origin

WINDOW = timedelta(hours=1)
MAX_RECENT_SYNCS = 5000  # only the newest syncs of the window count, to limit the cost: 5000 take about 50 ms
QUANTILES = (0.5, 0.9, 0.99)
# The states of a repository that is disabled or paused, regardless of the outcome of its last poll.
DISABLED = "disabled"
PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, as listed in docs/reference/metrics.md. `kind` is the Prometheus type."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    def sample(self, value: float, *labels: str) -> Sample:
        """Return a sample of the metric, with the values of its labels in their order."""
        return Sample(self, dict(zip(self.labels, labels, strict=True)), value)


@dataclass(frozen=True, slots=True)
class Sample:
    """A line in the Prometheus text format."""

    metric: Metric
    labels: dict[str, str]
    value: float


BUILD_INFO = Metric(
    "kiok_build_info", "gauge", ("version",), "Always 1, with the version of the service as a label."
)
ENABLED = Metric(
    "kiok_gitsync_enabled",
    "gauge",
    (),
    "1 if repositories are polled on the interval (kiok.gitsync.enabled), else 0.",
)
REPOSITORIES = Metric(
    "kiok_gitsync_repositories",
    "gauge",
    ("state",),
    "Repositories by state: never, in_sync, degraded, failing, paused or disabled.",
)
LAST_GOOD = Metric(
    "kiok_gitsync_repository_last_good_sync_timestamp_seconds",
    "gauge",
    ("repository",),
    "Time of the last applied commit, for active repositories that were ever synced. Without a push, it does not change.",
)
LAST_CHECK = Metric(
    "kiok_gitsync_repository_last_check_timestamp_seconds",
    "gauge",
    ("repository",),
    "Time of the last poll of the remote, successful or not, for active repositories that were ever polled.",
)
NEXT_CHECK = Metric(
    "kiok_gitsync_repository_next_check_timestamp_seconds",
    "gauge",
    ("repository",),
    "Time at which the next poll of an active repository is due. It lies well in the past if no leader polls.",
)
FAILURES = Metric(
    "kiok_gitsync_repository_consecutive_failures",
    "gauge",
    ("repository",),
    "Consecutive failures since the last success, for active repositories.",
)
DAGS = Metric(
    "kiok_gitsync_repository_dags", "gauge", ("repository",), "DAGs registered from the repository."
)
STALE_DAGS = Metric(
    "kiok_gitsync_repository_stale_dags",
    "gauge",
    ("repository",),
    "Stale DAGs: the last good version is served because the file fails. For active repositories.",
)
FAILED_FILES = Metric(
    "kiok_gitsync_repository_failed_files",
    "gauge",
    ("repository",),
    "Files that failed at the last commit, for active repositories.",
)
SYNCS_RUNNING = Metric("kiok_gitsync_syncs_running", "gauge", (), "Syncs that are running.")
RECENT_SYNCS = Metric(
    "kiok_gitsync_recent_syncs",
    "gauge",
    ("state", "reason"),
    "Syncs that ended within the last hour, out of the newest 5000. A repeated failure counts once.",
)
RECENT_SECONDS = Metric(
    "kiok_gitsync_recent_sync_seconds",
    "summary",
    ("quantile",),
    "Duration of the syncs in kiok_gitsync_recent_syncs that were applied.",
)
RECENT_STEP_SECONDS = Metric(
    "kiok_gitsync_recent_sync_step_seconds",
    "summary",
    ("step", "quantile"),
    "Duration of each step of the syncs in kiok_gitsync_recent_syncs, including failed ones.",
)
LEADER_PRESENT = Metric(
    "kiok_gitsync_leader_present",
    "gauge",
    (),
    "1 if a worker process is the leader, else 0. Only the leader polls repositories.",
)
LEADER_LEASE = Metric(
    "kiok_gitsync_leader_lease_expiration_timestamp_seconds",
    "gauge",
    (),
    "Expiry of the leader lease, which is renewed every second for 5 s. Absent after the leader has released it.",
)
LEADER_CHANGES = Metric(
    "kiok_gitsync_leader_changes_total",
    "counter",
    (),
    "Number of leader changes: how often a process became the leader.",
)
WORKERS = Metric("kiok_gitsync_workers", "gauge", (), "Worker processes with a heartbeat in the last 15 s.")
FAULTY_ENGINES = Metric(
    "kiok_gitsync_workers_without_engine",
    "gauge",
    (),
    "Alive worker processes whose Docker engine does not respond or lacks a sandbox image.",
)
POOL = Metric(
    "kiok_gitsync_pool_containers",
    "gauge",
    (),
    "Warm containers, summed over all hosts with workers.",
)
POOL_SIZE = Metric(
    "kiok_gitsync_pool_size",
    "gauge",
    (),
    "Target number of warm containers per language on each host (kiok.sandbox.pool.size).",
)
DATA_FREE = Metric(
    "kiok_gitsync_data_free_bytes",
    "gauge",
    ("host",),
    "Free disk space for the data folder (kiok.base.data.dir), for each host with workers.",
)
QUEUE_TASKS = Metric(
    "kiok_gitsync_queue_tasks",
    "gauge",
    ("state",),
    "Requested or due syncs by state: waiting for a worker, or taken by a worker.",
)
NOTICES = Metric(
    "kiok_gitsync_notices",
    "gauge",
    ("kind", "state"),
    "Undelivered notifications by kind of channel: waiting for an attempt, or given_up within the last day.",
)

LOGIN_FAILURES = Metric(
    "kiok_authentication_failures_total",
    "counter",
    ("kind",),
    "Refused logins and tokens by kind: password, locked_out, api_token.",
)
# All metrics, in the order of the output.
METRICS = (
    *(BUILD_INFO, ENABLED, REPOSITORIES, LAST_GOOD, LAST_CHECK, NEXT_CHECK, FAILURES),
    *(DAGS, STALE_DAGS, FAILED_FILES),
    *(SYNCS_RUNNING, RECENT_SYNCS, RECENT_SECONDS, RECENT_STEP_SECONDS),
    *(
        LEADER_PRESENT,
        LEADER_LEASE,
        LEADER_CHANGES,
        WORKERS,
        FAULTY_ENGINES,
        POOL,
        POOL_SIZE,
        DATA_FREE,
        QUEUE_TASKS,
        NOTICES,
    ),
    LOGIN_FAILURES,
)


class StoreCollector(Collector):
    """Collector that reads the database at each scrape."""

    def collect(self) -> Iterable[Family]:
        """Return every metric with its samples. Raise DatabaseError."""
        families = {
            metric.name: Family(metric.name.removesuffix("_total"), metric.meaning, metric.kind)
            for metric in METRICS
        }
        for sample in _samples():
            families[sample.metric.name].add_sample(sample.metric.name, sample.labels, sample.value)
        return families.values()


def exposition() -> bytes:
    """Return the metrics in the Prometheus text format 0.0.4. Raise DatabaseError."""
    return generate_latest(StoreCollector())


def _samples() -> Iterator[Sample]:
    yield BUILD_INFO.sample(1, VERSION)
    yield ENABLED.sample(properties().gitsync_enabled)
    yield from _repositories()
    yield from _syncs()
    yield from _leader()
    workers = list(heartbeat.alive())
    yield from _workers(workers)
    yield from _queue(workers)
    yield from _notices()
    for kind, number in failures.counts().items():
        yield LOGIN_FAILURES.sample(number, kind)


def _repositories() -> Iterator[Sample]:
    """Yield the samples of repositories, with three queries: repositories, their DAGs, their failed files.

    A disabled or paused repository has none of the series that alerts use.
    """
    columns = ("name", "enabled", "paused_at", "state", "consecutive_failures", "next_due_at", "last_good_at")
    is_claimed = Repository.LEASE.held()
    rows = list(
        Repository.objects.annotate(is_claimed=is_claimed).values_list(*columns, "checked_at", "is_claimed")
    )
    states = Counter(_state(enabled, paused_at, state) for _, enabled, paused_at, state, *_ in rows)
    for state in (*RepositoryState.values, PAUSED, DISABLED):
        yield REPOSITORIES.sample(states[state], state)
    yield SYNCS_RUNNING.sample(sum(bool(row[-1]) for row in rows))
    active = set()
    for name, enabled, paused_at, _, in_a_row, next_due_at, last_good_at, checked_at, _ in rows:
        if not enabled or paused_at:
            continue
        active.add(name)
        yield FAILURES.sample(in_a_row, name)
        yield NEXT_CHECK.sample(next_due_at.timestamp(), name)
        if last_good_at:
            yield LAST_GOOD.sample(last_good_at.timestamp(), name)
        if checked_at:
            yield LAST_CHECK.sample(checked_at.timestamp(), name)
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
        yield DAGS.sample(number, name)
        if name in active:
            yield STALE_DAGS.sample(n_stale, name)
            yield FAILED_FILES.sample(failed.get(name, 0), name)


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
        yield RECENT_SYNCS.sample(number, state, reason)
    for quantile, value in _quantiles(totals):
        yield RECENT_SECONDS.sample(value, quantile)
    for step, values in sorted(steps.items()):
        for quantile, value in _quantiles(values):
            yield RECENT_STEP_SECONDS.sample(value, step, quantile)


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
    yield LEADER_PRESENT.sample(bool(is_led))
    yield LEADER_CHANGES.sample(number)
    if expires_at:
        yield LEADER_LEASE.sample(expires_at.timestamp())


def _workers(workers: Sequence[Worker]) -> Iterator[Sample]:
    yield WORKERS.sample(len(workers))
    yield FAULTY_ENGINES.sample(sum(bool(worker.engine) for worker in workers))
    yield POOL.sample(heartbeat.containers_ready(workers))
    yield POOL_SIZE.sample(properties().sandbox_pool_size)
    for host, free_bytes in sorted(heartbeat.data_free_bytes(workers).items()):
        yield DATA_FREE.sample(free_bytes, host)


def _queue(workers: Iterable[Worker]) -> Iterator[Sample]:
    found = queue_lengths(worker.name for worker in workers)
    yield QUEUE_TASKS.sample(found.waiting, "waiting")
    yield QUEUE_TASKS.sample(found.taken, "taken")


def _notices() -> Iterator[Sample]:
    """Yield the samples of undelivered notifications, with one query."""
    rows = undelivered().values_list("receiver__kind", "state").annotate(number=Count("pk"))
    found = Counter({(kind, state): number for kind, state, number in rows})
    for kind in ReceiverKind.values:
        for state in (NoticeState.WAITING, NoticeState.GIVEN_UP):
            yield NOTICES.sample(found[kind, state], kind, state)
