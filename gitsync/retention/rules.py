"""What may go, and what stays however old it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.sessions.models import Session
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now
from django_q.models import OrmQ, Task

from gitsync.models import Delivery, SyncRun, SyncState
from gitsync.retention.batches import BATCH, Aged, Expired, Looked, RetentionRule, delete
from kiok.metadata.models import Dag, DagRun, DagVersion, RunState, TaskRun

if TYPE_CHECKING:
    from kiok.server.properties import Properties

GOOD = (SyncState.SUCCEEDED, SyncState.PARTIAL)
ENDED = (RunState.SUCCESS, RunState.FAILED, RunState.CANCELLED)


def rules(config: Properties) -> list[RetentionRule]:
    """The rules that these properties ask for. Runs before versions, which they keep."""
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
        # A task that is taken up has its lock in the future; this one was asked for when there was no worker.
        found.append(Expired("tasks nobody took up", lambda: OrmQ.objects.filter(lock__lt=before)))
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
    """The log is most of a sync's row. Where the sync stays for good, so does its log."""
    newest = config.retention_syncs_newest
    return Aged(
        "logs of syncs",
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
    """Delete runs, but first their tasks, of which there may be 10 000 each: so many at a time. Whether that was all."""
    parts = list(TaskRun.objects.filter(dag_run__in=runs).order_by().values_list("pk", flat=True)[:BATCH])
    if parts:
        TaskRun.objects.filter(pk__in=parts).delete()
    return len(parts) < BATCH and delete(runs)


def _versions(config: Properties) -> Aged:
    """Never the newest, by which numbers go on when a DAG returns, nor one that a run refers to.

    A run is begun at the version that is served. That is the newest, or a moment ago was: with two kept at least,
    none goes while a run of it begins.
    """
    newest = config.retention_versions_newest

    def may_go(looked: Sequence[Looked]) -> QuerySet[DagVersion]:
        older = _older_than_newest(DagVersion, looked, "version", newest)
        same = {"uid": OuterRef("uid"), "version": OuterRef("version")}
        # Not NOT EXISTS, for which the planner may read all runs there are: this asks the index for each row.
        run, served = (model.objects.filter(**same).order_by().values("pk")[:1] for model in (DagRun, Dag))
        return DagVersion.objects.alias(run=Subquery(run), served=Subquery(served)).filter(
            pk__in=older, run=None, served=None
        )

    return Aged("versions", DagVersion, "created_at", "uid", config.retention_versions_days, may_go)


def _passed_over(looked: Sequence[Looked], newest: int) -> QuerySet[SyncRun]:
    """Of these syncs, those that are over and neither of the newest of their repository, nor its last good or failed one."""
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
    """The keys of those that are none of so many newest of their DAG, the highest in a column."""
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
    """By group the values of subqueries, which are of a row's group: asked of one row of each.

    All None where somebody has removed that row meanwhile.
    """
    one_of = {row.group: row.pk for row in looked}
    group_of = {pk: group for group, pk in one_of.items()}
    rows = model._default_manager.filter(pk__in=group_of).order_by()
    found = {
        group_of[pk]: tuple(of_row)
        for pk, *of_row in rows.values_list("pk", *(Subquery(value) for value in values))
    }
    return {group: found.get(group, (None,) * len(values)) for group in one_of}
