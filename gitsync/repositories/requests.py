"""Outcome of a requested sync according to the store, for the admin's pages and for the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from django.utils import timezone
from django_q.models import Task

from gitsync.models import Repository, RepositoryState, SyncRun, SyncState
from gitsync.repositories.operation import WORKER_FAILED, Operation, last_poll

# A request that arrives during a sync is served by the poll or sync that follows it. In the moment between the two,
# nothing in the store shows the request.
FOLLOW_UP_GRACE = timedelta(seconds=2)

MAX_RESULT = 500


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


def outcome_of(
    repository: Repository, requested: Operation, task: Task | None, run: SyncRun | None
) -> RequestOutcome | None:
    """Return the outcome of the request; None while it is open.

    `run` is the newest sync, `task` the stored task of the request once it is done.
    """
    if run and run.pk > requested.last_run and run.state != SyncState.RUNNING:
        return RequestOutcome(End.SYNC, run.message)
    if task is None or repository.pending_request or is_claimed(repository):
        return None
    if not task.success:
        return RequestOutcome(End.WORKER_FAILED, WORKER_FAILED)
    if requested.busy and _is_followed(repository, run):
        return None
    if last_poll(repository) == requested.checked_at:
        return RequestOutcome(End.NOT_LOOKED, str(task.result)[:MAX_RESULT])
    if repository.state == RepositoryState.FAILING:
        return RequestOutcome(End.FAILING, repository.message)
    return RequestOutcome(End.NOTHING_NEW, "No new commit since the last sync.")


def is_claimed(repository: Repository) -> bool:
    """Return whether a sync holds the repository, according to its lease."""
    expires = repository.lease_expires_at
    return bool(repository.lease_holder and expires and expires > timezone.now())


def _is_followed(repository: Repository, run: SyncRun | None) -> bool:
    """Return whether the sync that was running at the request has ended, and the poll after it is still to come."""
    if not (run and run.finished_at and repository.checked_at):
        return False
    looked_again = repository.checked_at > run.finished_at
    return not looked_again or timezone.now() - run.finished_at < FOLLOW_UP_GRACE
