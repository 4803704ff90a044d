"""Table of the Prometheus metrics of Git Sync. `gitsync.monitoring.collector` reads their values.

A value that can decrease, as rows are removed by age or with their repository, is a gauge or a summary over a time window.
Only values that never decrease in the database are counters. See docs/adr/0017-metrics-from-the-store.md.
"""

from __future__ import annotations

from dataclasses import dataclass


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
REPOSITORY_INFO = Metric(
    "kiok_repository_info",
    "gauge",
    ("repository", "owner"),
    "Always 1 for each repository, with its default owner as a label; empty if it has none.",
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
    *(BUILD_INFO, ENABLED, REPOSITORIES, REPOSITORY_INFO, LAST_GOOD, LAST_CHECK, NEXT_CHECK, FAILURES),
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
