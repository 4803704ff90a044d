"""A list filter by one condition: rows that meet it, or all others."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest


class YesNoFilter(admin.SimpleListFilter):
    """A filter whose subclass sets the condition and the labels for both sides; the URL has `yes` or `no`."""

    condition: ClassVar[Q]
    words: ClassVar[tuple[str, str]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return list(zip(("yes", "no"), self.words, strict=True))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        wanted = {"yes": self.condition, "no": ~self.condition}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)
