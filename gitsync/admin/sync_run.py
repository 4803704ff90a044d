"""Syncs in the admin: what each did, for whom, and how long it took."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from gitsync.access import visible
from gitsync.admin import states, sync_status
from gitsync.admin.records import CHANGES, counted_syncs
from gitsync.admin.repository_filter import RepositoryFilter
from gitsync.models import SyncRun, SyncState
from kiok.metadata.admin import cells
from kiok.metadata.admin.read_only import ReadOnlyAdmin
from kiok.metadata.models import Dag

SHOWN_UIDS = 500
STEPS = ("probe", "claim", "fetch", "discover", "compile", "plan", "apply", "finish")


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "repository", "state_badge", "result", "problem", "trigger", "requested_by"),
        *("commits", "started", "took", "repeats"),
    )
    list_filter = ("state", "trigger", "full", RepositoryFilter)
    list_select_related = ("repository",)
    search_fields = ("repository__name", "requested_by", "reason", "message", "to_commit")
    fields = (
        *("repository_link", "state_badge", "step", "reason", "message", "trigger", "requested_by", "full"),
        *("from_commit", "to_commit", "result", "changed", "problems"),
        *("started_at", "finished_at", "took", "steps", "repeats"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return counted_syncs(visible(super().get_queryset(request), request.user))

    def subtitle(self, obj: SyncRun) -> str:
        return f"Sync {obj.pk} of {obj.repository.name}"

    @admin.display(description="repository")
    def repository_link(self, run: SyncRun) -> str:
        return cells.link(cells.page_of("gitsync_repository", run.repository_id), run.repository.name)

    @admin.display(description="state", ordering="state")
    def state_badge(self, run: SyncRun) -> str:
        return states.sync_state(run)

    @admin.display(description="result")
    def result(self, run: SyncRun) -> str:
        succeeded = run.state in (SyncState.SUCCEEDED, SyncState.PARTIAL)
        return sync_status.counts(run) if succeeded else cells.NOTHING

    @admin.display(description="reason", ordering="reason")
    def problem(self, run: SyncRun) -> str:
        if not run.reason:
            return cells.NOTHING
        return format_html("<code>{}</code> {}", run.reason, cells.shortened(run.message))

    @admin.display(description="commits")
    def commits(self, run: SyncRun) -> str:
        if run.from_commit == run.to_commit:
            return cells.commit(run.to_commit)
        return format_html("{} → {}", cells.commit(run.from_commit), cells.commit(run.to_commit))

    @admin.display(description="started", ordering="started_at")
    def started(self, run: SyncRun) -> str:
        return cells.age(run.started_at)

    @admin.display(description="duration")
    def took(self, run: SyncRun) -> str:
        return cells.duration(run.started_at, run.finished_at)

    @admin.display(description="changes")
    def changed(self, run: SyncRun) -> str:
        changes = _changes(run)
        return render_to_string("gitsync/changes.html", {"changes": changes}) if changes else cells.NOTHING

    @admin.display(description="failed files")
    def problems(self, run: SyncRun) -> str:
        rows = [
            {
                "place": ":".join(str(part) for part in (item["path"], item["line"]) if part is not None),
                "message": item["message"],
            }
            for item in run.failed_files
        ]
        return render_to_string("gitsync/problems.html", {"problems": rows}) if rows else cells.NOTHING

    @admin.display(description="time per step")
    def steps(self, run: SyncRun) -> str:
        in_order = sorted(run.timings, key=lambda step: STEPS.index(step) if step in STEPS else len(STEPS))
        parts = [f"{step} {cells.seconds(run.timings[step])}" for step in in_order]
        return ", ".join(parts) or cells.NOTHING


def _changes(run: SyncRun) -> list[dict[str, Any]]:
    """Uids by what happened to them; those still registered link to their DAG, the others to their versions."""
    shown = {name: run.changes.get(name, [])[:SHOWN_UIDS] for name in CHANGES}
    registered = set(
        Dag.objects.filter(uid__in={uid for uids in shown.values() for uid in uids}).values_list(
            "uid", flat=True
        )
    )
    versions = reverse("admin:metadata_dagversion_changelist")
    return [
        {
            "name": name,
            "number": len(run.changes[name]),
            "left_out": len(run.changes[name]) - len(uids),
            "uids": [
                (
                    uid,
                    cells.page_of("metadata_dag", uid)
                    if uid in registered
                    else f"{versions}?{urlencode({'uid__exact': uid})}",
                )
                for uid in uids
            ],
        }
        for name, uids in shown.items()
        if uids
    ]
