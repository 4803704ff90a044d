"""`/connections`: the connections and what uses them, without any of their values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import Q
from ninja import Router
from pydantic import Field, StringConstraints

from gitsync.access import CONNECTIONS
from gitsync.api import pages
from gitsync.api.auth import ApiRequest, BearerToken, Caller
from gitsync.api.pages import SORT, Column, Cursor, Limit, Order, Total, contains
from gitsync.api.problems import not_found
from gitsync.api.repository_edit import FIELDS
from gitsync.api.schemas import ABSENT, RepositoryName, Search, Sent, Text, absent
from gitsync.models import Repository, TokenScope
from gitsync.repositories.grants import VIEW_REPOSITORY, Grants, grants_of, with_grants
from kiok.connections import usage
from kiok.connections.models import Connection
from kiok.notifications.models import NotificationChannel

router = Router(tags=["connections"], by_alias=True)

VIEW = "connections.view_connection"
VIEW_CHANNEL = "notifications.view_notificationchannel"
SEARCHED = ("id", "description")
BY_ID = Order(
    (Column("id", str),),
    Column("id", str),
    {
        "id": Column("id", str),
        "type": Column("type", str),
        "createdAt": Column("created_at", datetime),
        "updatedAt": Column("updated_at", datetime),
    },
)
_KEYS = {field: key for key, field in FIELDS.items() if field in CONNECTIONS}

ConnectionType = Literal["git", "secret", "s3", "jdbc", "kafka", "generic"]


class ConnectionUse(Sent):
    """A repository or notification channel that uses a connection."""

    kind: Literal["repository", "channel"]
    name: str
    field: str = Field(description="The field that names the connection, such as `credentialConnectionId`.")


class UsableBy(Sent):
    """Grants of a connection: the DAGs that may use it in references. If all are empty, no DAG may."""

    everyone: bool = Field(description="The DAGs of every repository, and DAGs of no repository.")
    teams: list[str] = Field(
        description="The DAGs of the repositories of these groups, as far as the caller may view the groups."
    )
    repositories: list[str] = Field(
        description="The DAGs of these repositories, as far as the caller may view them."
    )
    hidden: int = Field(description="The number of groups and repositories that the caller may not view.")


class ConnectionOut(Sent):
    """A connection. The values of its properties are in no response."""

    id: str
    type: ConnectionType
    description: str
    properties: list[str] = Field(description="The names of the stored properties.")
    used_by: list[ConnectionUse] = Field(
        description="The repositories and channels that use it, as far as the caller may view them."
    )
    used_in_all: int = Field(description="How many use it, including those that the caller may not view.")
    usable_by: UsableBy
    created_at: datetime
    updated_at: datetime


class ConnectionPage(Sent):
    """A page of connections."""

    items: list[ConnectionOut]
    next: str | None
    total: Total


@router.get("", response=ConnectionPage, auth=BearerToken(TokenScope.READ, VIEW), summary="List connections")
def connections(
    request: ApiRequest,
    limit: Limit = pages.DEFAULT_LIMIT,
    cursor: Cursor = ABSENT,
    type: Annotated[ConnectionType, Field(description="Only connections of this type.")] = ABSENT,
    search: Annotated[Search, Field(description="Text to find in the id or description.")] = ABSENT,
    usable_by: Annotated[
        RepositoryName,
        Field(description="Only connections that the DAGs of the repository with this name may use."),
    ] = absent("usableBy"),
    sort: Annotated[str, BY_ID, SORT] = ABSENT,
) -> ConnectionPage:
    """List the connections and what uses them, ordered by id or by `sort`. Their values are not readable."""
    rows = with_grants(Connection.objects.all(), request.auth.user)
    if type:
        rows = rows.filter(type=type)
    if search:
        rows = rows.filter(contains(search, *SEARCHED))
    if usable_by:
        visible = Repository.objects.visible_to(request.auth.user).filter(name=usable_by)
        shown = request.auth.may(VIEW_REPOSITORY) and visible.exists()
        rows = rows.filter(usage.usable_by(usable_by)) if shown else rows.none()
    page = pages.cut(rows, BY_ID, request, limit, cursor, sort)
    return ConnectionPage(items=_shown(request.auth, page.rows), next=page.next, total=page.total)


@router.get(
    "/{id}",
    response=ConnectionOut,
    auth=BearerToken(TokenScope.READ, VIEW),
    summary="Read a connection",
)
def connection(
    request: ApiRequest,
    id: Annotated[
        Text, StringConstraints(min_length=1, max_length=100), Field(description="The connection's id.")
    ],
) -> ConnectionOut:
    """Return one connection and what uses it. Its values are not readable."""
    rows = _shown(request.auth, with_grants(Connection.objects.filter(pk=id), request.auth.user))
    if not rows:
        raise not_found("connection")
    return rows[0]


def _shown(caller: Caller, rows: Iterable[Any]) -> list[ConnectionOut]:
    """Return connections of `with_grants` with what uses them, with a constant number of queries."""
    found: list[Any] = list(rows)
    uses = _uses(caller, [row.pk for row in found])
    return [
        ConnectionOut(
            id=row.pk,
            type=row.type,
            description=row.description,
            properties=row.property_names(),
            used_by=[use for use in uses[row.pk] if use is not None],
            used_in_all=len(uses[row.pk]),
            usable_by=_usable_by(grants_of(row)),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in found
    ]


def _usable_by(grants: Grants) -> UsableBy:
    return UsableBy(
        everyone=grants.everyone,
        teams=list(grants.teams),
        repositories=list(grants.repositories),
        hidden=grants.hidden_teams + grants.hidden_repositories,
    )


def _uses(caller: Caller, keys: list[str]) -> dict[str, list[ConnectionUse | None]]:
    """Return the uses of each connection; None for a use that the caller may not view."""
    uses: dict[str, list[ConnectionUse | None]] = defaultdict(list)
    sources: tuple[tuple[Literal["repository", "channel"], Any, str, dict[str, str]], ...] = (
        ("repository", Repository, VIEW_REPOSITORY, _KEYS),
        ("channel", NotificationChannel, VIEW_CHANNEL, {"secret": "connectionId"}),
    )
    for kind, model, permission, fields in sources:
        may_view = caller.may(permission)
        visible = Q(pk__in=model.objects.visible_to(caller.user).order_by().values("pk"))
        for field, key in fields.items():
            using = model.objects.filter(**{f"{field}__in": keys}).order_by("name").annotate(shown=visible)
            for name, used, shown in using.values_list("name", field, "shown"):
                use = ConnectionUse(kind=kind, name=name, field=key) if shown and may_view else None
                uses[used].append(use)
    return uses
