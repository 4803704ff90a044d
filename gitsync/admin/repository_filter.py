"""The filter of lists by repository, which names those alone that the user may see."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gitsync.access import visible_repositories


class RepositoryFilter(admin.SimpleListFilter):
    """Rows of one repository."""

    title = "repository"
    parameter_name = "repository__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        named = visible_repositories(request.user).order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in named]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        value = self.value()
        return queryset.filter(repository=value) if value and value.isdecimal() else queryset
