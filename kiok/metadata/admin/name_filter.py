"""The filter of lists by a repository's name: links while they are few, a text field where they are many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from kiok.metadata import access

MANY = 30
"""More links than that are no help."""


class NameFilter(admin.SimpleListFilter):
    """Rows of the repository that is named. What is no name of any row finds nothing."""

    title = "repository"
    parameter_name = "repository"
    template = "admin/metadata/name_filter.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.is_many = len(self.lookup_choices) > MANY
        self.name = (self.value() or "").replace("\x00", "")
        leave = (*self.expected_parameters(), "p")
        self.others = [(key, value) for key, value in request.GET.items() if key not in leave]

    def names(self, request: HttpRequest, model_admin: Any) -> QuerySet[Any]:
        """The names of those that the user may see, each once, in order."""
        rows = access.visible(model_admin.model.objects.exclude(repository=""), request.user)
        return rows.order_by("repository").values_list("repository", flat=True).distinct()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in self.names(request, model_admin)[: MANY + 1]]

    def choices(self, changelist: Any) -> Iterator[Any]:
        if not self.is_many:
            yield from super().choices(changelist)
        elif self.name:
            yield {"query_string": changelist.get_query_string(remove=self.expected_parameters())}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        return queryset.filter(repository=self.name) if self.name else queryset
