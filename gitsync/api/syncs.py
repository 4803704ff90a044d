"""`/syncs`: the changes, trigger and duration of each sync."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import F, QuerySet
from ninja import Router
from pydantic import Field

from gitsync.api import pages
from gitsync.api.auth import ApiRequest, BearerToken
from gitsync.api.pages import SORT, Column, Cursor, Limit, Order, Total, contains, or_earliest
from gitsync.api.problems import not_found
from gitsync.api.schemas import (
    ABSENT,
    CorrelationId,
    Flag,
    Instant,
    Key,
    RepositoryFilter,
    Search,
    Sent,
    Time,
    absent,
)
from gitsync.models import SyncRun, TokenScope
from gitsync.repositories.queries import CHANGES, counted_syncs

router = Router(tags=["syncs"], by_alias=True)

VIEW = "gitsync.view_syncrun"
SEARCHED = (
    "repository__name",
    "requested_by",
    "reason",
    "message",
    "from_commit",
    "to_commit",
    "correlation_id",
)
ORDER = Order(
    (Column("id", int, descending=True),),
    Column("id", int),
    {
        "startedAt": Column("started_at", datetime),
        "finishedAt": Column("finished", datetime),
        "repository": Column("repository_name", str),
        "state": Column("state", str),
        "trigger": Column("trigger", str),
    },
)

SyncStateName = Literal["running", "succeeded", "partial", "failed", "abandoned"]
TriggerName = Literal["schedule", "command", "admin", "webhook", "api"]


class Counts(Sent):
    """The number of DAGs per kind of change, and the number of problems in files."""

    created: int
    updated: int
    pruned: int
    stale: int
    unchanged: int
    problems: int


class SyncSummary(Sent):
    """A sync in a list."""

    id: int
    repository: str
    state: SyncStateName
    step: str = Field(description="The running step, or the step that failed.")
    reason: str
    message: str
    trigger: TriggerName
    requested_by: str
    correlation_id: str = Field(description="The id that the sync's log lines and containers carry too.")
    full: bool
    from_commit: str
    to_commit: str
    commit_author: str = Field(description="The name of the author of `toCommit`; empty if unknown.")
    commit_subject: str = Field(description="The first line of the message of `toCommit`; empty if unknown.")
    commit_time: Time = Field(description="The time of `toCommit`; null: unknown.")
    counts: Counts
    files_compiled: int
    files_reused: int = Field(description="Files whose cached result was used.")
    files_done: int = Field(description="How many of `filesTotal` are compiled so far.")
    files_total: int
    repeats: int = Field(description="How often the same failure occurred again.")
    started_at: datetime
    finished_at: Time


class SyncPage(Sent):
    """A page of syncs."""

    items: list[SyncSummary]
    next: str | None
    total: Total


class Changes(Sent):
    """The uids of the DAGs that a sync changed."""

    created: list[str]
    updated: list[str]
    pruned: list[str]
    stale: list[str]


class FailedFile(Sent):
    """A problem in a file, in one line."""

    path: str
    line: int | None
    message: str


class SyncOut(SyncSummary):
    """A sync with its changes, failed files and log."""

    changes: Changes
    failed_files: list[FailedFile]
    timings: dict[str, float] = Field(description="Seconds per step.")
    log: str = Field(description="The sync log, one line per event: seconds since the sync started, text.")


@router.get("", response=SyncPage, auth=BearerToken(TokenScope.READ, VIEW), summary="List syncs")
def syncs(
    request: ApiRequest,
    limit: Limit = pages.DEFAULT_LIMIT,
    cursor: Cursor = ABSENT,
    repository: RepositoryFilter = ABSENT,
    state: Annotated[SyncStateName, Field(description="Only syncs in this state.")] = ABSENT,
    trigger: Annotated[TriggerName, Field(description="Only syncs with this trigger.")] = ABSENT,
    full: Annotated[
        Flag, Field(description="true: only full syncs; false: only syncs that are not full.")
    ] = ABSENT,
    started_after: Annotated[
        Instant, Field(description="Only syncs that started at this time or later.")
    ] = absent("startedAfter"),
    started_before: Annotated[
        Instant, Field(description="Only syncs that started before this time.")
    ] = absent("startedBefore"),
    correlation_id: CorrelationId = absent("correlationId"),
    search: Annotated[
        Search,
        Field(
            description="Text to find in the repository's name, the user who requested the sync, the reason, the "
            "message, the commits or the correlation id."
        ),
    ] = ABSENT,
    sort: Annotated[str, ORDER, SORT] = ABSENT,
) -> SyncPage:
    """List syncs, newest first unless `sort` is sent. Polls that found nothing new are not listed."""
    rows: QuerySet[Any] = SyncRun.objects.select_related("repository").visible_to(request.auth.user)
    given = {
        "repository__name": repository,
        "state": state,
        "trigger": trigger,
        "correlation_id": correlation_id,
        "full": full,
        "started_at__gte": started_after,
        "started_at__lt": started_before,
    }
    rows = rows.filter(**{key: value for key, value in given.items() if value is not None})
    if search:
        rows = rows.filter(contains(search, *SEARCHED))
    rows = counted_syncs(rows).annotate(
        finished=or_earliest("finished_at"), repository_name=F("repository__name")
    )
    page = pages.cut(rows.defer("log"), ORDER, request, limit, cursor, sort)
    return SyncPage(items=[summary(row) for row in page.rows], next=page.next, total=page.total)


@router.get(
    "/{id}", response=SyncOut, auth=BearerToken(TokenScope.READ, VIEW), url_name="sync", summary="Read a sync"
)
def sync(request: ApiRequest, id: Annotated[Key, Field(description="The sync's id.")]) -> SyncOut:
    """Return one sync with its changes, failed files, duration per step, and sync log."""
    rows = SyncRun.objects.select_related("repository").visible_to(request.auth.user)
    row: Any = counted_syncs(rows).defer(None).filter(pk=id).first()
    if row is None:
        raise not_found("sync")
    return SyncOut(
        **dict(summary(row)),
        changes=Changes(**{name: row.changes.get(name, []) for name in CHANGES}),
        failed_files=[
            FailedFile(path=item["path"], line=item["line"], message=item["message"])
            for item in row.failed_files
        ],
        timings=row.timings,
        log=row.log,
    )


def summary(row: Any) -> SyncSummary:
    """Return the summary of a row of `counted_syncs`, read with its repository."""
    return SyncSummary(
        id=row.pk,
        repository=row.repository.name,
        state=row.state,
        step=row.step,
        reason=row.reason,
        message=row.message,
        trigger=row.trigger,
        requested_by=row.requested_by,
        correlation_id=row.correlation_id,
        full=row.full,
        from_commit=row.from_commit,
        to_commit=row.to_commit,
        commit_author=row.commit_author,
        commit_subject=row.commit_subject,
        commit_time=row.commit_time,
        counts=Counts(
            created=row.n_created,
            updated=row.n_updated,
            pruned=row.n_pruned,
            stale=row.n_stale,
            unchanged=row.unchanged,
            problems=row.n_problems,
        ),
        files_compiled=row.compiled,
        files_reused=row.reused,
        files_done=row.files_done,
        files_total=row.files_total,
        repeats=row.repeats,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
