"""`/dag/versions`: the versions of a DAG, including those of a deleted one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Router
from pydantic import Field

from gitsync.api import pages
from gitsync.api.auth import ApiRequest, BearerToken
from gitsync.api.dags import DagUid
from gitsync.api.pages import SORT, Column, Cursor, Limit, Order, Total
from gitsync.api.problems import not_found
from gitsync.api.schemas import ABSENT, Instant, Number, Search, Sent, Time, absent
from gitsync.models import TokenScope
from kiok.metadata.models import DagVersion

router = Router(tags=["DAGs"], by_alias=True)

VIEW = "metadata.view_dagversion"
NEWEST_VERSION_FIRST = Order(
    (Column("version", int, descending=True),),
    Column("version", int),
    {"version": Column("version", int), "createdAt": Column("created_at", datetime)},
)


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
    """A page of a DAG's versions."""

    items: list[VersionSummary]
    next: str | None
    total: Total


class VersionOut(VersionSummary):
    """A version with its spec and source."""

    spec: dict[str, Any]
    source: str | None


@router.get(
    "/dag/versions",
    response=VersionPage,
    auth=BearerToken(TokenScope.READ, VIEW),
    summary="List a DAG's versions",
)
def versions(
    request: ApiRequest,
    uid: DagUid,
    limit: Limit = pages.DEFAULT_LIMIT,
    cursor: Cursor = ABSENT,
    created_after: Annotated[
        Instant, Field(description="Only versions that were created at this time or later.")
    ] = absent("createdAfter"),
    created_before: Annotated[
        Instant, Field(description="Only versions that were created before this time.")
    ] = absent("createdBefore"),
    search: Annotated[Search, Field(description="Text to find in the commit.")] = ABSENT,
    sort: Annotated[str, NEWEST_VERSION_FIRST, SORT] = ABSENT,
) -> VersionPage:
    """List the DAG's versions, newest first unless `sort` is sent, including those of a deleted DAG."""
    every = DagVersion.objects.filter(uid=uid).visible_to(request.auth.user).defer("spec", "source")
    given = {
        "created_at__gte": created_after,
        "created_at__lt": created_before,
        "commit_sha__icontains": search,
    }
    rows = every.filter(**{key: value for key, value in given.items() if value is not None})
    page = pages.cut(rows, NEWEST_VERSION_FIRST, request, limit, cursor, sort)
    if not page.total and not every.exists():
        raise not_found("DAG")
    items = [VersionSummary(**_version(row)) for row in page.rows]
    return VersionPage(items=items, next=page.next, total=page.total)


@router.get(
    "/dag/versions/{version}",
    response=VersionOut,
    auth=BearerToken(TokenScope.READ, VIEW),
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
