"""Connections in the admin, with who may use them in references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gitsync.admin.connection_form import ConnectionUseForm
from gitsync.models.visibility import sees_all
from gitsync.repositories.grants import grants_of, with_grants
from kiok.connections.admin import ConnectionAdmin
from kiok.connections.models import Connection
from kiok.metadata.admin import display

SHOWN_NAMES = 80  # characters of names in a list
USE = (
    "Which DAGs may use the connection in <code>${conn.&lt;id&gt;.&lt;key&gt;}</code> and "
    "<code>${secret.&lt;id&gt;}</code>. If nothing is selected, no DAG may. The credential, the webhook secret and the "
    "trusted keys of a repository need no selection here."
)
_LABELS = ("Everyone", "Teams", "Repositories")

admin.site.unregister(Connection)


@admin.register(Connection)
class ConnectionUseAdmin(ConnectionAdmin):
    """The pages of connections."""

    form = ConnectionUseForm
    list_display = ("id", "type", "description", "stored_properties", "usable_by", "updated_at")
    fieldsets = (
        ConnectionAdmin.fieldsets[0],
        ("Who may use it", {"description": USE, "fields": ("usable_by_all", "teams", "repositories")}),
        *ConnectionAdmin.fieldsets[1:],
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_grants(super().get_queryset(request), request.user)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"user": request.user})

    def get_readonly_fields(self, request: HttpRequest, obj: Connection | None = None) -> tuple[str, ...]:
        """Return the read-only fields. A grant to everyone reaches all teams, so it takes a user who sees all."""
        fields = super().get_readonly_fields(request, obj)
        return fields if sees_all(request.user) else (*fields, "usable_by_all")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        form.save_grants()

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Return the entry of the audit log. Grants are named one by one."""
        message: list[Any] = super().construct_change_message(request, form, formsets, add)
        for item in message:
            if "fields" in item.get("changed", {}):
                item["changed"]["fields"] = [
                    name for name in item["changed"]["fields"] if name not in _LABELS
                ]
        kept = [item for item in message if item.get("changed", {}).get("fields", True)]
        if form.grant_changes:
            kept.append({"changed": {"fields": [f"usable by: {', '.join(form.grant_changes)}"]}})
        return kept

    @admin.display(description="Usable by")
    def usable_by(self, connection: Connection) -> str:
        grants = grants_of(connection)
        if grants.everyone:
            return "everyone"
        names = [*(f"team {name}" for name in grants.teams), *grants.repositories]
        hidden = grants.hidden_teams + grants.hidden_repositories
        return display.shortened(_and_hidden(names, hidden), SHOWN_NAMES)

    @admin.display(description="Teams")
    def teams(self, connection: Connection) -> str:
        """Return the names for a page without a form."""
        grants = grants_of(connection)
        return _and_hidden(grants.teams, grants.hidden_teams)

    @admin.display(description="Repositories")
    def repositories(self, connection: Connection) -> str:
        """Return the names for a page without a form."""
        grants = grants_of(connection)
        return _and_hidden(grants.repositories, grants.hidden_repositories)


def _and_hidden(names: Sequence[str], hidden: int) -> str:
    return ", ".join([*names, *([f"{hidden} that you may not see"] if hidden else [])]) or "none"
