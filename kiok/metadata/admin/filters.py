"""List filters for DAGs, versions and runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from kiok.metadata.admin.yes_no_filter import YesNoFilter
from kiok.metadata.models import Dag

NO_REPOSITORY = "-"  # the choice for DAGs without a repository; no repository can have this name


class FreshnessFilter(YesNoFilter):
    """A filter for stale DAGs, or those that match their files."""

    title = "freshness"
    parameter_name = "stale"
    condition = Q(stale_since__isnull=False)
    words = ("stale", "current")


class ScheduleFilter(YesNoFilter):
    """A filter for DAGs with a schedule, or those that are only started manually."""

    title = "schedule"
    parameter_name = "scheduled"
    condition = ~(Q(schedule__isnull=True) | Q(schedule=""))
    words = ("on a schedule", "manual only")


class RepositoryNameFilter(admin.SimpleListFilter):
    """A filter for the rows of one repository. It offers repositories that the user may see and that have DAGs."""

    title = "repository"
    parameter_name = "repository"
    template = "kiok/repository_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        dags = Dag.objects.order_by("repository").visible_to(request.user)
        names = list(dags.values_list("repository", flat=True).distinct())
        wanted = request.GET.get(self.parameter_name)
        if wanted and wanted not in (*names, NO_REPOSITORY):
            names.append(wanted)  # the active choice is always listed, even without DAGs
        return [(name or NO_REPOSITORY, name or "no repository") for name in names]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 0

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        wanted = self.value()
        if not wanted:
            return queryset
        return queryset.filter(repository="" if wanted == NO_REPOSITORY else wanted)

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield choices with `selected`, `name` and `value`; the first holds the other parameters of the list's URL."""
        kept = changelist.get_query_string(remove=[self.parameter_name, "p"]).removeprefix("?")
        yield {"selected": not self.value(), "value": "", "name": "all", "kept": _parameters(kept)}
        for value, name in self.lookup_choices:
            yield {"selected": self.value() == value, "value": value, "name": name}


def _parameters(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)
