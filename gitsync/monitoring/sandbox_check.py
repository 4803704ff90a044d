"""Check of the sandbox's isolation layers, as a direct call or as a task of a worker.

Only workers can reach the Docker engine, so the admin enqueues a task.
"""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError
from django_q.tasks import async_task

from compilers.formats.python import PYTHON
from compilers.sandbox.self_check import Examination, examine
from compilers.source import CompilerError
from gitsync.worker import sandbox

TASK = "gitsync.monitoring.sandbox_check.check"
_NAME = "sandbox check"


def examination() -> Examination:
    """Test the isolation layers; takes a second or two. Raises SandboxUnavailable.

    Needs no database, because the layers are also tested before anything else is set up.
    """
    try:
        labels = sandbox.labels(_NAME, None)
    except DatabaseError:
        labels = ()
    return examine(sandbox.sandbox(), PYTHON, labels)


def enqueue() -> str:
    """Enqueue the check for a worker. Return the task's id."""
    return str(async_task(TASK, q_options={"group": _NAME, "task_name": _NAME}))


def check() -> dict[str, Any]:
    """Run the check (task). Return `{"error": str, "examination": JSON or None}`."""
    try:
        return {"error": "", "examination": examination().to_json()}
    except CompilerError as error:
        return {"error": str(error), "examination": None}
