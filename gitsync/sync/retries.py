"""Retries of single files that failed with a transient cause: a timeout, a lost container, no engine.

The repository is still polled on its interval. Only these files wait, each with its own exponential back-off.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gitsync.models import Repository, SourceFile
from gitsync.sync.backoff import next_due, retry_at
from gitsync.sync.plan import Plan


@dataclass(frozen=True, slots=True)
class Retries:
    """Pending retries of a repository's files: their number, the file that is retried first, and when.

    `unavailable` names the kinds whose files are also retried as soon as their image is available.
    """

    number: int
    first_path: str
    at: datetime
    unavailable: tuple[str, ...] = ()

    def message(self) -> str:
        """Return the retries as one sentence for people."""
        when = f"{self.at:%Y-%m-%d %H:%M:%S} UTC"
        if self.unavailable:
            when += " at the latest, or at the first check that finds the sandbox available"
        if self.number == 1:
            return f"Retrying {self.first_path} at {when}"
        return f"Retrying {self.number} files, the first of them {self.first_path} at {when}"


def schedule_retry(
    row: SourceFile, before: SourceFile | None, repository: Repository, now: datetime, *, starved: bool
) -> None:
    """Set when the file of a new row is retried. Does not save.

    The back-off grows while a due retry fails with the same content and inputs. A retry that a person requested restarts
    it. A starved file did not fail by itself, so it is retried at the next poll.
    """
    row.attempts = 1
    if before and before.retry_at and before.retry_at <= now and not starved:
        is_same = (before.blob_sha, before.compile_key) == (row.blob_sha, row.compile_key)
        row.attempts = before.attempts + 1 if is_same else 1
    row.retry_at = retry_at(repository, row.attempts, next_due(repository, now))


def scheduled_retries(repository: Repository, plan: Plan) -> Retries | None:
    """Return the pending retries after the plan was applied, or None."""
    retried = [file for file in plan.files if file.retry]
    if not retried:
        return None
    rows = SourceFile.objects.filter(repository=repository, retry_at__isnull=False)
    first = rows.order_by("retry_at", "path").only("path", "retry_at").first()
    if first is None or first.retry_at is None:
        return None
    kinds = sorted({file.source.kind for file in retried if file.unavailable})
    return Retries(len(retried), first.path, first.retry_at, tuple(kinds))
