"""DAGs in the admin: what is served now, where it came from, what it was and how it ran."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTransform
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from kiok.metadata import access
from kiok.metadata.admin import cells, provenance
from kiok.metadata.admin.cells import Tone
from kiok.metadata.admin.json_length import JsonLength
from kiok.metadata.admin.read_only import ReadOnlyAdmin
from kiok.metadata.admin.run import run_state
from kiok.metadata.models import Dag, DagRun, DagVersion

SHOWN_TASKS = 1000
SHOWN_VERSIONS = 20
SHOWN_RUNS = 20


class FreshnessFilter(admin.SimpleListFilter):
    """Stale DAGs, or those that say what their files say."""

    title = "freshness"
    parameter_name = "stale"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("yes", "stale"), ("no", "current")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        if self.value() in ("yes", "no"):
            return queryset.filter(stale_since__isnull=self.value() == "no")
        return queryset


@admin.register(Dag)
class DagAdmin(ReadOnlyAdmin):
    change_form_template = "admin/metadata/dag/change_form.html"
    list_display = (
        *("uid", "short_name", "origin", "repository_link", "path", "cron", "version", "freshness"),
        *("task_count", "last_run"),
    )
    list_filter = (FreshnessFilter, "origin", "repository")
    search_fields = ("uid", "dag_id", "name", "description")
    fieldsets = (
        (None, {"fields": ("unique_id", "dag_id", "name", "description", "cron", "version", "freshness")}),
        (
            "Provenance",
            {
                "fields": (
                    *("origin", "repository_link", "source_path", "commit_sha", "image_digest"),
                    *("spec_hash", "created_at", "updated_at"),
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        runs = DagRun.objects.filter(uid=OuterRef("uid")).order_by("-created_at", "-id")
        counted: QuerySet[Any] = (
            access.visible(super().get_queryset(request), request.user)
            .defer("spec", "source")
            .annotate(
                tasks_counted=JsonLength(KeyTransform("tasks", "spec")),
                last_run_state=Subquery(runs.values("state")[:1]),
            )
        )
        return counted

    @admin.display(description="unique id")
    def unique_id(self, dag: Dag) -> str:
        return dag.uid  # without the field's help text, which the admin's pages would take for HTML

    @admin.display(description="name", ordering="name")
    def short_name(self, dag: Dag) -> str:
        return cells.shortened(dag.name, 80)

    @admin.display(description="repository", ordering="repository")
    def repository_link(self, dag: Dag) -> str:
        return provenance.repository(dag.repository)

    @admin.display(description="path", ordering="source_path")
    def path(self, dag: Dag) -> str:
        return cells.shortened(dag.source_path, 80)

    @admin.display(description="schedule", ordering="schedule")
    def cron(self, dag: Dag) -> str:
        return format_html("<code>{}</code>", dag.schedule) if dag.schedule else "manual only"

    @admin.display(description="freshness", ordering="stale_since")
    def freshness(self, dag: Dag) -> str:
        if dag.stale_since is None:
            return cells.badge(Tone.GOOD, "current")
        return format_html(
            "{} {} {}",
            cells.badge(Tone.WARN, "stale"),
            cells.age(dag.stale_since),
            cells.shortened(dag.stale_reason, 200),
        )

    @admin.display(description="tasks", ordering="tasks_counted")
    def task_count(self, dag: Dag) -> int:
        return getattr(dag, "tasks_counted", None) or 0

    @admin.display(description="last run", ordering="last_run_state")
    def last_run(self, dag: Dag) -> str:
        return run_state(getattr(dag, "last_run_state", None))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Dag | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context.update(_details(obj))
        return super().render_change_form(request, context, add, change, form_url, obj)


def _details(dag: Dag) -> dict[str, Any]:
    """What the detail page shows below the fields."""
    tasks = dag.spec.get("tasks") or []
    history = urlencode({"uid__exact": dag.uid})
    return {
        "tasks": [
            {
                "id": task.get("id"),
                "type": task.get("type"),
                "requires": ", ".join(task.get("requires", [])) or cells.NOTHING,
                "timeout": cells.milliseconds(task.get("timeoutMs")),
            }
            for task in tasks[:SHOWN_TASKS]
        ],
        "tasks_left_out": max(0, len(tasks) - SHOWN_TASKS),
        "spec_text": cells.spec_text(dag.spec),
        "source_text": dag.source,
        "versions": [
            {
                "number": version.version,
                "url": cells.page_of("metadata_dagversion", version.pk),
                "commit": cells.commit(version.commit_sha),
                "created": cells.age(version.created_at),
            }
            for version in DagVersion.objects.filter(uid=dag.uid).defer("spec")[:SHOWN_VERSIONS]
        ],
        "versions_url": f"{reverse('admin:metadata_dagversion_changelist')}?{history}",
        "runs": [
            {
                "number": run.pk,
                "url": cells.page_of("metadata_dagrun", run.pk),
                "state": run_state(run.state),
                "version": run.version,
                "trigger": run.trigger,
                "created": cells.age(run.created_at),
                "duration": cells.duration(run.started_at, run.finished_at),
            }
            for run in DagRun.objects.filter(uid=dag.uid)[:SHOWN_RUNS]
        ],
        "runs_url": f"{reverse('admin:metadata_dagrun_changelist')}?{history}",
    }
