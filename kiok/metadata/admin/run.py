"""Runs in the admin. They are found by uid, so a DAG's history survives its removal and return."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from kiok.metadata.admin import display, list_cells, task_runs
from kiok.metadata.admin.filters import RepositoryNameFilter
from kiok.metadata.admin.tabs import TabbedAdmin
from kiok.metadata.models import Dag, DagRun

TABS = {"task_runs": "Tasks", "details": "Details"}


@admin.register(DagRun)
class DagRunAdmin(TabbedAdmin):
    list_display = ("dag_cell", "state_badge", "number", "trigger", "created", "took")
    list_filter = (RepositoryNameFilter, "state", "trigger", "created_at")
    search_fields = ("uid",)
    show_full_result_count = False
    fields = ("dag", "version", "trigger", "state_badge", "created_at", "started_at", "finished_at", "took")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        visible: QuerySet[Any] = rows.visible_to(request.user)
        return visible

    @admin.display(description="DAG", ordering="uid")
    def dag_cell(self, run: DagRun) -> str:
        return list_cells.dag_cell_of_uid(run.uid)

    @admin.display(description="run")
    def number(self, run: DagRun) -> str:
        return list_cells.two_lines(str(run.pk), f"version {run.version}")

    @admin.display(description="DAG")
    def dag(self, run: DagRun) -> str:
        shown = display.link(display.page_of("metadata_dag", run.uid), run.uid)
        return (
            shown if Dag.objects.filter(uid=run.uid).exists() else format_html("{} (not registered)", shown)
        )

    @admin.display(description="state", ordering="state")
    def state_badge(self, run: DagRun) -> str:
        return task_runs.run_state(run.state)

    @admin.display(description="created", ordering="created_at")
    def created(self, run: DagRun) -> str:
        return display.age(run.created_at)

    @admin.display(description="duration")
    def took(self, run: DagRun) -> str:
        return task_runs.duration(run.state, run.started_at, run.finished_at)

    def title(self, obj: DagRun) -> str:
        return f"Run {obj.pk}"

    def subtitle(self, obj: DagRun) -> str:
        return obj.uid

    def tab_names(self, user: Any) -> dict[str, str]:  # noqa: ARG002
        return TABS

    def summary(self, obj: DagRun) -> list[tuple[str, str]]:
        return [
            ("State", self.state_badge(obj)),
            ("DAG", self.dag(obj)),
            ("Version", str(obj.version)),
            ("Trigger", obj.trigger),
            ("Created", display.age(obj.created_at)),
            ("Duration", self.took(obj)),
        ]

    def tab_context(self, request: HttpRequest, obj: DagRun, tab: str) -> dict[str, Any]:
        return task_runs.of(obj, request.GET) if tab == "task_runs" else {}

    class Media:
        css = {"all": ["kiok/dag.css"]}
