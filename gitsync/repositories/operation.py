"""Operations: long-running requests that a worker executes. The admin and the API follow them in the same way.

An operation contains all that is needed to find its outcome in the database, so nothing is stored for it. The admin
keeps it in the requester's session. The API gives it to the requester as a signed token: only the requester, and those
who got the token from the requester, can read the outcome. Access to the repository is checked at each request.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.core import signing
from django_q.models import OrmQ, Task

from gitsync.models import QueuedSync, Repository, SyncRun, SyncState
from kiok.cluster.conf import properties
from kiok.cluster.models import LeaderLease

MAX_AGE = timedelta(days=1)  # of a token
NO_WORKER = "No worker is running. Start `manage.py run` or `manage.py qcluster`."
WORKER_FAILED = "The worker failed. See the service log."


class OperationKind(StrEnum):
    """Kinds of operations. The values are part of tokens and of sessions."""

    SYNC = "sync"
    DRY_RUN = "dry-run"
    CONNECTION_TEST = "connection-test"
    SANDBOX_CHECK = "sandbox-check"


class OperationState(StrEnum):
    """States of an operation."""

    WAITING = "waiting"  # for a worker, or for its result
    DONE = "done"
    FAILED = "failed"  # internal error: the worker's exception is in the service log
    LOST = "lost"  # no result is to be expected


@dataclass(frozen=True, slots=True)
class Operation:
    """A requested operation, and the state of the store at that time.

    `task` is django-q2's id, `repository` a key (0: the operation is about the installation), `at` a Unix time, `queued`
    the key of the newest task in the queue then. The rest is only for syncs: `last_run` is the key of the newest sync
    then (0: none), `checked_at` the last poll then as ISO 8601 ("": none), `busy` whether a sync was running.
    """

    kind: OperationKind
    task: str
    repository: int
    at: int
    queued: int = 0
    full: bool = False
    last_run: int = 0
    checked_at: str = ""
    busy: bool = False

    @classmethod
    def of_task(cls, kind: OperationKind, task: str, repository: int = 0) -> Operation:
        """Return the operation that has just become `task`."""
        newest = OrmQ.objects.order_by("-pk").values_list("pk", flat=True).first()
        return cls(kind, task, repository, int(time.time()), newest or 0)

    @classmethod
    def of_sync(cls, task: str, repository: Repository, run: SyncRun | None, *, full: bool) -> Operation:
        """Return the sync that has just become `task`, from the repository and its newest sync as they were before it."""
        return cls(
            OperationKind.SYNC,
            task,
            repository.pk,
            int(time.time()),
            full=full,
            last_run=run.pk if run else 0,
            checked_at=last_poll(repository),
            busy=bool(run and run.state == SyncState.RUNNING),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a token or a session."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Operation:
        """Restore the object from the output of `to_json`."""
        return cls(**{**value, "kind": OperationKind(value["kind"])})

    def token(self) -> str:
        """Return the signed operation. It consists of letters, digits, `_`, `-` and `.`."""
        return _signer(self.kind).sign_object(self.to_json())

    @classmethod
    def of_token(cls, kind: OperationKind, token: str) -> Operation | None:
        """Return the operation of a token; None if the token is invalid, expired, or of another kind."""
        try:
            return cls.from_json(_signer(kind).unsign_object(token, max_age=MAX_AGE))
        except signing.BadSignature:
            return None

    def visible_repository(self, user: Any) -> Repository | None:
        """Return the repository, if it exists and the user may view it."""
        found: Repository | None = Repository.objects.visible_to(user).filter(pk=self.repository).first()
        return found

    def stored_task(self) -> Task | None:
        """Return the task and its result; None until it is done."""
        task: Task | None = Task.objects.filter(pk=self.task).first()
        return task

    def poll(self, patience: timedelta | None = None) -> tuple[OperationState, Any]:
        """Return the state, and the task's result if it is done.

        An operation without a result is lost after `patience`, or without `patience` once it has left the queue.
        """
        # Read before the task, whose result may be stored in the meantime.
        is_lost = (
            self.has_left_the_queue()
            if patience is None
            else time.time() > self.at + patience.total_seconds()
        )
        task = self.stored_task()
        if task is None:
            return OperationState.LOST if is_lost else OperationState.WAITING, None
        return (OperationState.DONE, task.result) if task.success else (OperationState.FAILED, None)

    def has_left_the_queue(self) -> bool:
        """Return whether the task has left the queue. Its result, if it is kept, is stored before it leaves.

        Redis does not report this: with Redis, a task has left once the sync timeout has passed since the request. Syncs
        have a table of their own.
        """
        if self.kind is OperationKind.SYNC:
            return not QueuedSync.objects.filter(pk=self.task).exists()
        if properties().broker == "redis":
            return time.time() > self.at + properties().gitsync_sync_timeout_ms / 1000
        return not OrmQ.objects.filter(pk__lte=self.queued).exists()


def worker_hint() -> str:
    """Return a hint if no worker is running, otherwise "". A leader proves that there is one: only workers can lead."""
    alive = LeaderLease.current().exists()
    return "" if alive else NO_WORKER


def last_poll(repository: Repository) -> str:
    """Return the time of the repository's last poll as ISO 8601, "" if there is none."""
    return repository.checked_at.isoformat() if repository.checked_at else ""


def _signer(kind: OperationKind) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"gitsync.api.{kind}", sep=".")
