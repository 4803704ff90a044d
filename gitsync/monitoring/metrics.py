"""What the store tells of Git Sync, for Prometheus.

Everything is read when it is asked for, so any process gives the same answer and none has to be kept alive for
it. A constant number of queries, however many repositories there are; no engine, no remote and no queue is asked.

What can go down, because rows may be cleared away or go with their repository, is a gauge, or a summary of a window
of time; a counter is only what the store itself never counts down. See docs/adr/0017-metrics-from-the-store.md.
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
MAX_RECENT_SYNCS = 5000
"""Of more syncs in the window the newest count, so that the cost has a bound: 5 000 take some 50 ms."""
QUANTILES = (0.5, 0.9, 0.99)
DISABLED = "disabled"
PAUSED = "paused"
"""The states, here, of a repository that is held back, whatever its last look found."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A line of the table in docs/operators.md. `kind` is Prometheus' type."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    def sample(self, value: float, *labels: str) -> Sample:
        """A value of it, with the values of its labels in their order."""
        return Sample(self, dict(zip(self.labels, labels, strict=True)), value)


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of what Prometheus reads."""

    metric: Metric
    labels: dict[str, str]
    value: float


BUILD_INFO = Metric("kiok_build_info", "gauge", ("version",), "1, with the version of the service.")
ENABLED = Metric(
    "kiok_gitsync_enabled",
    "gauge",
    (),
    "1 while repositories are synced on the interval (kiok.gitsync.enabled).",
)
REPOSITORIES = Metric(
    "kiok_gitsync_repositories",
    "gauge",
    ("state",),
    "Repositories by state: never, in_sync, degraded, failing; or paused, or disabled.",
)
LAST_GOOD = Metric(
    "kiok_gitsync_repository_last_good_sync_timestamp_seconds",
    "gauge",
    ("repository",),
    "When a commit was last applied, of active repositories that ever were; no push, no sync.",
)
LAST_CHECK = Metric(
    "kiok_gitsync_repository_last_check_timestamp_seconds",
    "gauge",
    ("repository",),
    "When the remote was last looked at, with success or not, of active repositories that ever were.",
)
NEXT_CHECK = Metric(
    "kiok_gitsync_repository_next_check_timestamp_seconds",
    "gauge",
    ("repository",),
    "When the remote of an active repository is to be looked at next; well in the past where nobody does.",
)
FAILURES = Metric(
    "kiok_gitsync_repository_consecutive_failures",
    "gauge",
    ("repository",),
    "Failures since the last success, of active repositories.",
)
DAGS = Metric("kiok_gitsync_repository_dags", "gauge", ("repository",), "DAGs registered from git.")
STALE_DAGS = Metric(
    "kiok_gitsync_repository_stale_dags",
    "gauge",
    ("repository",),
    "Of these, DAGs that serve as they last were because their file fails; of active repositories.",
)
FAILED_FILES = Metric(
    "kiok_gitsync_repository_failed_files",
    "gauge",
    ("repository",),
    "Files that failed at the last commit, of active repositories.",
)
SYNCS_RUNNING = Metric("kiok_gitsync_syncs_running", "gauge", (), "Syncs under way.")
RECENT_SYNCS = Metric(
    "kiok_gitsync_recent_syncs",
    "gauge",
    ("state", "reason"),
    "Syncs that ended within the last hour, of the newest 5000. The same failure seen again counts once.",
)
RECENT_SECONDS = Metric(
    "kiok_gitsync_recent_sync_seconds",
    "summary",
    ("quantile",),
    "How long those of them took that were applied.",
)
RECENT_STEP_SECONDS = Metric(
    "kiok_gitsync_recent_sync_step_seconds",
    "summary",
    ("step", "quantile"),
    "How long each of their steps took, those that failed included.",
)
LEADER_PRESENT = Metric(
    "kiok_gitsync_leader_present",
    "gauge",
    (),
    "1 while a worker process leads; only such look at repositories.",
)
LEADER_LEASE = Metric(
    "kiok_gitsync_leader_lease_expiration_timestamp_seconds",
    "gauge",
    (),
    "Until when the leader's lease runs; renewed each second to 5 s ahead. Absent after it was given back.",
)
LEADER_CHANGES = Metric(
    "kiok_gitsync_leader_changes_total", "counter", (), "How often a process became the leader."
)
WORKERS = Metric(
    "kiok_gitsync_workers", "gauge", (), "Worker processes that were alive within the last 15 s."
)
FAULTY_ENGINES = Metric(
    "kiok_gitsync_workers_without_engine",
    "gauge",
    (),
    "Of these, workers whose Docker engine does not answer, or lacks an image of the sandbox.",
)
POOL = Metric(
    "kiok_gitsync_pool_containers",
    "gauge",
    (),
    "Containers that stand ready: of each host with workers what they see of their engine, in sum.",
)
POOL_SIZE = Metric(
    "kiok_gitsync_pool_size",
    "gauge",
    (),
    "Containers of each language that are to stand ready on each host (kiok.sandbox.pool.size).",
)
DATA_FREE = Metric(
    "kiok_gitsync_data_free_bytes",
    "gauge",
    ("host",),
    "Space that is free for the data folder (kiok.base.data.dir), of each host with workers.",
)
QUEUE_TASKS = Metric(
    "kiok_gitsync_queue_tasks",
    "gauge",
    ("state",),
    "Syncs asked for or found due: waiting for a worker, or taken by one.",
)
NOTICES = Metric(
    "kiok_gitsync_notices",
    "gauge",
    ("kind", "state"),
    "Notices that have not arrived, by kind of receiver: waiting to be sent (again); given_up within the last day.",
)

LOGIN_FAILURES = Metric(
    "kiok_authentication_failures_total",
    "counter",
    ("kind",),
    "Refused logins and tokens: password, locked_out, api_token.",
)
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
"""All of them, in the order they are shown."""


class StoreCollector(Collector):
    """Asks the store anew for each scrape."""

    def collect(self) -> Iterable[Family]:
        """Every metric of the table, with the samples there are. Raises DatabaseError."""
        families = {
            metric.name: Family(metric.name.removesuffix("_total"), metric.meaning, metric.kind)
            for metric in METRICS
        }
        for sample in _samples():
            families[sample.metric.name].add_sample(sample.metric.name, sample.labels, sample.value)
        return families.values()


def exposition() -> bytes:
    """The page in Prometheus' text format 0.0.4. Raises DatabaseError."""
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
    """Three queries: the repositories, their DAGs, their failed files.

    One that is held back on purpose has none of the series that alarms are made of.
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
    """What each repository of these names holds; 0 where it holds nothing."""
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
    """Two queries: the newest key, then a range of keys, since a year's syncs are too many to look through.

    The planner has to see the range as it is: given a subquery instead, it reads the whole table.
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
    """Each quantile, by nearest rank: a value that was there. Nothing of nothing."""
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
    """One query."""
    rows = undelivered().values_list("receiver__kind", "state").annotate(number=Count("pk"))
    found = Counter({(kind, state): number for kind, state, number in rows})
    for kind in ReceiverKind.values:
        for state in (NoticeState.WAITING, NoticeState.GIVEN_UP):
            yield NOTICES.sample(found[kind, state], kind, state)
