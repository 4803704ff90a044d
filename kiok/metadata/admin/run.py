"""Runs in the admin. They are found by uid, so a DAG's history survives its removal and return."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.db.models.functions import Left, Length
from django.http import HttpRequest
from django.utils.html import format_html

from kiok.metadata.admin import display, list_cells
from kiok.metadata.admin.display import Tone
from kiok.metadata.admin.filters import RepositoryNameFilter
from kiok.metadata.admin.read_only import ReadOnly, ReadOnlyAdmin
from kiok.metadata.models import Dag, DagRun, RunState, TaskRun

SHOWN_TASK_RUNS = 500
MAX_LOG_CHARACTERS = 2_000_000  # of all logs on a page

_TONES = {
    RunState.PENDING: Tone.IDLE,
    RunState.RUNNING: Tone.BUSY,
    RunState.SUCCESS: Tone.GOOD,
    RunState.FAILED: Tone.BAD,
    RunState.CANCELLED: Tone.WARN,
}


def run_state(state: str | None) -> str:
    """Return a run's state as a badge."""
    if not state:
        return display.NOTHING
    return display.badge(_TONES[RunState(state)], RunState(state).label)


class TaskRunInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # generic only in the stubs
    model = TaskRun
    template = "admin/metadata/dagrun/task_runs.html"
    extra = 0
    can_delete = False
    fields = ("task_id", "state_badge", "started_at", "took", "exit_code", "output")
    readonly_fields = fields
    ordering = ("id",)
    verbose_name_plural = "task runs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the first tasks of the page's run, with logs cut to fit `MAX_LOG_CHARACTERS` together."""
        match = request.resolver_match
        run = TaskRun.objects.filter(dag_run=int(unquote(match.kwargs["object_id"])) if match else None)
        first = list(run.order_by("id").values_list("pk", flat=True)[:SHOWN_TASK_RUNS])
        rows: QuerySet[Any] = super().get_queryset(request).filter(pk__in=first).defer("log")
        most = MAX_LOG_CHARACTERS // max(1, len(first))
        shown: QuerySet[Any] = rows.annotate(shown_log=Left("log", most), log_characters=Length("log"))
        return shown

    @admin.display(description="state")
    def state_badge(self, task: TaskRun) -> str:
        return run_state(task.state)

    @admin.display(description="duration")
    def took(self, task: TaskRun) -> str:
        return display.duration(task.started_at, task.finished_at)

    @admin.display(description="log")
    def output(self, task: TaskRun) -> str:
        shown: str = getattr(task, "shown_log", "")
        length: int = getattr(task, "log_characters", 0)
        if not shown:
            return display.NOTHING
        left_out = length - len(shown)
        return format_html(
            '<details><summary>{} characters</summary><pre class="kiok-text">{}{}</pre></details>',
            *(
                length,
                shown,
                f"\n… {left_out} more characters. The API returns the full log." if left_out else "",
            ),
        )


@admin.register(DagRun)
class DagRunAdmin(ReadOnlyAdmin):
    list_display = ("dag_cell", "state_badge", "number", "trigger", "created", "took")
    list_filter = (RepositoryNameFilter, "state", "trigger", "created_at")
    search_fields = ("uid",)
    show_full_result_count = False
    fields = (
        "dag",
        "version",
        "trigger",
        "state_badge",
        "created_at",
        "started_at",
        "finished_at",
        "took",
        "tasks",
    )
    inlines = (TaskRunInline,)

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
        return run_state(run.state)

    @admin.display(description="created", ordering="created_at")
    def created(self, run: DagRun) -> str:
        return display.age(run.created_at)

    @admin.display(description="duration")
    def took(self, run: DagRun) -> str:
        return display.duration(run.started_at, run.finished_at)

    @admin.display(description="tasks")
    def tasks(self, run: DagRun) -> str:
        count = run.task_runs.count()
        return f"{count}; the first {SHOWN_TASK_RUNS} are below" if count > SHOWN_TASK_RUNS else str(count)

    class Media:
        css = {"all": ["kiok/dag.css"]}
