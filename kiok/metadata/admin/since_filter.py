"""A list filter by age of a time. Unlike a calendar day, an age is the same in every time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

SPANS = {
    "1h": ("past hour", timedelta(hours=1)),
    "1d": ("past 24 hours", timedelta(days=1)),
    "7d": ("past 7 days", timedelta(days=7)),
    "30d": ("past 30 days", timedelta(days=30)),
}
NEVER = "none"


class SinceFilter(admin.FieldListFilter):
    """A filter for rows whose time is within a span up to now, or, for nullable fields, rows without a time.

    Use it as `list_filter = (("created_at", SinceFilter),)`. An unknown span filters nothing.
    """

    def __init__(
        self,
        field: Field[Any, Any],
        request: HttpRequest,
        params: dict[str, Any],
        model: type[Model],
        model_admin: Any,
        field_path: str,
    ) -> None:
        self.parameter = f"{field_path}_within"
        self._may_be_null = field.null
        super().__init__(field, request, params, model, model_admin, field_path)
        given: Any = self.used_parameters.get(self.parameter)
        self._value = given[-1] if given else None

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter]

    def _words(self) -> dict[str, str]:
        return {key: word for key, (word, _) in SPANS.items()} | (
            {NEVER: "never"} if self._may_be_null else {}
        )

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {
            "selected": self._value not in self._words(),
            "query_string": changelist.get_query_string(remove=[self.parameter]),
            "display": "Any time",
        }
        for key, word in self._words().items():
            yield {
                "selected": self._value == key,
                "query_string": changelist.get_query_string({self.parameter: key}),
                "display": word.capitalize(),
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        if self._value in SPANS:
            began = timezone.now() - SPANS[self._value][1]
            return queryset.filter(**{f"{self.field_path}__gte": began})
        if self._value == NEVER and self._may_be_null:
            return queryset.filter(**{f"{self.field_path}__isnull": True})
        return queryset
