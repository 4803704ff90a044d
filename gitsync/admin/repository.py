"""Repositories in the admin: their list, configuration and actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Script
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html

from gitsync.access import CONNECTIONS, may_sync, usable_connections
from gitsync.admin import git_links, panel, repository_tabs, states
from gitsync.admin.checking import CheckViews
from gitsync.admin.dry_run import DryRunViews
from gitsync.admin.form_check import FormCheckViews
from gitsync.admin.pausing import PauseViews
from gitsync.admin.repository_filter import GroupFilter, PausedFilter, ReasonFilter
from gitsync.admin.repository_form import COLUMNS, FIELDS, MODEL_FIELDS, RepositoryForm, for_user
from gitsync.admin.repository_page import page_context
from gitsync.admin.sync_actions import SyncViews, ask
from gitsync.models import ManagedBy, Repository
from gitsync.models.own_images import ImageField, image_fields
from gitsync.repositories import links
from gitsync.repositories.declared import declared_where, remove_repository
from gitsync.repositories.owner import give_owner
from gitsync.repositories.queries import counted_repositories
from gitsync.sync.backoff import poll_now
from kiok.metadata.admin import display, list_cells
from kiok.metadata.admin.change_page import ChangePageAdmin
from kiok.metadata.admin.display import Tone
from kiok.metadata.models import Dag, DagRun, DagVersion, Origin

SHOWN_DAGS = 100  # of each repository; the page says how many more there are


@admin.register(Repository)
class RepositoryAdmin(ChangePageAdmin):
    form = RepositoryForm
    fields = FIELDS
    list_display = ("repository", "state_badge", "problem", "dags", "failed_files", "good_commit", "checked")
    list_filter = ("state", PausedFilter, "enabled", GroupFilter, "managed_by", ReasonFilter)
    search_fields = ("name", "url", "ref", "subpath", "message", "pause_reason")
    list_per_page = 50
    actions = ("sync_now", "sync_now_full", "pause_selected", "resume_selected")

    class Media:
        css = {"all": ["kiok/admin.css", "kiok/dag.css", "gitsync/repository.css"]}
        js = [
            Script("gitsync/sync_status.js", defer=True),
            Script("gitsync/repository_form.js", defer=True),
        ]

    # The list.

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return counted_repositories(rows.visible_to(request.user))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        shown = super().get_changelist_instance(request)
        links.load_senders(shown.result_list)
        return shown

    @admin.display(description="repository", ordering="name")
    def repository(self, repository: Repository) -> str:
        place = list_cells.path_line(repository.shown_url.removeprefix("https://"))
        where = f"{repository.shown_url}, {repository.ref}, {repository.subpath or 'whole repository'}"
        return list_cells.two_lines(repository.name, place, where)

    @admin.display(description="state", ordering="state")
    def state_badge(self, repository: Repository) -> str:
        badge = states.repository_state(repository)
        if not repository.is_paused:
            return badge
        return list_cells.two_lines(badge, f"by {repository.paused_by}: {repository.pause_reason}")

    @admin.display(description="last good commit", ordering="last_good_at")
    def good_commit(self, repository: Repository) -> str:
        if not repository.last_good_commit:
            return display.NOTHING
        commit = git_links.commit(repository, repository.last_good_commit)
        return list_cells.two_lines(commit, display.short_age(repository.last_good_at))

    @admin.display(description="DAGs", ordering="n_dags")
    def dags(self, repository: Any) -> str:
        if not repository.n_stale:
            return str(repository.n_dags)
        stale = display.badge(Tone.WARN, f"{repository.n_stale} stale")
        return format_html("{} {}", repository.n_dags, stale)

    @admin.display(description="failed files", ordering="n_failed")
    def failed_files(self, repository: Any) -> str:
        return display.badge(Tone.BAD, str(repository.n_failed)) if repository.n_failed else "0"

    @admin.display(description="checked", ordering="checked_at")
    def checked(self, repository: Repository) -> str:
        following = format_html("next: {}", panel.next_check(repository, display.short_age))
        return list_cells.two_lines(display.short_age(repository.checked_at), following)

    @admin.display(description="reason", ordering="reason")
    def problem(self, repository: Repository) -> str:
        if not repository.reason:
            return display.NOTHING
        return format_html("<code>{}</code> {}", repository.reason, display.shortened(repository.message))

    # Permissions.

    def has_change_permission(self, request: HttpRequest, obj: Repository | None = None) -> bool:
        return not _is_declared(obj) and super().has_change_permission(request, obj)

    def has_sync_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may use the actions that sync; `admin.action` calls it."""
        return may_sync(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Repository | None = None) -> bool:
        return not _is_declared(obj) and super().has_delete_permission(request, obj)

    def get_readonly_fields(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Repository | None = None,
    ) -> tuple[str, ...]:
        # The uid of every DAG contains the name, so all history depends on it.
        return ("name",) if obj is not None and obj.last_good_commit else ()

    def get_fields(self, request: HttpRequest, obj: Repository | None = None) -> list[Any]:
        """Return the fields. A page without a form shows the images by functions, since they are no columns."""
        if obj is None or self.has_change_permission(request, obj):
            return list(FIELDS)
        shown = {image.name: _shown(image) for image in image_fields()}
        return [shown.get(name, name) for name in FIELDS]

    # Adding and editing.

    def get_form(
        self, request: HttpRequest, obj: Repository | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[Any]]:
        # The form adds the fields of the images itself.
        kwargs["fields"] = MODEL_FIELDS
        return for_user(super().get_form(request, obj, change=change, **kwargs), request.user)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in CONNECTIONS:
            kwargs["queryset"] = usable_connections(request.user, db_field.name)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Repository, form: Any, change: bool) -> None:  # noqa: ARG002
        if not change:
            poll_now(obj)
            obj.save(force_insert=True)
        elif form.changed_data != ["groups"]:
            poll_now(obj)
            # Not the observed fields nor the lease: a sync may have changed them since the row was read.
            obj.save(update_fields=[*COLUMNS, "next_due_at", "consecutive_failures"])
            if "owner" in form.changed_data:
                give_owner(obj)

    def response_post_save_add(self, request: HttpRequest, obj: Repository) -> HttpResponseRedirect:  # noqa: ARG002
        return HttpResponseRedirect(display.page_of("gitsync_repository", obj.pk))

    def response_post_save_change(self, request: HttpRequest, obj: Repository) -> HttpResponseRedirect:  # noqa: ARG002
        return HttpResponseRedirect(display.page_of("gitsync_repository", obj.pk))

    def details(self, request: HttpRequest, obj: Repository | None) -> dict[str, Any]:
        if obj is None:
            return {"form_check_url": reverse("admin:gitsync_repository_check_new")}
        # The stored row, without the values of a form that failed validation.
        stored = Repository.objects.filter(pk=obj.pk).first() or obj
        tab = repository_tabs.chosen(request)
        shown = {
            "title": stored.name,
            "subtitle": None,
            "tab": tab,
            "tabs": repository_tabs.tabs(request.user, stored, tab),
            "declared_where": declared_where(stored) if _is_declared(stored) else "",
        }
        if tab == repository_tabs.STATUS:
            return shown | page_context(request, stored, may_change=self.has_change_permission(request))
        return {
            **shown,
            "form_check_url": reverse("admin:gitsync_repository_check_form", args=[obj.pk]),
        }

    # Deleting.

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> Any:
        """Return what is deleted, for the confirmation page. Django cannot collect DAGs: no foreign key refers to them."""
        repositories = list(objs)
        lacking = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        deleted = [_deleted_with(request.user, repository) for repository in repositories]
        counts = {"repositories": len(repositories), "DAGs": sum(item["number"] for item in deleted)}
        return deleted, counts, lacking, _undeletable(repositories)

    def delete_model(self, request: HttpRequest, obj: Repository) -> None:
        name, pruned = obj.name, remove_repository(obj)
        dags = "1 DAG" if pruned == 1 else f"{pruned} DAGs"
        messages.info(request, f"Deleted {name} and its {dags}. Versions and run history are kept.")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for repository in queryset:
            self.delete_model(request, repository)

    # Sync now.

    def get_urls(self) -> list[URLPattern]:
        return [
            *SyncViews(self).urls(),
            *CheckViews(self).urls(),
            *DryRunViews(self).urls(),
            *PauseViews(self).urls(),
            *FormCheckViews(self).urls(),
            *super().get_urls(),
        ]

    @admin.action(description="Sync now", permissions=["sync"])
    def sync_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._sync_selected(request, queryset, full=False)

    @admin.action(description="Sync now (full)", permissions=["sync"])
    def sync_now_full(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._sync_selected(request, queryset, full=True)

    @admin.action(description="Pause …", permissions=["change"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return PauseViews(self).pause_selected(request, list(queryset))

    @admin.action(description="Resume", permissions=["change"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        PauseViews(self).resume_selected(request, list(queryset))

    def _sync_selected(
        self, request: HttpRequest, queryset: QuerySet[Any], *, full: bool
    ) -> HttpResponse | None:
        requested = ask(request, list(queryset), full=full)
        return HttpResponseRedirect(reverse("admin:gitsync_repository_asked")) if requested else None


def _is_declared(repository: Repository | None) -> bool:
    return repository is not None and repository.managed_by == ManagedBy.CONFIG


def _shown(image: ImageField) -> Callable[[Repository], str]:
    """Return the column that shows this image of a repository."""

    def shown(repository: Repository) -> str:
        return repository.images.get(image.format) or "-"

    shown.__name__ = image.name
    return admin.display(description=image.label)(shown)


def _deleted_with(user: Any, repository: Repository) -> dict[str, Any]:
    """Return a repository's name, the DAGs that are deleted with it, and how much history is kept."""
    linked = user.has_perm("metadata.view_dag")
    dags = Dag.objects.filter(origin=Origin.GIT, repository=repository.name)
    number = dags.count()
    uids = list(dags.values_list("uid", flat=True)[:SHOWN_DAGS])
    return {
        "name": repository.name,
        "number": number,
        "dags": [(uid, display.page_of("metadata_dag", uid) if linked else "") for uid in uids],
        "left_out": number - len(uids),
        "versions": DagVersion.objects.filter(repository=repository.name).count(),
        "runs": DagRun.objects.filter(repository=repository.name).count(),
    }


def _undeletable(repositories: Iterable[Repository]) -> list[str]:
    """Return why some of the repositories cannot be deleted here."""
    return [
        f"{repository.name} is declared in {declared_where(repository)}; delete it there"
        for repository in repositories
        if repository.managed_by == ManagedBy.CONFIG
    ]
