"""The keys for runs of a DAG and its tasks, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiok.metadata.admin import display

DAY_MS = 86_400_000
CHOICES_CHARACTERS = 100


def dag_rows(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (label, value) of each key that the DAG sets."""
    rows = [
        ("Time zone", spec.get("timezone")),
        ("Active runs", _at_most(spec.get("maxActiveRuns"))),
        (
            "Overlap",
            {"queue": "queue: a further run waits", "skip": "skip: a further run is left out"}.get(
                str(spec.get("overlap"))
            ),
        ),
        ("Catch-up window", _window(spec.get("catchupWindowMs"))),
        ("Retries of tasks", _retries(spec)),
    ]
    return [(label, str(value)) for label, value in rows if value]


def params(spec: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the parameters of the DAG as cells, sorted by name."""
    found = spec.get("params")
    if not isinstance(found, dict):
        return []
    return [_param(name, param) for name, param in sorted(found.items()) if isinstance(param, dict)]


def task_options(task: Mapping[str, Any]) -> str:
    """Return `2 retries, the first after 30.0 s; runs always; image team/etl:1`; empty if the task sets no such key."""
    parts = [
        _retries(task),
        "runs always" if task.get("runs") == "always" else "",
        f"image {task['image']}" if task.get("image") else "",
    ]
    return "; ".join(part for part in parts if part)


def _param(name: str, param: Mapping[str, Any]) -> dict[str, str]:
    choices = param.get("choices")
    shown = ", ".join(map(_value, choices)) if isinstance(choices, list) else ""
    default = "required" if param.get("required") else _value(param.get("default"))
    return {
        "name": name,
        "type": str(param.get("type")),
        "default": display.shortened(default, CHOICES_CHARACTERS),
        "choices": display.shortened(shown, CHOICES_CHARACTERS),
        "description": display.shortened(param.get("description")),
    }


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _at_most(count: Any) -> str:
    return f"at most {count}" if isinstance(count, int) else ""


def _window(window: Any) -> str:
    if not isinstance(window, int):
        return ""
    days, rest = divmod(window, DAY_MS)
    in_days = f"{days} day{'s' if days != 1 else ''}"
    return in_days if days and not rest else display.milliseconds(window)


def _retries(keys: Mapping[str, Any]) -> str:
    retries, delay = keys.get("retries"), keys.get("retryDelayMs")
    parts = []
    if isinstance(retries, int):
        parts.append(f"{retries} retr{'y' if retries == 1 else 'ies'}" if retries else "no retries")
    if isinstance(delay, int):
        parts.append(f"the first after {display.milliseconds(delay)}")
    return ", ".join(parts)
