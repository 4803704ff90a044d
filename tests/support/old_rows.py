"""Syncs, versions and runs of a given age."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from gitsync.models import Repository, SyncRun
from kiok.metadata.models import DagRun, DagVersion, TaskRun

NEVER = dict.fromkeys(
    [f"retention_{kind}_days" for kind in ("syncs", "sync_logs", "versions", "runs", "deliveries", "tasks")],
    0,
)


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def a_repository(name: str = "team") -> Repository:
    return Repository.objects.create(name=name, url="file:///nowhere.git", next_due_at=ago(-1))


def a_sync(repository: Repository, days: float, state: str = "succeeded", **values: Any) -> int:
    row = SyncRun.objects.create(
        repository=repository,
        lease_number=1,
        trigger="schedule",
        state=state,
        started_at=ago(days),
        finished_at=None if state == "running" else ago(days),
        **{"log": "0.000 began", **values},
    )
    return row.pk


def a_version(uid: str, version: int, days: float) -> None:
    DagVersion.objects.create(uid=uid, version=version, spec={}, spec_hash="", created_at=ago(days))


def a_run(uid: str, version: int, days: float, state: str = "SUCCESS", tasks: int = 1) -> int:
    run = DagRun.objects.create(uid=uid, version=version, trigger="manual", state=state)
    DagRun.objects.filter(pk=run.pk).update(created_at=ago(days))
    TaskRun.objects.bulk_create(TaskRun(dag_run=run, uid=uid, task_id=f"t{n}") for n in range(tasks))
    return run.pk


def versions_of(uid: str) -> list[int]:
    return list(DagVersion.objects.filter(uid=uid).order_by("version").values_list("version", flat=True))
