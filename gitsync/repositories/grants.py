"""Who may use connections in references, as far as a user may see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce

from gitsync.access import assignable_groups
from gitsync.models import Repository
from kiok.connections.models import Connection

VIEW_REPOSITORY = "gitsync.view_repository"


@dataclass(frozen=True, slots=True)
class Grants:
    """Who may use a connection: the names that the user may see, and how many teams and repositories are hidden."""

    everyone: bool
    teams: tuple[str, ...]
    repositories: tuple[str, ...]
    hidden: int


def visible_repositories(user: Any) -> QuerySet[Repository]:
    """Return the repositories that the user sees, by name; none without the permission to view repositories."""
    rows = Repository.objects.visible_to(user).order_by("name").only("name")
    return rows if user.has_perm(VIEW_REPOSITORY) else rows.none()


def visible_teams(user: Any) -> QuerySet[Any]:
    """Return the teams that the user sees, by name."""
    return assignable_groups(user).order_by("name")


def with_grants(rows: QuerySet[Any], user: Any) -> QuerySet[Any]:
    """Add what `grants_of` reads, with a constant number of queries."""
    return rows.prefetch_related(
        Prefetch("usable_by_groups", visible_teams(user), to_attr="visible_teams"),
        Prefetch("usable_by_repositories", visible_repositories(user), to_attr="visible_repositories"),
    ).annotate(
        n_teams=_number_of(Connection.usable_by_groups.through),
        n_repositories=_number_of(Repository.granted_connections.through),
    )


def grants_of(connection: Any) -> Grants:
    """Return who may use a connection of `with_grants`."""
    teams = tuple(group.name for group in connection.visible_teams)
    repositories = tuple(row.name for row in connection.visible_repositories)
    hidden = connection.n_teams + connection.n_repositories - len(teams) - len(repositories)
    return Grants(connection.usable_by_all, teams, repositories, hidden)


def _number_of(grants: Any) -> Coalesce:
    rows = grants.objects.filter(connection=OuterRef("pk")).order_by().values("connection")
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n")), 0, output_field=IntegerField())
