"""The filter of lists by repository, which names those alone that the user may see."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from kiok.metadata.admin.name_filter import NameFilter

from gitsync.access import visible_repositories
from gitsync.models import Repository

KEY = "repository__id__exact"
"""By its key: what pages link to."""


class RepositoryFilter(NameFilter):
    """Rows of one repository, by its name or by its key."""

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        given: Any = params.pop(KEY, None)
        super().__init__(request, params, model, model_admin)
        key = str(given[-1]) if given else ""
        if not self.name and key.isdecimal() and len(key) < 20:
            named = visible_repositories(request.user).filter(pk=int(key))
            self.name = named.values_list("name", flat=True).first() or ""
            self.used_parameters[self.parameter_name] = self.name

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter_name, KEY]

    def names(self, request: HttpRequest, model_admin: Any) -> QuerySet[Any]:  # noqa: ARG002
        return visible_repositories(request.user).order_by("name").values_list("name", flat=True)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        if not self.name:
            return queryset
        return queryset.filter(repository__in=Repository.objects.filter(name=self.name).values("pk"))
