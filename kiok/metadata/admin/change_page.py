"""An admin base class whose page for one row shows more than its fields."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse


class ChangePageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the stubs
    """A ModelAdmin that passes `subtitle` and `details` to the template of a row's page."""

    def title(self, obj: Any) -> str | None:  # noqa: ARG002
        """Return the title of a row's page; None for Django's, such as "Change repository"."""
        return None

    def subtitle(self, obj: Any) -> str:
        """Return the subtitle of a row's page."""
        return str(obj)

    def details(self, request: HttpRequest, obj: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return the template's variables by name. `obj` is the row, None while a row is being added."""
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
            context["title"] = self.title(stored) or context["title"]
            context["subtitle"] = self.subtitle(stored)
        context |= self.details(request, stored)
        return super().render_change_form(request, context, add, change, form_url, obj)
