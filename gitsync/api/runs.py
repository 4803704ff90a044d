"""`/runs`: run history, including that of deleted DAGs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models.functions import Left
from ninja import Router
from pydantic import Field

from gitsync.api import pages
from gitsync.api.auth import ApiRequest, BearerToken
from gitsync.api.pages import Column, Cursor, Limit
from gitsync.api.problems import not_found
from gitsync.api.schemas import ABSENT, Key, RepositoryFilter, Sent, Time, Uid
from gitsync.models import TokenScope
from kiok.metadata.models import DagRun

router = Router(tags=["runs"], by_alias=True)

VIEW = "metadata.view_dagrun"
# For the runs of one DAG or repository: both have an index in this order.
NEWEST_FIRST = (Column("created_at", datetime, descending=True), Column("id", int, descending=True))
LAST_FIRST = (Column("id", int, descending=True),)  # for all runs: the same order, by the primary key's index

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
    """A page of runs, newest first."""

    items: list[RunSummary]
    next: str | None


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
) -> RunPage:
    """List runs of DAGs, newest first."""
    given = {"uid": uid, "repository": repository, "state": state}
    rows = DagRun.objects.visible_to(request.auth.user)
    rows = rows.filter(**{key: value for key, value in given.items() if value})
    order = NEWEST_FIRST if uid or repository else LAST_FIRST
    cut, following = pages.cut(rows, order, request, limit, cursor)
    return RunPage(items=[RunSummary(**_summary(row)) for row in cut], next=following)


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
