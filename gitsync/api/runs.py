"""`/runs`: run history, including that of deleted DAGs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import QuerySet
from django.db.models.functions import Left
from ninja import Router
from pydantic import Field

from gitsync.api import pages
from gitsync.api.auth import ApiRequest, BearerToken
from gitsync.api.pages import SORT, Column, Cursor, Limit, Order, Total, or_earliest
from gitsync.api.problems import not_found
from gitsync.api.schemas import (
    ABSENT,
    Instant,
    Key,
    RepositoryFilter,
    Search,
    Sent,
    Text,
    Time,
    Uid,
    absent,
)
from gitsync.models import TokenScope
from kiok.metadata.models import DagRun

router = Router(tags=["runs"], by_alias=True)

VIEW = "metadata.view_dagrun"
# For the runs of one DAG or repository: both have an index in this order.
NEWEST_FIRST = (Column("created_at", datetime, descending=True), Column("id", int, descending=True))
LAST_FIRST = (Column("id", int, descending=True),)  # for all runs: the same order, by the primary key's index
ORDER = Order(
    LAST_FIRST,
    Column("id", int),
    {
        "createdAt": Column("created_at", datetime),
        "startedAt": Column("started", datetime),
        "finishedAt": Column("finished", datetime),
        "state": Column("state", str),
        "uid": Column("uid", str),
    },
)

MAX_LOG_CHARACTERS = 8_000_000  # of all task logs in one response

RunStateName = Literal["PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"]


class RunSummary(Sent):
    """A run in a list."""

    id: int
    uid: str
    version: int
    trigger: str
    state: RunStateName
    created_at: datetime
    started_at: Time
    finished_at: Time


class RunPage(Sent):
    """A page of runs."""

    items: list[RunSummary]
    next: str | None
    total: Total


class TaskRunOut(Sent):
    """A task of a run."""

    task_id: str
    state: RunStateName
    started_at: Time
    finished_at: Time
    exit_code: int | None
    log: str = Field(
        description="The task's log; truncated if the run's logs exceed 8 million characters together."
    )


class RunOut(RunSummary):
    """A run with its tasks."""

    tasks: list[TaskRunOut]


@router.get("", response=RunPage, auth=BearerToken(TokenScope.READ, VIEW), summary="List runs")
def runs(
    request: ApiRequest,
    limit: Limit = pages.DEFAULT_LIMIT,
    cursor: Cursor = ABSENT,
    uid: Annotated[Uid, Field(description="Only runs of the DAG with this uid.")] = ABSENT,
    repository: RepositoryFilter = ABSENT,
    state: Annotated[RunStateName, Field(description="Only runs in this state.")] = ABSENT,
    trigger: Annotated[Text, Field(description="Only runs that this started, such as `schedule`.")] = ABSENT,
    created_after: Annotated[
        Instant, Field(description="Only runs that were created at this time or later.")
    ] = absent("createdAfter"),
    created_before: Annotated[
        Instant, Field(description="Only runs that were created before this time.")
    ] = absent("createdBefore"),
    search: Annotated[Search, Field(description="Text to find in the DAG's uid.")] = ABSENT,
    sort: Annotated[str, ORDER, SORT] = ABSENT,
) -> RunPage:
    """List runs of DAGs, newest first unless `sort` is sent."""
    given = {
        "uid": uid,
        "repository": repository,
        "state": state,
        "trigger": trigger,
        "created_at__gte": created_after,
        "created_at__lt": created_before,
        "uid__icontains": search,
    }
    rows: QuerySet[Any] = DagRun.objects.visible_to(request.auth.user)
    rows = rows.filter(**{key: value for key, value in given.items() if value is not None})
    rows = rows.annotate(started=or_earliest("started_at"), finished=or_earliest("finished_at"))
    order = NEWEST_FIRST if uid or repository else LAST_FIRST
    page = pages.cut(rows, ORDER, request, limit, cursor, sort, default=order)
    items = [RunSummary(**_summary(row)) for row in page.rows]
    return RunPage(items=items, next=page.next, total=page.total)


@router.get("/{id}", response=RunOut, auth=BearerToken(TokenScope.READ, VIEW), summary="Read a run")
def run(request: ApiRequest, id: Annotated[Key, Field(description="The run's id.")]) -> RunOut:
    """Return one run with the state and log of each task."""
    row: Any = DagRun.objects.filter(pk=id).visible_to(request.auth.user).first()
    if row is None:
        raise not_found("run")
    shown = row.task_runs.defer("log")
    most = MAX_LOG_CHARACTERS // max(1, shown.count())
    tasks = [
        TaskRunOut(
            task_id=task.task_id,
            state=task.state,
            started_at=task.started_at,
            finished_at=task.finished_at,
            exit_code=task.exit_code,
            log=task.shown_log,
        )
        for task in shown.annotate(shown_log=Left("log", most)).order_by("id")
    ]
    return RunOut(**_summary(row), tasks=tasks)


def _summary(row: DagRun) -> dict[str, Any]:
    return {
        "id": row.pk,
        "uid": row.uid,
        "version": row.version,
        "trigger": row.trigger,
        "state": row.state,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }
