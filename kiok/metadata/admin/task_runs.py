"""The tasks of a run for `kiok/task_runs.html`: failed ones first, filtered by state, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Case, Count, IntegerField, Value, When
from django.db.models.functions import Left, Length
from django.utils import timezone

from kiok.metadata.admin import display
from kiok.metadata.admin.display import Tone
from kiok.metadata.models import DagRun, RunState
from kiok.text import in_sentence

PAGE_SIZE = 100
MAX_LOG_CHARACTERS = 2_000_000  # of all logs on a page

_TONES = {
    RunState.PENDING: Tone.IDLE,
    RunState.RUNNING: Tone.BUSY,
    RunState.SUCCESS: Tone.GOOD,
    RunState.FAILED: Tone.BAD,
    RunState.CANCELLED: Tone.WARN,
}
_ORDER = (RunState.FAILED, RunState.RUNNING, RunState.CANCELLED, RunState.PENDING, RunState.SUCCESS)
_RANK = Case(
    *(When(state=state, then=Value(rank)) for rank, state in enumerate(_ORDER)),
    default=Value(len(_ORDER)),
    output_field=IntegerField(),
)


def run_state(state: str | None) -> str:
    """Return the state of a run or task as a badge."""
    if not state:
        return display.NOTHING
    return display.badge(_TONES[RunState(state)], RunState(state).label)


def duration(state: str, start: datetime | None, end: datetime | None) -> str:
    """Return how long a run or task took; for a running one, how long it has been running."""
    if state == RunState.RUNNING and start is not None and end is None:
        return f"{display.duration(start, timezone.now())} so far"
    return display.duration(start, end)


def of(run: DagRun, wanted: Mapping[str, str]) -> dict[str, Any]:
    """Return the page of the run's tasks that `wanted` names ("state", "page"). Takes three queries.

    An unknown state matches every task, and an unknown page is the nearest one. Logs are cut, so that together they
    have at most `MAX_LOG_CHARACTERS`.
    """
    state = wanted.get("state", "")
    state = state if state in RunState.values else ""
    numbers = dict(run.task_runs.order_by().values_list("state").annotate(number=Count("pk")))
    tasks = run.task_runs.filter(state=state) if state else run.task_runs.all()
    shown = Paginator(
        tasks.defer("log")
        .annotate(shown_log=Left("log", MAX_LOG_CHARACTERS // PAGE_SIZE), log_characters=Length("log"))
        .order_by(_RANK, "id"),
        PAGE_SIZE,
    ).get_page(wanted.get("page"))
    return {
        "state": state,
        "states": [
            {"key": key, "badge": display.badge(_TONES[key], f"{numbers[key]} {in_sentence(key.label)}")}
            for key in _ORDER
            if key in numbers
        ],
        "page": shown,
        "tasks": [_row(task) for task in shown],
        "query": f"state={state}" if state else "",
    }


def _row(task: Any) -> dict[str, Any]:
    return {
        "id": task.task_id,
        "state": run_state(task.state),
        "started": display.age(task.started_at),
        "took": duration(task.state, task.started_at, task.finished_at),
        "exit_code": display.NOTHING if task.exit_code is None else task.exit_code,
        "log": task.shown_log,
        "characters": task.log_characters,
        "left_out": task.log_characters - len(task.shown_log),
    }
