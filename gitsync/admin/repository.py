"""Repositories in the admin: their configuration, how they stand, and "Sync now"."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html

from gitsync.access import CONNECTIONS, may_take_name, usable_connections, visible
from gitsync.admin import panel, removal, repository_url, states
from gitsync.admin.asking import SyncViews, ask, asked_for
from gitsync.admin.checking import CheckViews, check_panel
from gitsync.admin.declaration import declared_where
from gitsync.admin.overview import OverviewViews
from gitsync.admin.records import counted_repositories
from gitsync.admin.system import SystemViews
from gitsync.configuration import remove_repository
from gitsync.models import ManagedBy, Repository
from gitsync.sync.schedule import look_at_once
from kiok.metadata.admin import cells
from kiok.metadata.admin.cells import Tone

CONFIGURATION = (
    *("name", "url", "ref", "subpath", "credential", "include"),
    *("verify", "verify_keys", "image_python", "image_java", "webhook_secret", "enabled", "interval_ms"),
)


class RepositoryForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    class Meta:
        model = Repository
        fields = CONFIGURATION
        # The admin's pages take help texts for HTML.
        help_texts = {"ref": "A branch; or tag:NAME, semver:RANGE (the highest tag in it), commit:ID."}
        widgets = {
            "url": repository_url.UrlInput(attrs={"class": "vTextField kiok-url", "spellcheck": "false"}),
            "include": AdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
        }


@admin.register(Repository)
class RepositoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the stubs
    form = RepositoryForm
    fields = CONFIGURATION
    list_display = (
        *("name", "state_badge", "dags", "failed_files", "good_commit", "checked", "next_check", "problem"),
        *("shown_url", "ref", "folder"),
    )
    list_filter = ("state", "enabled", "managed_by", "reason")
    search_fields = ("name", "url", "ref", "subpath", "message")
    list_per_page = 50
    actions = ("sync_now", "sync_now_full")

    class Media:
        css = {"all": ["kiok/admin.css"]}
        js = [forms.Script("gitsync/sync_status.js", defer=True)]

    # The list.

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return counted_repositories(visible(super().get_queryset(request), request.user, "pk"))

    @admin.display(description="state", ordering="state")
    def state_badge(self, repository: Repository) -> str:
        return states.repository_state(repository)

    @admin.display(description="url", ordering="url")
    def shown_url(self, repository: Repository) -> str:
        return cells.shortened(repository_url.shown(repository.url), 80)

    @admin.display(description="subpath", ordering="subpath")
    def folder(self, repository: Repository) -> str:
        return cells.shortened(repository.subpath, 60)

    @admin.display(description="last good commit", ordering="last_good_at")
    def good_commit(self, repository: Repository) -> str:
        if not repository.last_good_commit:
            return cells.NOTHING
        return format_html(
            "{} {}", cells.commit(repository.last_good_commit), cells.age(repository.last_good_at)
        )

    @admin.display(description="DAGs", ordering="n_dags")
    def dags(self, repository: Any) -> str:
        if not repository.n_stale:
            return str(repository.n_dags)
        return format_html("{} {}", repository.n_dags, cells.badge(Tone.WARN, f"{repository.n_stale} stale"))

    @admin.display(description="failed files", ordering="n_failed")
    def failed_files(self, repository: Any) -> str:
        return cells.badge(Tone.BAD, str(repository.n_failed)) if repository.n_failed else "0"

    @admin.display(description="checked", ordering="checked_at")
    def checked(self, repository: Repository) -> str:
        return cells.age(repository.checked_at)

    @admin.display(description="next check", ordering="next_due_at")
    def next_check(self, repository: Repository) -> str:
        return panel.next_check(repository)

    @admin.display(description="reason", ordering="reason")
    def problem(self, repository: Repository) -> str:
        if not repository.reason:
            return cells.NOTHING
        return format_html("<code>{}</code> {}", repository.reason, cells.shortened(repository.message))

    # Who may do what.

    def has_change_permission(self, request: HttpRequest, obj: Repository | None = None) -> bool:
        return not _is_declared(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Repository | None = None) -> bool:
        return not _is_declared(obj) and super().has_delete_permission(request, obj)

    def get_readonly_fields(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Repository | None = None,
    ) -> tuple[str, ...]:
        # Every DAG's uid, and so all history, carries the name.
        return ("name",) if obj is not None and obj.last_good_commit else ()

    # Adding and editing.

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in CONNECTIONS:
            kwargs["queryset"] = usable_connections(request.user, db_field.name)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "name" and field is not None:
            field.validators.append(partial(_check_name, request.user))
        return field

    def save_model(self, request: HttpRequest, obj: Repository, form: Any, change: bool) -> None:  # noqa: ARG002
        look_at_once(obj)
        if change:
            # Not what syncs observe and claim: it may have moved on since the row was read.
            obj.save(update_fields=[*CONFIGURATION, "next_due_at", "consecutive_failures"])
        else:
            obj.save(force_insert=True)

    def response_post_save_add(self, request: HttpRequest, obj: Repository) -> HttpResponseRedirect:  # noqa: ARG002
        return HttpResponseRedirect(cells.page_of("gitsync_repository", obj.pk))

    def response_post_save_change(self, request: HttpRequest, obj: Repository) -> HttpResponseRedirect:  # noqa: ARG002
        return HttpResponseRedirect(cells.page_of("gitsync_repository", obj.pk))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Repository | None = None,
    ) -> HttpResponse:
        if obj is not None and change:
            # As it is stored, not as a refused form has it.
            stored = Repository.objects.filter(pk=obj.pk).first() or obj
            may_sync = self.has_change_permission(request)
            context.update(
                panel=panel.of_repository(stored, asked_for(request, obj.pk)),
                status_url=reverse("admin:gitsync_repository_sync_status", args=[obj.pk]),
                sync_url=reverse("admin:gitsync_repository_sync", args=[obj.pk]) if may_sync else "",
                declared_where=declared_where(stored) if _is_declared(stored) else "",
                check_url=reverse("admin:gitsync_repository_check", args=[obj.pk]) if may_sync else "",
                check_panel=check_panel(request, stored),
                check_status_url=reverse("admin:gitsync_repository_check_status", args=[obj.pk]),
            )
        return super().render_change_form(request, context, add, change, form_url, obj)

    # Removing.

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> Any:
        """What goes, for the page that asks. Not Django's own collection: DAGs hang on no foreign key."""
        repositories = list(objs)
        lacking = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        going = [removal.going(repository) for repository in repositories]
        counts = {"repositories": len(repositories), "DAGs": sum(item["number"] for item in going)}
        return going, counts, lacking, removal.kept(repositories)

    def delete_model(self, request: HttpRequest, obj: Repository) -> None:
        name, pruned = obj.name, remove_repository(obj)
        dags = "1 DAG" if pruned == 1 else f"{pruned} DAGs"
        messages.info(request, f"With {name} went {dags}. Versions and runs stay.")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for repository in queryset:
            self.delete_model(request, repository)

    # Sync now.

    def get_urls(self) -> list[URLPattern]:
        return [
            *SyncViews(self).urls(),
            *CheckViews(self).urls(),
            *SystemViews(self).urls(),
            *OverviewViews(self).urls(),
            *super().get_urls(),
        ]

    @admin.action(description="Sync now", permissions=["change"])
    def sync_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._sync_selected(request, queryset, full=False)

    @admin.action(description="Sync now (full)", permissions=["change"])
    def sync_now_full(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._sync_selected(request, queryset, full=True)

    def _sync_selected(
        self, request: HttpRequest, queryset: QuerySet[Any], *, full: bool
    ) -> HttpResponse | None:
        asked = ask(request, list(queryset), full=full)
        return HttpResponseRedirect(reverse("admin:gitsync_repository_asked")) if asked else None


def _check_name(user: Any, name: str) -> None:
    if not may_take_name(user, name):
        raise ValidationError(
            "Versions and runs of an earlier repository of this name are kept, and are seen by whoever has the name. "
            "Choose another one, or have somebody add it who sees all repositories."
        )


def _is_declared(repository: Repository | None) -> bool:
    return repository is not None and repository.managed_by == ManagedBy.CONFIG
