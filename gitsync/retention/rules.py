"""Retention rules: what is removed by age, and what is kept however old it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now
from django_q.models import OrmQ, Task

from gitsync.models import Delivery, SyncRun, SyncState
from gitsync.retention.batches import BATCH, Aged, Expired, Looked, RetentionRule, delete
from kiok.metadata.models import Dag, DagRun, DagVersion, RunState, TaskRun
from kiok.properties.values import Properties

GOOD = (SyncState.SUCCEEDED, SyncState.PARTIAL)
ENDED = (RunState.SUCCESS, RunState.FAILED, RunState.CANCELLED)


def rules(config: Properties) -> list[RetentionRule]:
    """Return the rules for these properties. Runs come before versions, because a run keeps its version."""
    aged = [
        _syncs(config),
        _sync_logs(config),
        _runs(config),
        _versions(config),
        Aged(
            "deliveries",
            Delivery,
            "received_at",
            "repository_id",
            config.retention_deliveries_days,
            _each_of(Delivery),
        ),
    ]
    found: list[RetentionRule] = [rule for rule in aged if rule.days]
    found.append(Expired("sessions", lambda: Session.objects.filter(expire_date__lt=Now())))
    if config.retention_tasks_days:
        before = Now() - timedelta(days=config.retention_tasks_days)
        found.append(Expired("tasks", lambda: Task.objects.filter(stopped__lt=before)))
        # A claimed task has its lock in the future; these tasks were enqueued when there was no worker.
        found.append(Expired("tasks that no worker took", lambda: OrmQ.objects.filter(lock__lt=before)))
    return found


def _syncs(config: Properties) -> Aged:
    newest = config.retention_syncs_newest
    return Aged(
        "syncs",
        SyncRun,
        "started_at",
        "repository_id",
        config.retention_syncs_days,
        lambda looked: _passed_over(looked, newest),
    )


def _sync_logs(config: Properties) -> Aged:
    """Return the rule for sync logs, which are most of a sync's row. A sync that is always kept keeps its log."""
    newest = config.retention_syncs_newest
    return Aged(
        "sync logs",
        SyncRun,
        "started_at",
        "repository_id",
        config.retention_sync_logs_days,
        lambda looked: _passed_over(looked, newest).exclude(log=""),
        _clear_logs,
    )


def _clear_logs(syncs: QuerySet[Any]) -> bool:
    syncs.update(log="")
    return True


def _runs(config: Properties) -> Aged:
    newest = config.retention_runs_newest

    def may_go(looked: Sequence[Looked]) -> QuerySet[DagRun]:
        older = _older_than_newest(DagRun, looked, "created_at", newest)
        return DagRun.objects.filter(pk__in=older, state__in=ENDED)

    return Aged("runs", DagRun, "created_at", "uid", config.retention_runs_days, may_go, _delete_runs)


def _delete_runs(runs: QuerySet[Any]) -> bool:
    """Delete runs, a batch of their tasks first (a run may have 10 000); return whether all were deleted."""
    parts = list(TaskRun.objects.filter(dag_run__in=runs).order_by().values_list("pk", flat=True)[:BATCH])
    if parts:
        TaskRun.objects.filter(pk__in=parts).delete()
    return len(parts) < BATCH and delete(runs)


def _versions(config: Properties) -> Aged:
    """Return the rule for versions. It keeps the newest, from which numbering continues if a DAG returns, and those of runs.

    A run starts at the served version, which is the newest or was so a moment ago. At least two are kept, so that no
    version is removed while a run of it starts.
    """
    newest = config.retention_versions_newest

    def may_go(looked: Sequence[Looked]) -> QuerySet[DagVersion]:
        older = _older_than_newest(DagVersion, looked, "version", newest)
        same = {"uid": OuterRef("uid"), "version": OuterRef("version")}
        # Instead of NOT EXISTS, for which the planner may read all runs, this queries the index for each row.
        run, served = (model.objects.filter(**same).order_by().values("pk")[:1] for model in (DagRun, Dag))
        return DagVersion.objects.alias(run=Subquery(run), served=Subquery(served)).filter(
            pk__in=older, run=None, served=None
        )

    return Aged("versions", DagVersion, "created_at", "uid", config.retention_versions_days, may_go)


def _passed_over(looked: Sequence[Looked], newest: int) -> QuerySet[SyncRun]:
    """Return the syncs that may go: ended, not among the newest, not the last good or failed one of their repository."""
    of_repository = SyncRun.objects.filter(repository=OuterRef("repository_id")).order_by("-pk").values("pk")
    bounds = _by_group(
        SyncRun,
        looked,
        of_repository[newest - 1 : newest],
        of_repository.filter(state__in=GOOD)[:1],
        of_repository.filter(state=SyncState.FAILED)[:1],
    )
    going = []
    for row in looked:
        oldest_kept, *last = bounds[row.group]
        if oldest_kept and row.pk < oldest_kept and row.pk not in last:
            going.append(row.pk)
    return SyncRun.objects.filter(pk__in=going).exclude(state=SyncState.RUNNING)


def _each_of(model: type[Model]) -> Any:
    return lambda looked: model._default_manager.filter(pk__in=[row.pk for row in looked])


def _older_than_newest(model: type[Model], looked: Sequence[Looked], column: str, newest: int) -> list[Any]:
    """Return the keys of the rows that are not among the `newest` rows of their DAG, by the values of `column`."""
    of_dag = model._default_manager.filter(uid=OuterRef("uid")).order_by(f"-{column}")
    bounds = _by_group(model, looked, of_dag.values(column)[newest - 1 : newest])
    rows = model._default_manager.filter(pk__in=[row.pk for row in looked]).order_by()
    return [
        pk
        for pk, uid, value in rows.values_list("pk", "uid", column)
        if bounds[uid][0] is not None and value < bounds[uid][0]
    ]


def _by_group(
    model: type[Model], looked: Sequence[Looked], *values: QuerySet[Any]
) -> dict[Any, tuple[Any, ...]]:
    """Return the values of subqueries by group, evaluated for one row of each group.

    They are all None if that row was removed in the meantime.
    """
    one_of = {row.group: row.pk for row in looked}
    group_of = {pk: group for group, pk in one_of.items()}
    rows = model._default_manager.filter(pk__in=group_of).order_by()
    found = {
        group_of[pk]: tuple(of_row)
        for pk, *of_row in rows.values_list("pk", *(Subquery(value) for value in values))
    }
    return {group: found.get(group, (None,) * len(values)) for group in one_of}
