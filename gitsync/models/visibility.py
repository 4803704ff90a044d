"""Visibility of repositories, and with them of their files, syncs and webhook deliveries.

Superusers and users with the permission `view_all_repositories` see all repositories, other users those of their groups.
What a user may do with a visible repository is decided by Django's model permissions.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, Self, TypeVar

from django.db.models import Model, Q, QuerySet

SEES_ALL = "gitsync.view_all_repositories"

M = TypeVar("M", bound=Model)


def sees_all(user: Any) -> bool:
    """Return whether the user sees all repositories, regardless of groups."""
    return bool(user.has_perm(SEES_ALL))


class RepositoryQuerySet(QuerySet[M]):
    """Repositories."""

    def visible_to(self, user: Any) -> Self:
        """Return the repositories that the user may see."""
        return self if sees_all(user) else self.filter(pk__in=keys_of_groups(self.model, user))

    def for_sync(self) -> Self:
        """Return the repositories with the connections that a poll and a sync read."""
        return self.select_related("credential", "verify_keys")

    def connections_in(self, *fields: str) -> Q:
        """Return the condition on connections that one of these repositories uses them in one of the fields."""
        rows = self.order_by()
        used = [Q(pk__in=rows.filter(**{f"{field}__isnull": False}).values(field)) for field in fields]
        return reduce(or_, used)


class RepositoryRowQuerySet(QuerySet[M]):
    """Rows that belong to a repository through their foreign key `repository`."""

    def visible_to(self, user: Any) -> Self:
        """Return the rows of the repositories that the user may see."""
        if sees_all(user):
            return self
        repositories = self.model._meta.get_field("repository").related_model
        return self.filter(repository__in=keys_of_groups(repositories, user))


def keys_of_groups(repositories: Any, user: Any) -> QuerySet[Any, Any]:
    """Return the keys of the repositories of the user's groups, as a subquery."""
    rows: QuerySet[Any, Any] = repositories.objects.filter(groups__in=user.groups.all()).order_by()
    return rows.values("pk")
