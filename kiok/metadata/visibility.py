"""Visibility of DAGs, versions and runs by repository, in addition to Django's permissions per model.

The metadata store knows repositories only by name. The app that owns the repositories says who may see them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

from django.db.models import Model, Q, QuerySet

# From a user to a subquery of the names of the repositories that the user may see; None for all repositories.
VisibleNames = Callable[[Any], "QuerySet[Any] | None"]

M = TypeVar("M", bound=Model)

_visible_names: VisibleNames | None = None


def restrict_to(names: VisibleNames) -> None:
    """Set the function that `visible_to` uses. The app that owns the repositories calls this."""
    global _visible_names
    _visible_names = names


class NamedRepositoryQuerySet(QuerySet[M]):
    """Rows with a column `repository`, the name of one."""

    def visible_to(self, user: Any) -> Self:
        """Return the rows that the user may see. All users see rows without a repository."""
        names = _visible_names(user) if _visible_names else None
        return self if names is None else self.filter(Q(repository="") | Q(repository__in=names))
