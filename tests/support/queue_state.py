"""The queue of syncs, as tests read it, and a queued sync run in the test's own process."""

from __future__ import annotations

from typing import Any

from gitsync import tasks
from gitsync.models import QueuedSync, Trigger
from gitsync.sync.context import Requeue, SyncOptions
from kiok import correlation


def waiting() -> list[tuple[Any, ...]]:
    """Return the queued syncs as (repository, trigger, full, requested_by, correlation_id), the first request first."""
    rows = QueuedSync.objects.order_by("requested_at", "number")
    return [(row.repository_id, *row.arguments) for row in rows]


def run_now(
    repository_id: int,
    trigger: str,
    full: bool = False,
    requested_by: str = "",
    correlation_id: str = "",
) -> str:
    """Sync a repository as a worker does that claims its queued sync, and return the task's result."""
    options = SyncOptions(Trigger(trigger), requested_by, full)
    with correlation.bound(correlation_id):
        outcome = tasks.run_sync(repository_id, options)
    assert not isinstance(outcome, Requeue)
    return outcome
