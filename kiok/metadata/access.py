"""Who may see which DAGs, versions and runs, beyond Django's permissions per model.

The metadata store knows repositories by name only, so whoever owns them says whose they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

VisibleNames = Callable[[Any], "QuerySet[Any] | None"]
"""From a user to the names of the repositories that it may see, as a subquery; None for all of them."""

M = TypeVar("M", bound=Model)

_visible_names: VisibleNames | None = None


def restrict_to(names: VisibleNames) -> None:
    """Have `visible` ask this. Called by the app that has the repositories."""
    global _visible_names
    _visible_names = names


def visible(rows: QuerySet[M, Any], user: Any) -> QuerySet[M, Any]:
    """Of rows with a column `repository`, those that the user may see; what is of no repository is everybody's."""
    names = _visible_names(user) if _visible_names else None
    return rows if names is None else rows.filter(Q(repository="") | Q(repository__in=names))
