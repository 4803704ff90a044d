"""Workers that died in the midst of a sync: how often in a row, and whether the repository has answered for it.

A repository whose sync takes its worker with it (out of memory, a crash, a time limit) would be tried again and again,
each time at the cost of a worker. The syncs of the repository tell all there is to know: one whose worker died is
`abandoned` for that reason, and becomes the `failed` one when it is what the repository fails for.
See docs/adr/0028-syncs-that-kill-workers.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

from django.db.models import QuerySet

from gitsync.errors import SyncReason
from gitsync.models import Repository, SyncRun, SyncState

MAX_CRASHES = 3
"""In a row, at one commit, that are taken for chance: a machine that is restarted, the kernel that needed memory for
somebody else. What kills its worker costs so many before it is put off."""
MAX_COUNTED = 1000
"""More are told as so many."""


@dataclass(frozen=True, slots=True)
class CrashLoop:
    """`number` syncs in a row whose workers died; `last` is the last of them, `commit` what it was of ("": unknown)."""

    number: int
    last: SyncRun
    commit: str

    def message(self) -> str:
        """What happened, for people, without when it is tried again."""
        what = f"of commit {self.commit[:12]}" if self.commit else "before it had fetched the commit"
        where = f"in step {self.last.step}" if self.last.step else "at its beginning"
        return (
            f"the worker died {self.number} times in a row in the midst of a sync {what}, the last time {where}: "
            "out of memory, crashed, killed, or over kiok.gitsync.sync.timeout.ms. What was good before serves on. "
            "See the memory limit of the workers, and what the commit brought"
        )


def find_crash_loop(repository: Repository) -> CrashLoop | None:
    """The deaths in a row, if they are too many, and the repository does not fail for the last one yet.

    To be called under the claim, when no other sync of it runs.
    """
    last = _syncs(repository).first()
    if last is None or (last.state, last.reason) != (SyncState.ABANDONED, SyncReason.WORKER_DIED):
        return None
    ended = _syncs(repository).exclude(reason=SyncReason.WORKER_DIED).exclude(state=SyncState.ABANDONED)
    died = _syncs(repository).filter(
        reason=SyncReason.WORKER_DIED, pk__gt=ended.values_list("pk", flat=True).first() or 0
    )
    commits = list(died.values_list("to_commit", flat=True)[:MAX_COUNTED])
    # Of one that died before it had fetched it is not known which commit it was.
    commit = next(filter(None, commits), "")
    number = len(list(takewhile(lambda other: other in ("", commit), commits)))
    return CrashLoop(number, last, commit) if number >= MAX_CRASHES else None


def _syncs(repository: Repository) -> QuerySet[SyncRun]:
    """The newest first, without the looks that did not get as far as a sync."""
    return SyncRun.objects.filter(repository=repository).exclude(step="probe").order_by("-pk")
