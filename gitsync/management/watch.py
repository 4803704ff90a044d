"""`manage.py gitsync --watch`: follow the syncs that are requested, until none waits or runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from django.utils import timezone

from gitsync.models import QueuedSync, Repository
from gitsync.repositories.requests import FOLLOW_UP_GRACE, is_claimed
from gitsync.repositories.states import LABELS, QUEUED, shown_label, with_queue
from kiok.cluster.conf import properties
from kiok.cluster.models import LeaderLease

POLL_SECONDS = 0.5  # a change of state is printed at most this much later


DUE = "Waiting for a check"  # the state of a repository that the leader polls next; the others are those of the list


def follow(repositories: Sequence[Repository], show: Callable[[Repository, str], None]) -> list[Repository]:
    """Show each change of state once, and return the repositories when none has a sync that waits or runs.

    `show` gets a repository and its state in words. A repository that is deleted during the watch is left
    out.
    """
    keys = [row.pk for row in repositories]
    shown: dict[int, str] = {}
    merged: dict[int, float] = {}
    while True:
        # The queue first: the row of a repository that is read later has the result of a sync that left the queue.
        queued = set(QueuedSync.objects.filter(repository__in=keys).values_list("repository", flat=True))
        rows = list(with_queue(Repository.objects.filter(pk__in=keys)).order_by("name"))
        is_polled = properties().gitsync_enabled and LeaderLease.current().exists()
        is_open = False
        for row in rows:
            state, waits = _state(row, queued, is_polled=is_polled)
            if shown.get(row.pk) != state:
                show(row, state)
                shown[row.pk] = state
            if row.pending_request:
                merged[row.pk] = time.monotonic()
            # Nothing in the store shows a merged request between the end of the sync and the poll that follows it.
            waits = (
                waits
                or time.monotonic() - merged.get(row.pk, float("-inf")) < FOLLOW_UP_GRACE.total_seconds()
            )
            is_open = is_open or waits
        if not is_open:
            return rows
        time.sleep(POLL_SECONDS)


def _state(row: Repository, queued: Collection[int], *, is_polled: bool) -> tuple[str, bool]:
    """Return the label of the state, and whether a sync waits or runs."""
    if is_claimed(row):
        return shown_label(row), True
    if row.pk in queued or row.pending_request:
        return LABELS[QUEUED], True
    is_active = row.enabled and not row.is_paused
    if is_active and is_polled and row.next_due_at <= timezone.now():
        return DUE, True
    return shown_label(row), False
