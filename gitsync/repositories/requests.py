"""Outcome of a requested sync according to the store, for the admin's pages and for the API."""

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

# A request that arrives during a sync is served by the poll or sync that follows it. In the moment between the two,
# nothing in the store shows the request.
FOLLOW_UP_GRACE = timedelta(seconds=2)

NO_WORKER = "No worker is running. Start `manage.py run` or `manage.py qcluster`."
MAX_RESULT = 500


@dataclass(frozen=True, slots=True)
class RequestedSync:
    """Request for a sync, and the state of the store at that time. Compared only with the store, never with a clock.

    `task` is django-q2's id, `last_run` the key of the newest sync then (0: none), `checked_at` the last poll then
    as ISO 8601 ("": none), `busy` whether a sync was running.
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
    """Ways in which a request ends."""

    SYNC = auto()  # a sync ran and ended, in any state
    NOTHING_NEW = auto()  # no new commit since the last sync
    FAILING = auto()  # the repository could not be polled, or is failing as before
    NOT_LOOKED = auto()  # the worker did not poll: the repository is disabled, paused or deleted
    WORKER_FAILED = auto()  # a fault of this service


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """Outcome of a request; `message` is for people."""

    end: End
    message: str


def standing(repository: Repository, task: str, run: SyncRun | None) -> RequestedSync:
    """Return the request that has just become `task`, from the repository and its newest sync as they were before it."""
    return RequestedSync(
        task=task,
        last_run=run.pk if run else 0,
        checked_at=_checked_at(repository),
        busy=bool(run and run.state == SyncState.RUNNING),
    )


def outcome_of(
    repository: Repository, asked: RequestedSync, task: Task | None, run: SyncRun | None
) -> RequestOutcome | None:
    """Return the outcome of the request; None while it is open.

    `run` is the newest sync, `task` the stored task of the request once it is done.
    """
    if run and run.pk > asked.last_run and run.state != SyncState.RUNNING:
        return RequestOutcome(End.SYNC, run.message)
    if task is None or repository.pending_request or is_claimed(repository):
        return None
    if not task.success:
        return RequestOutcome(End.WORKER_FAILED, "The worker failed. See the service log.")
    if asked.busy and _is_followed(repository, run):
        return None
    if _checked_at(repository) == asked.checked_at:
        return RequestOutcome(End.NOT_LOOKED, str(task.result)[:MAX_RESULT])
    if repository.state == RepositoryState.FAILING:
        return RequestOutcome(End.FAILING, repository.message)
    return RequestOutcome(End.NOTHING_NEW, "No new commit since the last sync.")


def is_claimed(repository: Repository) -> bool:
    """Return whether a sync holds the repository, according to its lease."""
    expires = repository.lease_expires_at
    return bool(repository.lease_holder and expires and expires > timezone.now())


def worker_hint() -> str:
    """Return a hint if no worker is running, otherwise "". A leader proves that there is one: only workers can lead."""
    alive = LeaderLease.current().exists()
    return "" if alive else NO_WORKER


def _is_followed(repository: Repository, run: SyncRun | None) -> bool:
    """Return whether the sync that was running at the request has ended, and the poll after it is still to come."""
    if not (run and run.finished_at and repository.checked_at):
        return False
    looked_again = repository.checked_at > run.finished_at
    return not looked_again or timezone.now() - run.finished_at < FOLLOW_UP_GRACE


def _checked_at(repository: Repository) -> str:
    return repository.checked_at.isoformat() if repository.checked_at else ""
