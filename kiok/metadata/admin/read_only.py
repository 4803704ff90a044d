"""Read-only admin classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from kiok.metadata.admin import display
from kiok.metadata.admin.change_page import ChangePageAdmin
from kiok.metadata.admin.filters import SinceFilter


class ReadOnly:
    """A mixin that denies adding, changing and deleting to all users. Viewing is not affected."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class ReadOnlyAdmin(ReadOnly, ChangePageAdmin):
    """The admin pages of a table that only the service writes."""

    actions = None
    empty_value_display = display.NOTHING
    list_per_page = 50
    show_full_result_count = False  # it would cost another count of all rows

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._shown(column, display.age) for column in super().get_list_display(request)]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Return the filters; times are filtered by how long ago they are."""
        return [
            (column, SinceFilter) if self._is_time(column) else column
            for column in super().get_list_filter(request)
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            (name, {**options, "fields": [self._shown(field, display.moment) for field in options["fields"]]})
            for name, options in super().get_fieldsets(request, obj)
        ]

    def _shown(self, column: Any, cell: Callable[[Any], str]) -> Any:
        """Return the column; a time becomes a cell that shows it in the viewer's time zone."""
        return _time(self.opts.get_field(column), cell) if self._is_time(column) else column

    def _is_time(self, column: Any) -> bool:
        return isinstance(column, str) and any(
            isinstance(field, models.DateTimeField)
            for field in self.opts.concrete_fields
            if field.name == column
        )

    class Media:
        css = {"all": ["kiok/admin.css"]}


def _time(field: Any, cell: Callable[[Any], str]) -> Callable[[Any], str]:
    @admin.display(description=str(field.verbose_name), ordering=field.name)
    def time(obj: Any) -> str:
        return cell(getattr(obj, field.name))

    time.__name__ = field.name
    return time
