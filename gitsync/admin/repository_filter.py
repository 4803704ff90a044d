"""The list filter by repository. It offers only repositories that the user may see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gitsync.models import Repository

MANY = 30  # with more repositories a text field replaces the links
NAME = "repository"


class RepositoryFilter(admin.SimpleListFilter):
    """A filter for the rows of one repository: by key, as pages link to it, or by name."""

    title = "repository"
    parameter_name = "repository__id__exact"
    template = "admin/gitsync/repository_filter.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        given: Any = params.pop(NAME, None)
        self.name = str(given[-1]) if given else ""
        super().__init__(request, params, model, model_admin)
        self.is_many = len(self.lookup_choices) > MANY
        self.others = [
            (key, value)
            for key, value in request.GET.items()
            if key not in (*self.expected_parameters(), "p")
        ]

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter_name, NAME]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        named = Repository.objects.visible_to(request.user).order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in named[: MANY + 1]]

    def choices(self, changelist: Any) -> Iterator[Any]:
        if not self.is_many:
            yield from super().choices(changelist)
        elif self.name or self.value():
            yield {"query_string": changelist.get_query_string(remove=self.expected_parameters())}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        if self.name:
            return queryset.filter(repository__in=Repository.objects.filter(name=self.name).values("pk"))
        value = self.value()
        return queryset.filter(repository=value) if value and value.isdecimal() else queryset
