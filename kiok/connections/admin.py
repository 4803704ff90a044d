"""Connections in the admin. Their properties can be written, but never read back."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse
from django.utils.html import escape
from django.utils.text import capfirst

from kiok.connections import property_text, value_checks
from kiok.connections.errors import ConnectionsError
from kiok.connections.models import Connection, check_master_key, check_properties


class WriteOnlyTextarea(forms.Textarea):
    """A text area that never shows what was entered, not even in a form with errors."""

    def format_value(self, value: Any) -> None:  # noqa: ARG002
        return None


class ConnectionForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    """The form of a connection. `cleaned_data["changes"]` holds the parsed property changes."""

    changes = forms.CharField(
        label="Set properties",
        required=False,
        strip=False,
        widget=WriteOnlyTextarea(
            attrs={"rows": 10, "cols": 100, "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text=escape(property_text.HELP),  # the admin renders help texts as HTML
    )

    class Meta:
        model = Connection
        fields: tuple[str, ...] = ("id", "type", "description")

    def clean_changes(self) -> property_text.PropertyChanges:
        try:
            changes = property_text.parse(self.cleaned_data["changes"])
            check_properties(changes.set)
            stored = set(self.instance.sealed)
            unknown = sorted(changes.remove - stored)
            if unknown:
                raise forms.ValidationError(
                    f"There is no property {unknown[0]!r} to remove. Enter all lines again."
                )
            if changes.set:
                check_master_key()
        except ConnectionsError as exc:
            raise forms.ValidationError(f"{exc}. Enter all lines again.") from exc
        return changes

    def clean(self) -> None:
        super().clean()
        changes = self.cleaned_data.get("changes")
        if changes is not None and (
            wrong := value_checks.wrong_values(self.cleaned_data.get("type", ""), changes.set)
        ):
            self.add_error("changes", f"{capfirst('; '.join(wrong))}. Enter all lines again.")


@admin.register(Connection)
class ConnectionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the stubs
    form = ConnectionForm
    list_display: tuple[str, ...] = ("id", "type", "description", "stored_properties", "updated_at")
    list_filter = ("type",)
    search_fields = ("id", "description")
    readonly_fields = ("stored_properties", "created_at", "updated_at")
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("id", "type", "description", "stored_properties", "changes")}),
        ("Times", {"fields": ("created_at", "updated_at")}),
    )

    @admin.display(description="Stored properties")
    def stored_properties(self, connection: Connection) -> str:
        return ", ".join(connection.property_names()) or "none"

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        # No lookups through rows that refer to a connection or may use it: the user may not see them.
        others: tuple[Any, ...] = (*self.opts.related_objects, *self.opts.many_to_many)
        is_of_others = lookup.split(LOOKUP_SEP)[0] in {relation.name for relation in others}
        return not is_of_others and super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # None is allowed

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Return what is deleted and what prevents it. Name only the objects that the user may see.

        The grants of a connection are deleted with it. They are left out, since they name teams and repositories.
        """
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)
        connections = [item for item in to_delete if isinstance(item, str)]
        counts = {name: number for name, number in counts.items() if name == self.opts.verbose_name_plural}
        return connections, counts, lacking, self._named(objs, request) if protected else []

    def _named(self, objs: Any, request: HttpRequest) -> list[str]:
        """Return the rows that use these connections; only count those that the user may not see."""
        shown, hidden = [], 0
        for relation in self.opts.related_objects:
            if relation.many_to_many:
                continue
            users = relation.related_model._default_manager.filter(
                **{f"{relation.field.name}__in": list(objs)}
            )
            model_admin = self.admin_site.get_model_admin(relation.related_model)
            seen = model_admin.get_queryset(request).filter(pk__in=users.values("pk"))
            seen = seen if model_admin.has_view_permission(request) else seen.none()
            label = f"{relation.field.verbose_name} of {relation.related_model._meta.verbose_name}"
            shown += [f"{label}: {row}" for row in seen]
            hidden += users.count() - seen.count()
        return [*shown, *([f"objects that you may not see: {hidden}"] if hidden else [])]

    def get_readonly_fields(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Connection | None = None,
    ) -> tuple[str, ...]:
        # The encryption binds the id, and repositories and DAGs refer to it.
        return (*self.readonly_fields, *(("id",) if obj else ()))

    def save_model(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Connection,
        form: Any,
        change: bool,
    ) -> None:
        changes: property_text.PropertyChanges = form.cleaned_data["changes"]
        with transaction.atomic():
            if change:
                # Not the sealed properties: they may have changed since the form was rendered.
                columns = [field.name for field in self.opts.concrete_fields if not field.primary_key]
                obj.save(update_fields=[*(name for name in columns if name in form.fields), "updated_at"])
            else:
                obj.save(force_insert=True)
            if changes.set or changes.remove:
                obj.update_properties(changes.set, changes.remove)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        message: list[Any] = super().construct_change_message(request, form, formsets, add)
        changes: property_text.PropertyChanges = form.cleaned_data["changes"]
        names = ", ".join([*sorted(changes.set), *(f"-{name}" for name in sorted(changes.remove))])
        if names and add:
            message.append({"added": {"name": "properties", "object": names}})
        elif names:
            message.append({"changed": {"fields": [f"properties: {names}"]}})
        return message

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        self._warn_without_key(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        self._warn_without_key(request)
        return super().changelist_view(request, extra_context)

    def _warn_without_key(self, request: HttpRequest) -> None:
        if request.method != "GET":
            return
        try:
            check_master_key()
        except ConnectionsError as exc:
            messages.error(request, f"Properties cannot be stored or used: {exc}.")
