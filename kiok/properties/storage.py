"""Properties of the data that is kept: its age (`kiok.retention.*`) and its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kiok.properties.parsers import DIRECTORY, integer
from kiok.properties.property import days, row


@dataclass(frozen=True)
class StorageProperties:
    """Properties of the data that is kept: its age (`kiok.retention.*`) and its folder."""

    retention_syncs_days: int = row(
        "kiok.retention.syncs.days",
        days(),
        90,
        "Age after which syncs are removed, except each repository's newest, last successful and last failed sync; "
        "0: never.",
    )
    retention_syncs_newest: int = row(
        "kiok.retention.syncs.newest",
        integer(1, 1_000_000),
        100,
        "Number of newest syncs of each repository that are kept.",
    )
    retention_sync_logs_days: int = row(
        "kiok.retention.sync.logs.days",
        days(),
        30,
        "Age after which sync logs are removed, except those of each repository's newest, last successful and last failed "
        "sync; 0: together with the sync.",
    )
    retention_versions_days: int = row(
        "kiok.retention.versions.days",
        days(),
        365,
        "Age after which DAG versions are removed, except each DAG's newest and those that a run refers to; 0: never.",
    )
    retention_versions_newest: int = row(
        "kiok.retention.versions.newest",
        integer(2, 1_000_000),
        50,
        "Number of newest versions of each DAG that are kept.",
    )
    retention_runs_days: int = row(
        "kiok.retention.runs.days",
        days(),
        0,
        "Age after which finished runs and their tasks are removed, except each DAG's newest run; 0: never.",
    )
    retention_runs_newest: int = row(
        "kiok.retention.runs.newest",
        integer(1, 1_000_000),
        100,
        "Number of newest runs of each DAG that are kept.",
    )
    retention_deliveries_days: int = row(
        "kiok.retention.deliveries.days",
        days(),
        30,
        "Age after which webhook deliveries are removed; 0: never.",
    )
    retention_tasks_days: int = row(
        "kiok.retention.tasks.days",
        days(),
        2,
        "Age after which results of queue tasks are removed; 0: never.",
    )
    base_data_dir: Path = row(
        "kiok.base.data.dir",
        DIRECTORY,
        Path(".kiok"),
        "Folder for the git mirrors, generated keys and the embedded database; private to the service.",
    )
