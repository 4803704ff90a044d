"""`/dags` and `/dag`: the DAGs that are served now, their origin and their graph.

A uid contains slashes and `::`, so it is a query parameter: some servers and proxies decode, merge or refuse encoded
slashes in a path. See docs/adr/0018-api.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import QuerySet, TextField, Value
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Coalesce
from django.utils import timezone
from ninja import Router
from pydantic import Field

from gitsync.api import pages
from gitsync.api.auth import ApiRequest, BearerToken, Caller
from gitsync.api.pages import SORT, Column, Cursor, Limit, Order, Total, contains, or_earliest
from gitsync.api.problems import ApiRefusal, not_found
from gitsync.api.runs import VIEW as VIEW_RUN
from gitsync.api.runs import RunStateName
from gitsync.api.schemas import (
    ABSENT,
    Flag,
    Owner,
    RepositoryFilter,
    Search,
    Sent,
    Tag,
    Time,
    Uid,
    absent,
)
from gitsync.models import TokenScope
from kiok.metadata import time_zones
from kiok.metadata.admin.schedule import next_times
from kiok.metadata.admin.schedule_kinds import of_kind
from kiok.metadata.dag_warnings import warnings_of
from kiok.metadata.graph import GraphTooLarge, bounded
from kiok.metadata.json_length import JsonLength
from kiok.metadata.last_run import with_last_run
from kiok.metadata.models import Dag

router = Router(tags=["DAGs"], by_alias=True)

VIEW = "metadata.view_dag"
SEARCHED = ("uid", "dag_id", "name", "description", "owner")
BY_UID = Order(
    (Column("uid", str),),
    Column("uid", str),
    {
        "uid": Column("uid", str),
        "dagId": Column("dag_id", str),
        "name": Column("name", str),
        "repository": Column("repository", str),
        "schedule": Column("schedule_text", str),
        "staleSince": Column("stale_time", datetime),
        "lastRun": Column("last_run_time", datetime),
        "updatedAt": Column("updated_at", datetime),
    },
)

OriginName = Literal["git", "manual", "bundle"]
# Names of the kinds that `of_kind` calls yes (any schedule) and no (none).
KINDS = {"any": "yes", "none": "no"}
ScheduleKindName = Literal[
    "any", "none", "minutes", "hourly", "daily", "weekdays", "weekly", "monthly", "other"
]
NEVER_RAN = "none"
DagUid = Annotated[
    Uid, Field(description="The DAG's unique id.", examples=["team-dags/dags/nightly.py::nightly"])
]


class LastRun(Sent):
    """The newest run of a DAG."""

    id: int
    state: RunStateName
    created_at: datetime


class DagSummary(Sent):
    """A DAG in a list."""

    uid: str
    dag_id: str
    name: str
    description: str | None
    schedule: str | None
    owner: str = Field(
        description="The owner that the DAG names, otherwise that of its repository; empty: none."
    )
    tags: list[str]
    origin: OriginName
    repository: str
    source_path: str
    version: int
    tasks: int
    commit: str
    stale_since: Time = Field(description="Since when the DAG differs from its file; null: up to date.")
    stale_reason: str | None
    updated_at: datetime
    last_run: LastRun | None = Field(
        description="The newest run; null: it never ran, or the user may not view runs."
    )
    next_run: Time = Field(description="The next time of the schedule; null: no schedule, or it never fires.")


class DagPage(Sent):
    """A page of DAGs."""

    items: list[DagSummary]
    next: str | None
    total: Total


class DagWarningOut(Sent):
    """A reference of the DAG that may not be resolved, as of now."""

    reference: str = Field(description="The reference, as it is written in the DAG.")
    tasks: list[str] = Field(description="The ids of the tasks that contain it.")
    message: str


class DagOut(DagSummary):
    """A DAG with its spec and source."""

    spec: dict[str, Any] = Field(description="The compiled form; see docs/authors/compiled-form.md.")
    spec_hash: str
    source: str | None = Field(description="The source text of the DAG; null for a jar.")
    image_digest: str
    warnings: list[DagWarningOut] = Field(
        description="References to connections that do not exist or that the repository may not use."
    )
    created_at: datetime


class Node(Sent):
    """A task as a box; `x` and `y` are its upper left corner."""

    id: str
    type: str
    x: int
    y: int
    width: int
    height: int


class Edge(Sent):
    """A dependency: `source` runs before `target`."""

    source: str
    target: str
    points: list[tuple[int, int]] = Field(
        description="Points of the line between the boxes; empty where other edges imply this one."
    )


class Graph(Sent):
    """The tasks of a DAG and their dependencies, laid out in a picture of this size."""

    uid: str
    width: int
    height: int
    nodes: list[Node]
    edges: list[Edge]


@router.get("/dags", response=DagPage, auth=BearerToken(TokenScope.READ, VIEW), summary="List DAGs")
def dags(
    request: ApiRequest,
    limit: Limit = pages.DEFAULT_LIMIT,
    cursor: Cursor = ABSENT,
    repository: RepositoryFilter = ABSENT,
    stale: Annotated[
        Flag, Field(description="true: only stale DAGs; false: only DAGs that are not stale.")
    ] = ABSENT,
    origin: Annotated[OriginName, Field(description="Only DAGs of this origin.")] = ABSENT,
    owner: Annotated[
        Owner, Field(description="Only DAGs of this owner; empty: only DAGs without an owner.")
    ] = ABSENT,
    tag: Annotated[Tag, Field(description="Only DAGs that have this tag.")] = ABSENT,
    search: Annotated[
        Search, Field(description="Text to find in the uid, id, name, description or owner.")
    ] = ABSENT,
    schedule: Annotated[
        ScheduleKindName,
        Field(
            description="Only DAGs with a schedule of this kind; any: with a schedule; none: without; other: with a "
            "schedule of no other kind."
        ),
    ] = ABSENT,
    last_run: Annotated[
        Literal[RunStateName, "none"],
        Field(
            description="Only DAGs whose newest run is in this state; none: that never ran. Requires the permission "
            "`metadata.view_dagrun`, as does the order by `lastRun`."
        ),
    ] = absent("lastRun"),
    sort: Annotated[str, BY_UID, SORT] = ABSENT,
) -> DagPage:
    """List the DAGs that are served now, ordered by uid or by `sort`."""
    may_view_runs = request.auth.may(VIEW_RUN)
    if last_run or (sort and sort.endswith("lastRun")):
        request.auth.require(VIEW_RUN, "The last run")
    rows: QuerySet[Any] = Dag.objects.visible_to(request.auth.user)
    given = {"repository": repository, "origin": origin}
    rows = rows.filter(**{key: value for key, value in given.items() if value})
    if stale is not None:
        rows = rows.filter(stale_since__isnull=not stale)
    if owner is not None:
        rows = rows.filter(owner=owner)
    if tag:
        rows = rows.filter(tags__contains=[tag])
    if search:
        rows = rows.filter(contains(search, *SEARCHED))
    if schedule and (condition := of_kind(KINDS.get(schedule, schedule))):
        rows = rows.filter(condition)
    rows = with_last_run(rows.defer("spec", "source"))
    if last_run:
        rows = rows.filter(last_run_state=None if last_run == NEVER_RAN else last_run)
    rows = rows.annotate(
        n_tasks=JsonLength(KeyTransform("tasks", "spec")),
        schedule_text=Coalesce("schedule", Value(""), output_field=TextField()),
        stale_time=or_earliest("stale_since"),
        last_run_time=or_earliest("last_run_at"),
    )
    page = pages.cut(rows, BY_UID, request, limit, cursor, sort)
    zones = time_zones.of_dags(page.rows)
    items = [
        DagSummary(**_summary(row, row.n_tasks or 0, may_view_runs, zones.get(row.uid, time_zones.DEFAULT)))
        for row in page.rows
    ]
    return DagPage(items=items, next=page.next, total=page.total)


@router.get("/dag", response=DagOut, auth=BearerToken(TokenScope.READ, VIEW), summary="Read a DAG")
def dag(request: ApiRequest, uid: DagUid) -> DagOut:
    """Return one DAG as it is served: its spec, its source, and the origin of both."""
    row = _dag(request.auth, uid)
    return DagOut(
        **_summary(row, len(_tasks(row.spec)), request.auth.may(VIEW_RUN), time_zones.of_spec(row.spec)),
        spec=row.spec,
        spec_hash=row.spec_hash,
        source=row.source,
        image_digest=row.image_digest,
        warnings=[
            DagWarningOut(reference=item.subject, tasks=list(item.tasks), message=item.message)
            for item in warnings_of(row.repository, row.spec)
        ],
        created_at=row.created_at,
    )


@router.get(
    "/dag/graph", response=Graph, auth=BearerToken(TokenScope.READ, VIEW), summary="Read a DAG's graph"
)
def graph(request: ApiRequest, uid: DagUid) -> Graph:
    """Return the DAG's tasks as boxes and its dependencies as lines, as the DAG's page draws them.

    422 of type `graph-too-large` if the graph is too large to draw; the spec has the same tasks and dependencies.
    """
    row = _dag(request.auth, uid)
    try:
        picture = bounded(row.spec)
    except GraphTooLarge as exc:
        raise ApiRefusal(422, f"{exc} GET /api/v1/dag returns its spec.", code="graph_too_large") from exc
    return Graph(
        uid=row.uid,
        width=picture.width,
        height=picture.height,
        nodes=[
            Node(id=node.id, type=node.type, x=node.x, y=node.y, width=node.width, height=node.height)
            for node in picture.nodes
        ],
        edges=[
            Edge(source=edge.source, target=edge.target, points=list(edge.points)) for edge in picture.edges
        ],
    )


def _dag(caller: Caller, uid: str) -> Any:
    row: Any = with_last_run(Dag.objects.filter(uid=uid).visible_to(caller.user)).first()
    if row is None:
        raise not_found("DAG")
    return row


def _tasks(spec: Any) -> list[Any]:
    return list(spec.get("tasks") or []) if isinstance(spec, dict) else []


def _summary(row: Any, tasks: int, may_view_runs: bool, zone: str) -> dict[str, Any]:
    has_run = may_view_runs and row.last_run_state
    times = next_times(row.schedule, timezone.now(), 1, zone) if row.schedule else []
    return {
        "uid": row.uid,
        "dag_id": row.dag_id,
        "name": row.name,
        "description": row.description,
        "schedule": row.schedule,
        "owner": row.owner,
        "tags": row.tags,
        "origin": row.origin,
        "repository": row.repository,
        "source_path": row.source_path,
        "version": row.version,
        "tasks": tasks,
        "commit": row.commit_sha,
        "stale_since": row.stale_since,
        "stale_reason": row.stale_reason,
        "updated_at": row.updated_at,
        "last_run": LastRun(id=row.last_run_id, state=row.last_run_state, created_at=row.last_run_at)
        if has_run
        else None,
        "next_run": times[0] if times else None,
    }
