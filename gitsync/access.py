"""Who may see which repositories, and with them their DAGs, errors, syncs and runs.

Superusers and whoever has the permission `view_all_repositories` see all of them, everybody else those of their groups.
What is seen can be done to is for Django's permissions per model, which hold besides.
"""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet

from gitsync.models import Repository

SEES_ALL = "gitsync.view_all_repositories"

M = TypeVar("M", bound=Model)


def sees_all(user: Any) -> bool:
    """Whether the user's groups do not matter."""
    return bool(user.has_perm(SEES_ALL))


def visible_repositories(user: Any) -> QuerySet[Repository]:
    """The repositories that the user may see."""
    return visible(Repository.objects.all(), user, "pk")


def visible(rows: QuerySet[M, Any], user: Any, repository: str = "repository") -> QuerySet[M, Any]:
    """Of rows whose field `repository` is a repository's key, those that the user may see."""
    if sees_all(user):
        return rows
    theirs = Repository.objects.filter(groups__in=user.groups.all()).order_by()
    return rows.filter(**{f"{repository}__in": theirs.values("pk")})


def visible_names(user: Any) -> QuerySet[Any] | None:
    """What the metadata store asks: names as a subquery, None for all; see `kiok.metadata.access`."""
    return None if sees_all(user) else visible_repositories(user).order_by().values("name")


def assignable_groups(user: Any) -> QuerySet[Group]:
    """The groups that the user may open a repository to: its own, or any for who sees all."""
    return Group.objects.all() if sees_all(user) else user.groups.all()
