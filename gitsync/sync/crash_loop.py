"""Crash loop detection: how many workers in a row died during a sync of a repository.

A repository whose sync kills its worker (out of memory, a crash, a time limit) would otherwise be retried forever,
each time at the cost of a worker. The recorded syncs hold all that is needed: one whose worker died is `abandoned`
with that reason, and becomes `failed` once the repository is failing because of it.
See docs/adr/0028-crash-loops.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

from django.db.models import QuerySet

from gitsync.errors import SyncReason
from gitsync.models import Repository, SyncRun, SyncState

# Deaths in a row at one commit before the back-off. Fewer may be chance: a restarted machine, or another process that
# used up the memory.
MAX_CRASHES = 3
MAX_COUNTED = 1000  # deaths; more are reported as this number


@dataclass(frozen=True, slots=True)
class CrashLoop:
    """Crash loop: `number` syncs in a row whose workers died, the `last` of them and its `commit` ("": unknown)."""

    number: int
    last: SyncRun
    commit: str

    def message(self) -> str:
        """Return the message for people, without the time of the next retry."""
        what = f"of commit {self.commit[:12]}" if self.commit else "before the commit was fetched"
        where = f"in step {self.last.step}" if self.last.step else "at its start"
        return (
            f"the worker died {self.number} times in a row during a sync {what}, the last time {where}: "
            "out of memory, crashed, killed, or over kiok.gitsync.sync.timeout.ms. The last good DAGs keep serving. "
            "Check the memory limit of the workers and the changes in the commit"
        )


def find_crash_loop(repository: Repository) -> CrashLoop | None:
    """Return the crash loop of a repository, or None if there is none or the repository is already failing for it.

    Call it under the lease, when no other sync of the repository is running.
    """
    last = _syncs(repository).first()
    if last is None or (last.state, last.reason) != (SyncState.ABANDONED, SyncReason.WORKER_DIED):
        return None
    ended = _syncs(repository).exclude(reason=SyncReason.WORKER_DIED).exclude(state=SyncState.ABANDONED)
    died = _syncs(repository).filter(
        reason=SyncReason.WORKER_DIED, pk__gt=ended.values_list("pk", flat=True).first() or 0
    )
    commits = list(died.values_list("to_commit", flat=True)[:MAX_COUNTED])
    # The commit of a sync that died before the fetch is unknown ("").
    commit = next(filter(None, commits), "")
    number = len(list(takewhile(lambda other: other in ("", commit), commits)))
    return CrashLoop(number, last, commit) if number >= MAX_CRASHES else None


def _syncs(repository: Repository) -> QuerySet[SyncRun]:
    """Return the repository's syncs, newest first, without the failed polls that led to no sync."""
    return SyncRun.objects.filter(repository=repository).exclude(step="probe").order_by("-pk")
