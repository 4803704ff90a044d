"""When a repository is looked at next."""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta

from django.db.models import Q

from gitsync.models import Repository
from kiok.cluster.clock import database_now

MAX_BACKOFF_SECONDS = 15 * 60
FIRST_RETRY_SECONDS = 5
"""The first pause of a repository that has never synced: whoever has just configured it is waiting."""
SPREAD = 0.1
"""Share of the interval over which repositories are spread, so that a thousand do not ask at once."""


def may_sync() -> Q:
    """A condition on `Repository`: neither switched off nor paused."""
    return Q(enabled=True, paused_at__isnull=True)


def next_due(repository: Repository, now: datetime) -> datetime:
    """The next point of the repository's own grid after `now`.

    The grid is kept, not restarted, so a slow look does not shift later ones. It is laid once, at the first look,
    with an offset by name.
    """
    interval = timedelta(milliseconds=repository.effective_interval_ms)
    if repository.checked_at is None:
        share = zlib.crc32(repository.name.encode()) / 2**32
        return now + interval - interval * SPREAD * share
    behind = now - repository.next_due_at
    if behind < timedelta(0):
        # Asked for out of turn (a command, the admin, a webhook): the grid stands.
        return min(repository.next_due_at, now + interval)
    return repository.next_due_at + interval * (behind // interval + 1)


def after_failure(repository: Repository, failures: int, now: datetime) -> datetime:
    """When to poll again after the nth transient failure in a row: the first pause, doubled each time, at most 15 min.

    The first pause is the interval, or 5 s until the first success. See docs/git-rules.md.
    """
    interval = repository.effective_interval_ms / 1000
    first = interval if repository.last_good_at else min(FIRST_RETRY_SECONDS, interval)
    seconds = min(first * 2 ** min(failures - 1, 20), max(MAX_BACKOFF_SECONDS, interval))
    return now + timedelta(seconds=seconds)


def retry_at(repository: Repository, attempts: int, due: datetime) -> datetime:
    """Return the time of the poll that retries what failed `attempts` times in a row, of a commit or all of it.

    Polling keeps its interval. `due` is the next poll, and the first retry; each further one comes after twice as many
    intervals, at most 15 minutes.
    """
    interval = timedelta(milliseconds=repository.effective_interval_ms)
    polls: int = min(2 ** min(attempts - 1, 20), max(1, timedelta(seconds=MAX_BACKOFF_SECONDS) // interval))
    return due + interval * (polls - 1)


def look_at_once(repository: Repository) -> None:
    """After an edit: due now, with the pauses after failures forgotten. Does not save."""
    repository.next_due_at = database_now()
    repository.consecutive_failures = 0
