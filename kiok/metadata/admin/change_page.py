"""The page of one row: what its template shows besides the fields."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse


class ChangePageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the stubs
    """An admin whose template for one row gets `subtitle` and `details`."""

    def subtitle(self, obj: Any) -> str:
        """What a row's own page is headed by."""
        return str(obj)

    def details(self, request: HttpRequest, obj: Any) -> dict[str, Any]:  # noqa: ARG002
        """Variables of the template by name. `obj` is the row, None while one is being added."""
        return {}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        stored = obj if change else None
        if stored is not None:
            context["subtitle"] = self.subtitle(stored)
        context |= self.details(request, stored)
        return super().render_change_form(request, context, add, change, form_url, obj)
