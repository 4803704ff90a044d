"""Allowlist of the functions that workers run, checked before the function of a task is resolved.

django-q2 imports and calls any function that a task, a schedule, a hook or a chain names. A worker decrypts credentials,
so a user who can write a row of the task queue could read every secret. Workers therefore run only the functions in
`FUNCTIONS`, and nothing of a refused task is imported. See docs/security.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn
from uuid import uuid4

from django.utils import timezone

from kiok.errors import KiokError

FUNCTIONS = frozenset(
    {
        "gitsync.tasks.run_next_queued_sync",
        "gitsync.tasks.dry_run",
        "gitsync.tasks.lead",
        "gitsync.repositories.connection_test_tasks.check_remote",
        "gitsync.repositories.connection_test_tasks.accept",
        "gitsync.monitoring.sandbox_check.check",
        "kiok.notifications.sender.deliver",
    }
)

# Keys of this product's tasks. Other keys of django-q2 name code (`hook`, `chain`), run the task in the process
# that enqueues it (`sync`), or store it where nothing reads it (`cached`, `iter_count`).
_ALLOWED_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "name": str,
    "group": str,
    "func": str,
    "args": tuple,
    "kwargs": dict,
    "save": bool,
    "ack_failure": bool,
    "started": datetime,
    "cluster": str,  # added by the process that takes tasks from the broker
    "ack_id": (int, bytes, str, type(None)),  # as above
}
_REQUIRED = ("id", "name", "func", "args", "kwargs", "started")
_MAX_ID_CHARACTERS = 32  # the column of django-q2's table
_MAX_NAME_CHARACTERS = 100  # as above
_MAX_SHOWN_CHARACTERS = 200
_STOP = "STOP"  # django-q2's message that ends a worker

log = logging.getLogger(__name__)


class TaskRefused(KiokError):
    """Error for a task that the worker did not run. The message says why."""


class RefusedFunction:
    """Replacement for the function of a refused task, which raises TaskRefused when it is called.

    Its `str()` is the refused name, which django-q2 stores with the result.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> NoReturn:
        raise TaskRefused(self.reason)


class CheckedQueue:
    """Reading end of a worker's task queue, which replaces refused tasks by tasks that fail."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def get(self) -> Any:
        """Return the next task, or django-q2's message that ends a worker."""
        task = self._queue.get()
        return task if task == _STOP else checked(task)


def checked(task: Any) -> Any:
    """Return the task unchanged if it is allowed; otherwise log the refusal and return a task that fails with it."""
    reason = refusal(task)
    if not reason:
        return task
    log.error("refused a task of the task queue: %s", reason)
    given = task if isinstance(task, dict) else {}
    return {
        "id": _text(given, "id", _MAX_ID_CHARACTERS) or uuid4().hex,
        "name": _text(given, "name", _MAX_NAME_CHARACTERS) or "refused",
        "func": RefusedFunction(shown(given.get("func")), reason),
        "args": (),
        "kwargs": {},
        "started": timezone.now(),
        "ack_failure": True,
        **{key: given[key] for key in ("ack_id", "cluster") if key in given},
    }


def refusal(task: Any) -> str:
    """Return why workers refuse a task of the broker, or "" if they run it."""
    if not isinstance(task, dict):
        return f"it is of type {type(task).__name__}; a task is a mapping"
    function = task.get("func")
    if not isinstance(function, str) or function not in FUNCTIONS:
        return f"function {shown(function)!r} is not one of the {len(FUNCTIONS)} that workers run"
    for key, value in task.items():
        if key not in _ALLOWED_TYPES:
            return f"option {shown(key)!r} ({shown(value)!r}) of function {function!r} is not allowed"
        if not isinstance(value, _ALLOWED_TYPES[key]):
            return f"{key} of function {function!r} is of type {type(value).__name__}"
    missing = [key for key in _REQUIRED if key not in task]
    if missing:
        return f"function {function!r} lacks {', '.join(missing)}"
    if len(task["id"]) > _MAX_ID_CHARACTERS or len(task["name"]) > _MAX_NAME_CHARACTERS:
        return f"id or name of function {function!r} is too long"
    return ""


def shown(value: Any) -> str:
    """Return a refused value for a message: its text if it is plain, otherwise its type."""
    text = (
        value if isinstance(value, str) else repr(value) if _is_plain(value) else f"<{type(value).__name__}>"
    )
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[:_MAX_SHOWN_CHARACTERS]}..."


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, bytes, list, tuple, dict))


def _text(task: Mapping[Any, Any], key: str, most: int) -> str:
    value = task.get(key)
    return value[:most] if isinstance(value, str) else ""
