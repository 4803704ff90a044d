"""The filter of repositories by why they fail, which names those reasons alone that there are."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gitsync.access import visible_repositories


class ReasonFilter(admin.SimpleListFilter):
    """Repositories with one reason."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        failing = visible_repositories(request.user).exclude(reason="").order_by("reason")
        return [(reason, reason) for reason in failing.values_list("reason", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        value = self.value() or ""
        return queryset.filter(reason=value) if value else queryset
