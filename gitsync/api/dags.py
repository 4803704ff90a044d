"""`/dags` and `/dag`: the DAGs that are served now, their origin, their graph and their versions.

A uid contains slashes and `::`, so it is a query parameter: some servers and proxies decode, merge or refuse encoded
slashes in a path. See docs/adr/0018-api.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import Q
from django.db.models.fields.json import KeyTransform
from ninja import Router
from pydantic import Field

from gitsync.api import pages
from gitsync.api.auth import ApiRequest, BearerToken, Caller
from gitsync.api.pages import Column, Cursor, Limit
from gitsync.api.problems import ApiRefusal, not_found
from gitsync.api.schemas import ABSENT, Flag, Number, Owner, RepositoryFilter, Search, Sent, Tag, Time, Uid
from gitsync.models import TokenScope
from kiok.metadata.graph import GraphTooLarge, bounded
from kiok.metadata.json_length import JsonLength
from kiok.metadata.models import Dag, DagVersion

router = Router(tags=["DAGs"], by_alias=True)

VIEW = "metadata.view_dag"
VIEW_VERSION = "metadata.view_dagversion"
BY_UID = (Column("uid", str),)
NEWEST_VERSION_FIRST = (Column("version", int, descending=True),)

OriginName = Literal["git", "manual", "bundle"]
DagUid = Annotated[
    Uid, Field(description="The DAG's unique id.", examples=["team-dags/dags/nightly.py::nightly"])
]


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


class DagPage(Sent):
    """A page of DAGs, ordered by uid."""

    items: list[DagSummary]
    next: str | None


class DagOut(DagSummary):
    """A DAG with its spec and source."""

    spec: dict[str, Any] = Field(description="The compiled form; see docs/authors/compiled-form.md.")
    spec_hash: str
    source: str | None = Field(description="The source text of the DAG; null for a jar.")
    image_digest: str
    created_at: datetime


class VersionSummary(Sent):
    """A version in a list."""

    uid: str
    version: int
    commit: str
    commit_author: str = Field(description="The name of the author of `commit`; empty if unknown.")
    commit_subject: str = Field(description="The first line of the message of `commit`; empty if unknown.")
    commit_time: Time = Field(description="The time of `commit`; null: unknown.")
    spec_hash: str
    created_at: datetime


class VersionPage(Sent):
    """A page of a DAG's versions, newest first."""

    items: list[VersionSummary]
    next: str | None


class VersionOut(VersionSummary):
    """A version with its spec and source."""

    spec: dict[str, Any]
    source: str | None


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
) -> DagPage:
    """List the DAGs that are served now, ordered by uid."""
    rows = Dag.objects.visible_to(request.auth.user)
    given = {"repository": repository, "origin": origin}
    rows = rows.filter(**{key: value for key, value in given.items() if value})
    if stale is not None:
        rows = rows.filter(stale_since__isnull=not stale)
    if owner is not None:
        rows = rows.filter(owner=owner)
    if tag:
        rows = rows.filter(tags__contains=[tag])
    if search:
        fields = ("uid", "dag_id", "name", "description", "owner")
        condition = Q()
        for field in fields:
            condition |= Q(**{f"{field}__icontains": search})
        rows = rows.filter(condition)
    counted = rows.defer("spec", "source").annotate(n_tasks=JsonLength(KeyTransform("tasks", "spec")))
    cut, following = pages.cut(counted, BY_UID, request, limit, cursor)
    return DagPage(items=[DagSummary(**_summary(row, row.n_tasks or 0)) for row in cut], next=following)


@router.get("/dag", response=DagOut, auth=BearerToken(TokenScope.READ, VIEW), summary="Read a DAG")
def dag(request: ApiRequest, uid: DagUid) -> DagOut:
    """Return one DAG as it is served: its spec, its source, and the origin of both."""
    row = _dag(request.auth, uid)
    return DagOut(
        **_summary(row, len(_tasks(row.spec))),
        spec=row.spec,
        spec_hash=row.spec_hash,
        source=row.source,
        image_digest=row.image_digest,
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


@router.get(
    "/dag/versions",
    response=VersionPage,
    auth=BearerToken(TokenScope.READ, VIEW_VERSION),
    summary="List a DAG's versions",
)
def versions(
    request: ApiRequest, uid: DagUid, limit: Limit = pages.DEFAULT_LIMIT, cursor: Cursor = ABSENT
) -> VersionPage:
    """List the DAG's versions, newest first, including those of a deleted DAG."""
    rows = DagVersion.objects.filter(uid=uid).visible_to(request.auth.user).defer("spec", "source")
    cut, following = pages.cut(rows, NEWEST_VERSION_FIRST, request, limit, cursor)
    if not cut and not cursor:
        raise not_found("DAG")
    return VersionPage(items=[VersionSummary(**_version(row)) for row in cut], next=following)


@router.get(
    "/dag/versions/{version}",
    response=VersionOut,
    auth=BearerToken(TokenScope.READ, VIEW_VERSION),
    summary="Read a version of a DAG",
)
def version(
    request: ApiRequest,
    version: Annotated[Number, Field(description="The number of the version.")],
    uid: DagUid,
) -> VersionOut:
    """Return the DAG as it was at one version."""
    row = DagVersion.objects.filter(uid=uid, version=version).visible_to(request.auth.user).first()
    if row is None:
        raise not_found("version")
    return VersionOut(**_version(row), spec=row.spec, source=row.source)


def _dag(caller: Caller, uid: str) -> Dag:
    row: Dag | None = Dag.objects.filter(uid=uid).visible_to(caller.user).first()
    if row is None:
        raise not_found("DAG")
    return row


def _tasks(spec: Any) -> list[Any]:
    return list(spec.get("tasks") or []) if isinstance(spec, dict) else []


def _summary(row: Any, tasks: int) -> dict[str, Any]:
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
    }


def _version(row: DagVersion) -> dict[str, Any]:
    return {
        "uid": row.uid,
        "version": row.version,
        "commit": row.commit_sha,
        "commit_author": row.commit_author,
        "commit_subject": row.commit_subject,
        "commit_time": row.commit_time,
        "spec_hash": row.spec_hash,
        "created_at": row.created_at,
    }
