"""An admin that shows and changes nothing."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse


class ReadOnly:
    """Denies adding, changing and deleting to everybody; whoever may view still may."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the stubs
    """The pages of a table that only the service writes."""

    actions = None
    list_per_page = 50

    def subtitle(self, obj: Any) -> str:
        """What a row's own page is headed by."""
        return str(obj)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        context["subtitle"] = self.subtitle(obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    class Media:
        css = {"all": ["kiok/admin.css"]}
