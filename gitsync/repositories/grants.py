"""Grants of connections, as far as a user may see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from gitsync.access import assignable_groups
from gitsync.models import Repository
from kiok.connections.models import Connection

VIEW_REPOSITORY = "gitsync.view_repository"


@dataclass(frozen=True, slots=True)
class Grants:
    """Grants of one connection: the names that the user may see, and the number of hidden teams and repositories."""

    everyone: bool
    teams: tuple[str, ...]
    repositories: tuple[str, ...]
    hidden_teams: int
    hidden_repositories: int


def visible_repositories(user: Any) -> QuerySet[Repository]:
    """Return the repositories that the user sees, by name; none without the permission to view repositories."""
    rows = Repository.objects.visible_to(user).order_by("name").only("name")
    return rows if user.has_perm(VIEW_REPOSITORY) else rows.none()


def visible_teams(user: Any) -> QuerySet[Any]:
    """Return the teams that the user sees, by name."""
    return assignable_groups(user).order_by("name")


def with_grants(rows: QuerySet[Any], user: Any) -> QuerySet[Any]:
    """Add what `grants_of` reads, without a further query."""
    teams = visible_teams(user).filter(usable_connections=OuterRef("pk"))
    repositories = visible_repositories(user).filter(granted_connections=OuterRef("pk"))
    granted: QuerySet[Any] = rows.annotate(
        visible_teams=ArraySubquery(teams.values("name")),
        visible_repositories=ArraySubquery(repositories.values("name")),
        n_teams=_number_of(Connection.usable_by_groups.through),
        n_repositories=_number_of(Repository.granted_connections.through),
    )
    return granted


def grants_of(connection: Any) -> Grants:
    """Return who may use a connection of `with_grants`."""
    # A user who sees none has no array.
    teams, repositories = tuple(connection.visible_teams or ()), tuple(connection.visible_repositories or ())
    return Grants(
        connection.usable_by_all,
        teams,
        repositories,
        hidden_teams=connection.n_teams - len(teams),
        hidden_repositories=connection.n_repositories - len(repositories),
    )


def _number_of(grants: Any) -> Coalesce:
    rows = grants.objects.filter(connection=OuterRef("pk")).order_by().values("connection")
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n")), 0, output_field=IntegerField())
