"""The definition of a DAG or version by tabs, whose templates are in `kiok/`: graph, tasks, source, spec in details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiok.metadata.admin import display, graph_picture, run_keys
from kiok.metadata.admin.code import ending_of, numbered
from kiok.text import reveal_hidden

SHOWN_TASKS = 1000
SHOWN_REQUIREMENTS = 20
CONFIG_CHARACTERS = 100
MAX_SPEC_CHARACTERS = 1_000_000


def part(tab: str, spec: Mapping[str, Any], source: str | None, path: str) -> dict[str, Any]:
    """Return the variables of the template of a tab. `path` determines the language of the source."""
    match tab:
        case "graph":
            return {"graph": graph_picture.of(spec)}
        case "tasks":
            return _tasks(spec)
        case "source":
            return {"source": numbered(source, ending_of(path)) if source else ""}
        case _:
            return _spec(spec)


def _tasks(spec: Mapping[str, Any]) -> dict[str, Any]:
    found = spec.get("tasks")
    tasks = [task for task in found if isinstance(task, dict)] if isinstance(found, list) else []
    shown = [_task(task) for task in tasks[:SHOWN_TASKS]]
    return {
        "tasks": shown,
        "has_options": any(task["options"] for task in shown),
        "tasks_left_out": max(0, len(tasks) - SHOWN_TASKS),
    }


def _spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    text = display.spec_text(dict(spec))
    return {
        "for_runs": run_keys.dag_rows(spec),
        "params": run_keys.params(spec),
        "spec": reveal_hidden(text[:MAX_SPEC_CHARACTERS]),
        "spec_left_out": max(0, len(text) - MAX_SPEC_CHARACTERS),
    }


def _task(task: Mapping[str, Any]) -> dict[str, Any]:
    required = [str(id) for id in task.get("requires") or ()]
    more = len(required) - SHOWN_REQUIREMENTS
    shown = ", ".join(required[:SHOWN_REQUIREMENTS]) + (f" and {more} more" if more > 0 else "")
    config = task.get("config")
    return {
        "id": task.get("id"),
        "type": task.get("type"),
        "requires": shown or display.NOTHING,
        "options": run_keys.task_options(task),
        "timeout": display.milliseconds(task.get("timeoutMs")),
        "config": _config(config) if isinstance(config, dict) else display.NOTHING,
    }


def _config(config: Mapping[str, Any]) -> str:
    """Return `retries = 3, user = ada`, shortened."""
    return display.shortened(
        ", ".join(f"{key} = {str(value)[:200]}" for key, value in list(config.items())[:20]),
        CONFIG_CHARACTERS,
    )
