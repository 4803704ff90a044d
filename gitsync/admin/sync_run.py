"""Syncs in the admin: what each did, who requested it, and how long it took."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Script
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from gitsync.admin import git_links, progress, states, sync_page, sync_status
from gitsync.admin.repository_filter import RepositoryFilter
from gitsync.admin.row_search import RepositoryRowSearch
from gitsync.models import SyncRun, SyncState
from gitsync.repositories import links
from gitsync.repositories.queries import counted_syncs
from kiok.metadata.admin import display, list_cells
from kiok.metadata.admin.read_only import ReadOnlyAdmin


@admin.register(SyncRun)
class SyncRunAdmin(RepositoryRowSearch, ReadOnlyAdmin):
    change_form_template = "admin/gitsync/syncrun/change_form.html"
    list_display = ("sync", "state_badge", "result", "commits", "cause", "started", "took")
    list_filter = (RepositoryFilter, "state", "trigger", "full", "started_at")
    list_select_related = ("repository",)
    # Commits, reasons and ids are compared as they are stored, which is cheaper.
    search_fields = (
        *("requested_by__icontains", "message__icontains", "reason__contains"),
        *("from_commit__contains", "to_commit__contains", "correlation_id__contains"),
    )
    fields = ("repository",)  # the page has its own template

    class Media:
        css = {"all": ["gitsync/overview.css"]}
        js = [Script("gitsync/sync_status.js", defer=True)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return counted_syncs(rows.visible_to(request.user))

    # The list.

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        shown = super().get_changelist_instance(request)
        links.load_senders(run.repository for run in shown.result_list)
        return shown

    @admin.display(description="sync", ordering="id")
    def sync(self, run: SyncRun) -> str:
        return list_cells.two_lines(run.repository.name, f"Sync {run.pk}")

    @admin.display(description="state", ordering="state")
    def state_badge(self, run: SyncRun) -> str:
        badge = states.sync_state(run)
        if run.state != SyncState.RUNNING:
            return badge
        return format_html("{} {}", badge, progress.bar(run, run.repository.name))

    @admin.display(description="what changed")
    def result(self, run: SyncRun) -> str:
        if run.state in (SyncState.SUCCEEDED, SyncState.PARTIAL):
            return sync_status.counts(run)
        if not run.reason:
            return display.NOTHING
        again = f" (repeated {run.repeats} times)" if run.repeats else ""
        return format_html("<code>{}</code> {}{}", run.reason, display.shortened(run.message), again)

    @admin.display(description="trigger", ordering="trigger")
    def cause(self, run: SyncRun) -> str:
        trigger = f"{run.get_trigger_display()}{', full' if run.full else ''}"
        return list_cells.two_lines(trigger, run.requested_by) if run.requested_by else trigger

    @admin.display(description="commits")
    def commits(self, run: SyncRun) -> str:
        commits = git_links.commits(run.repository, run.from_commit, run.to_commit)
        about = git_links.about(run)
        return list_cells.two_lines(commits, about) if about else commits

    @admin.display(description="started", ordering="started_at")
    def started(self, run: SyncRun) -> str:
        return display.age(run.started_at)

    @admin.display(description="duration")
    def took(self, run: SyncRun) -> str:
        return display.duration(run.started_at, run.finished_at)

    # One sync.

    def subtitle(self, obj: SyncRun) -> str:
        return f"Sync {obj.pk} of {obj.repository.name}"

    def get_urls(self) -> list[URLPattern]:
        status = self.admin_site.admin_view(self.status)
        return [path("<int:pk>/status/", status, name="gitsync_syncrun_status"), *super().get_urls()]

    def status(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return what a sync's page shows as JSON; see `sync_page.of_sync`."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return JsonResponse(self._panel(request, pk))

    def details(self, request: HttpRequest, obj: SyncRun) -> dict[str, Any]:
        return {
            "panel": self._panel(request, obj.pk),
            "status_url": reverse("admin:gitsync_syncrun_status", args=[obj.pk]),
        }

    def _panel(self, request: HttpRequest, pk: int) -> dict[str, Any]:
        run = self.get_queryset(request).defer(None).select_related("repository").filter(pk=pk).first()
        if run is None:
            raise Http404(f"there is no sync {pk}")
        return sync_page.of_sync(run, request.user)
