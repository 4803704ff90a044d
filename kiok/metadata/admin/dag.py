"""DAGs in the admin: the current definition, its provenance, earlier versions and runs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTransform
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from kiok.metadata.admin import comparison, definition, display, provenance, run_history, schedule
from kiok.metadata.admin.display import Tone
from kiok.metadata.admin.filters import FreshnessFilter, RepositoryNameFilter, ScheduleFilter
from kiok.metadata.admin.read_only import ReadOnlyAdmin
from kiok.metadata.admin.run import run_state
from kiok.metadata.json_length import JsonLength
from kiok.metadata.models import UID_LENGTH, Dag, DagRun


@admin.register(Dag)
class DagAdmin(ReadOnlyAdmin):
    change_form_template = "admin/metadata/dag/change_form.html"
    gone_template = "admin/metadata/dag/gone.html"
    list_display = (
        *("uid", "short_name", "origin", "repository_link", "path", "cron", "version", "freshness"),
        *("task_count", "last_run"),
    )
    list_filter = (FreshnessFilter, ScheduleFilter, "origin", RepositoryNameFilter)
    search_fields = ("uid", "dag_id", "name", "description")
    show_full_result_count = False
    fieldsets = (
        (
            None,
            {
                "fields": (
                    *("unique_id", "dag_id", "name", "description", "cron", "next_fire_times"),
                    *("version", "freshness"),
                )
            },
        ),
        (
            "Provenance",
            {
                "fields": (
                    *("origin", "repository_link", "source_link", "commit_sha", "image_digest"),
                    *("spec_hash", "created_at", "updated_at"),
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        runs = DagRun.objects.filter(uid=OuterRef("uid")).order_by("-created_at", "-id")
        counted: QuerySet[Any] = (
            rows.visible_to(request.user)
            .defer("spec", "source")
            .annotate(
                tasks_counted=JsonLength(KeyTransform("tasks", "spec")),
                last_run_state=Subquery(runs.values("state")[:1]),
            )
        )
        return counted

    @admin.display(description="unique id")
    def unique_id(self, dag: Dag) -> str:
        return dag.uid  # without the field's help text, which the admin would render as HTML

    @admin.display(description="name", ordering="name")
    def short_name(self, dag: Dag) -> str:
        return display.shortened(dag.name, 80)

    @admin.display(description="repository", ordering="repository")
    def repository_link(self, dag: Dag) -> str:
        return provenance.repository(dag.repository)

    @admin.display(description="path", ordering="source_path")
    def path(self, dag: Dag) -> str:
        return display.shortened(dag.source_path, 80)

    @admin.display(description="source path")
    def source_link(self, dag: Dag) -> str:
        return provenance.source(dag.repository, dag.commit_sha, dag.source_path)

    @admin.display(description="schedule", ordering="schedule")
    def cron(self, dag: Dag) -> str:
        return format_html("<code>{}</code>", dag.schedule) if dag.schedule else "manual only"

    @admin.display(description="fire times")
    def next_fire_times(self, dag: Dag) -> str:
        if not dag.schedule:
            return display.NOTHING
        words = schedule.in_words(dag.schedule)
        times = schedule.next_times(dag.schedule, timezone.now())
        if not times:
            return f"{words}; it never fires." if words else "It never fires."
        return format_html(
            '{}<ol class="kiok-times" aria-label="Next times">{}</ol>',
            f"{words}. Next, in UTC:" if words else "Next, in UTC:",
            format_html_join(
                "",
                '<li><time datetime="{}">{}</time> ({})</li>',
                ((time.isoformat(), time.strftime("%a %Y-%m-%d %H:%M"), display.age(time)) for time in times),
            ),
        )

    @admin.display(description="freshness", ordering="stale_since")
    def freshness(self, dag: Dag) -> str:
        if dag.stale_since is None:
            return display.badge(Tone.GOOD, "current")
        return format_html(
            "{} {} {}",
            display.badge(Tone.WARN, "stale"),
            display.age(dag.stale_since),
            display.shortened(dag.stale_reason, 200),
        )

    @admin.display(description="tasks")  # no ordering: it would read every spec
    def task_count(self, dag: Dag) -> int:
        return getattr(dag, "tasks_counted", None) or 0

    @admin.display(description="last run", ordering="last_run_state")
    def last_run(self, dag: Dag) -> str:
        return run_state(getattr(dag, "last_run_state", None))

    def details(self, request: HttpRequest, obj: Dag) -> dict[str, Any]:
        return definition.of(obj.spec, obj.source, obj.source_path) | _history(request, obj.uid)

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        """Show the history of a DAG that is no longer registered: its versions and runs outlive it."""
        uid = unquote(object_id)
        history = _history(request, uid) if len(uid) <= UID_LENGTH else {}
        if not (history.get("versions") or history.get("runs")):
            return super()._get_obj_does_not_exist_redirect(request, opts, object_id)  # type: ignore[no-any-return, misc]
        context = {
            **self.admin_site.each_context(request),
            "title": "Unregistered DAG",
            "subtitle": None,
            "opts": opts,
            "uid": uid,
            "media": self.media,
            **history,
        }
        return TemplateResponse(request, self.gone_template, context)

    class Media:
        css = {"all": ["kiok/dag.css"]}


def _history(request: HttpRequest, uid: str) -> dict[str, Any]:
    """Return the versions and runs of a DAG, registered or not, that the user may see."""
    return comparison.of(uid, request.user, request.GET) | run_history.of(uid, request.user)
