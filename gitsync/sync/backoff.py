"""Schedule of polls: when a repository is checked next, and the back-off after failures."""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta

from django.db.models import Q

from gitsync.models import Repository
from kiok.cluster.clock import database_now

MAX_BACKOFF_SECONDS = 15 * 60
FIRST_RETRY_SECONDS = 5  # for a repository that has never synced: the person who configured it is waiting
SPREAD = (
    0.1  # share of the interval over which polls are spread, so that a thousand do not run at the same time
)


def may_sync() -> Q:
    """Return a condition on `Repository`: neither disabled nor paused."""
    return Q(enabled=True, paused_at__isnull=True)


def next_due(repository: Repository, now: datetime) -> datetime:
    """Return the next regular poll of the repository after `now`.

    Polls stay on a fixed grid of intervals, so a slow poll does not shift later ones. The first poll sets the grid, with
    an offset derived from the name.
    """
    interval = timedelta(milliseconds=repository.effective_interval_ms)
    if repository.checked_at is None:
        share = zlib.crc32(repository.name.encode()) / 2**32
        return now + interval - interval * SPREAD * share
    behind = now - repository.next_due_at
    if behind < timedelta(0):
        # Requested before it was due (by a command, the admin, a webhook): the grid stays.
        return min(repository.next_due_at, now + interval)
    return repository.next_due_at + interval * (behind // interval + 1)


def after_failure(repository: Repository, failures: int, now: datetime) -> datetime:
    """Return when to poll again after `failures` transient failures in a row.

    The back-off starts with the interval, or 5 s until the first success, and doubles each time, up to 15 minutes.
    See docs/git-rules.md.
    """
    interval = repository.effective_interval_ms / 1000
    first = interval if repository.last_good_at else min(FIRST_RETRY_SECONDS, interval)
    seconds = min(first * 2 ** min(failures - 1, 20), max(MAX_BACKOFF_SECONDS, interval))
    return now + timedelta(seconds=seconds)


def retry_at(repository: Repository, attempts: int, due: datetime) -> datetime:
    """Return the time of the poll that retries a commit, or a file of it, after `attempts` failures in a row.

    Polling keeps its interval. The first retry is at `due`, the next poll; each further one comes after twice as many
    intervals, up to 15 minutes.
    """
    interval = timedelta(milliseconds=repository.effective_interval_ms)
    polls: int = min(2 ** min(attempts - 1, 20), max(1, timedelta(seconds=MAX_BACKOFF_SECONDS) // interval))
    return due + interval * (polls - 1)


def poll_now(repository: Repository) -> None:
    """Make the repository due now and reset its back-off, after an edit. Does not save."""
    repository.next_due_at = database_now()
    repository.consecutive_failures = 0
