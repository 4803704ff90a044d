"""What came of a sync that somebody asked for, as the store tells it: for the admin's pages and for the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from django.utils import timezone
from django_q.models import Task

from gitsync.models import Repository, RepositoryState, SyncRun, SyncState
from kiok.cluster.models import LeaderLease

FOLLOW_UP_GRACE = timedelta(seconds=2)
"""A request that came during a sync is served by what follows it, a look or a sync; in the moment between
the two nothing in the store tells of it."""

NO_WORKER = "No worker is running; start `manage.py run` or `manage.py qcluster`."
MAX_RESULT = 500


@dataclass(frozen=True, slots=True)
class RequestedSync:
    """A request, and how things stood when it was made. Compared with the store alone, never with a clock.

    `task` is django-q2's id, `last_run` the newest sync's key then (0: none), `checked_at` the last look then
    as ISO 8601 ("": none), `busy` whether a sync was under way.
    """

    task: str
    last_run: int
    checked_at: str
    busy: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RequestedSync:
        return cls(
            str(value["task"]), int(value["last_run"]), str(value["checked_at"]), value["busy"] is True
        )


class End(Enum):
    """How a request ends."""

    SYNC = auto()
    """A sync came of it, whatever its state."""
    NOTHING_NEW = auto()
    """The commit is the one that was last synced."""
    FAILING = auto()
    """The repository could not be looked at, or fails as it did."""
    NOT_LOOKED = auto()
    """The worker did not look: the repository is switched off, paused or gone."""
    WORKER_FAILED = auto()
    """A fault of this service."""


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """How a request ended; `message` is for people."""

    end: End
    message: str


def standing(repository: Repository, task: str, run: SyncRun | None) -> RequestedSync:
    """The request that has just become `task`, given the repository and its newest sync as they were before it."""
    return RequestedSync(
        task=task,
        last_run=run.pk if run else 0,
        checked_at=_checked_at(repository),
        busy=bool(run and run.state == SyncState.RUNNING),
    )


def outcome_of(
    repository: Repository, asked: RequestedSync, task: Task | None, run: SyncRun | None
) -> RequestOutcome | None:
    """What came of the request; None while it is open. `run` is the newest sync, `task` the request's, once it is done."""
    if run and run.pk > asked.last_run and run.state != SyncState.RUNNING:
        return RequestOutcome(End.SYNC, run.message)
    if task is None or repository.pending_request or is_claimed(repository):
        return None
    if not task.success:
        return RequestOutcome(
            End.WORKER_FAILED, "The worker failed at it; the service's log has the details."
        )
    if asked.busy and _is_followed(repository, run):
        return None
    if _checked_at(repository) == asked.checked_at:
        return RequestOutcome(End.NOT_LOOKED, str(task.result)[:MAX_RESULT])
    if repository.state == RepositoryState.FAILING:
        return RequestOutcome(End.FAILING, repository.message)
    return RequestOutcome(End.NOTHING_NEW, "The commit is the one that was last synced.")


def is_claimed(repository: Repository) -> bool:
    """Whether a sync holds the repository, as far as its lease tells."""
    expires = repository.lease_expires_at
    return bool(repository.lease_holder and expires and expires > timezone.now())


def worker_hint() -> str:
    """What to do where nobody takes requests up; "" while there is a leader, which only a worker can be."""
    alive = LeaderLease.current().exists()
    return "" if alive else NO_WORKER


def _is_followed(repository: Repository, run: SyncRun | None) -> bool:
    """Whether the sync that was under way at the request is over, and the look that follows it is to come."""
    if not (run and run.finished_at and repository.checked_at):
        return False
    looked_again = repository.checked_at > run.finished_at
    return not looked_again or timezone.now() - run.finished_at < FOLLOW_UP_GRACE


def _checked_at(repository: Repository) -> str:
    return repository.checked_at.isoformat() if repository.checked_at else ""
