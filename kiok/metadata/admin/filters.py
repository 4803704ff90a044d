"""Filters of the lists of DAGs, versions and runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from kiok.metadata import access
from kiok.metadata.admin.yes_no_filter import YesNoFilter
from kiok.metadata.models import Dag

NO_REPOSITORY = "-"
"""Chosen for DAGs that are of no repository. No repository can be named so."""


class FreshnessFilter(YesNoFilter):
    """Stale DAGs, or those that say what their files say."""

    title = "freshness"
    parameter_name = "stale"
    condition = Q(stale_since__isnull=False)
    words = ("stale", "current")


class ScheduleFilter(YesNoFilter):
    """DAGs that a schedule starts, or those that are started by hand alone."""

    title = "schedule"
    parameter_name = "scheduled"
    condition = ~(Q(schedule__isnull=True) | Q(schedule=""))
    words = ("on a schedule", "manual only")


class RepositoryNameFilter(admin.SimpleListFilter):
    """Rows of one repository, by its name. Those are offered that the user may see and that have DAGs now."""

    title = "repository"
    parameter_name = "repository"
    template = "kiok/repository_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        dags = access.visible(Dag.objects.order_by("repository"), request.user)
        names = list(dags.values_list("repository", flat=True).distinct())
        wanted = request.GET.get(self.parameter_name)
        if wanted and wanted not in (*names, NO_REPOSITORY):
            names.append(wanted)  # what is filtered by is shown, also if it has no DAG any more
        return [(name or NO_REPOSITORY, name or "of no repository") for name in names]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 0

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        wanted = self.value()
        if not wanted:
            return queryset
        return queryset.filter(repository="" if wanted == NO_REPOSITORY else wanted)

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Each with `selected`, `name`, `value`; the first carries the other parameters of the list's address."""
        kept = changelist.get_query_string(remove=[self.parameter_name, "p"]).removeprefix("?")
        yield {"selected": not self.value(), "value": "", "name": "all", "kept": _parameters(kept)}
        for value, name in self.lookup_choices:
            yield {"selected": self.value() == value, "value": value, "name": name}


def _parameters(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)
