"""django-q2's tasks as carriers of queued syncs: a sync task runs whichever queued sync is due.

django-q2 signals a task before and after it runs, with the dictionary that it stores as the result in the end. The worker
receives the first signal; the cluster's monitor, which stores results, receives the second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError
from django_q.signals import post_execute, pre_execute

from gitsync.models import QueuedSync, Trigger
from gitsync.queue import dequeue, dispatch
from kiok.cluster.process_id import process_name

if TYPE_CHECKING:
    from compilers.pipeline import Share

# Syncs whose result somebody may read. Of others only failures are stored: django-q2 locks all results to store one.
AWAITED = (Trigger.ADMIN, Trigger.API)
BUSY = "other long syncs are running; requeued until one of them ends"
_QUEUED = "queued_sync"
_REQUEUED = "requeued"

log = logging.getLogger(__name__)


class SyncTasks:
    """The sync tasks of this process. `worker_name` returns its name among the workers (`kiok.cluster.heartbeat`)."""

    def __init__(self, worker_name: Callable[[], str] = process_name) -> None:
        self.worker_name = worker_name
        self._task: dict[str, Any] = {}

    def connect(self) -> None:
        """Receive the signals of the tasks of this process."""
        pre_execute.connect(self._begin, dispatch_uid="gitsync.queue")
        post_execute.connect(_stored, dispatch_uid="gitsync.queue")

    def claim(self) -> QueuedSync | None:
        """Return the queued sync that the running task has to run, None if none may begin. Raises DatabaseError."""
        queued = dequeue.claim(self.worker_name())
        if queued is None:
            self._task["save"] = False
            return None
        self._task |= {**dispatch.identity(queued), _QUEUED: queued.pk}
        if queued.arguments[0] not in AWAITED:
            self._task["save"] = False
        return queued

    def admit(self, queued: QueuedSync, shares: Iterable[Share]) -> str:
        """Return why the queued sync has to wait before it compiles, or "". Raises DatabaseError."""
        return "" if dequeue.admit(queued, self.worker_name(), shares) else BUSY

    def requeue(self, queued: QueuedSync, *, full: bool) -> None:
        """Have the queued sync wait again; as a full one if `full`. Raises DatabaseError."""
        self._task |= {"save": False, _REQUEUED: True}
        if full:
            trigger, _, *rest = queued.arguments
            QueuedSync.objects.filter(pk=queued.pk).update(arguments=[trigger, True, *rest])

    def _begin(self, task: dict[str, Any], **_: Any) -> None:
        self._task = task


def _stored(task: dict[str, Any], **_: Any) -> None:
    """Finish the queued sync of a task, and notify a worker of the next one. Runs in the cluster's monitor."""
    if _QUEUED not in task:
        return
    try:
        if _REQUEUED not in task:
            dequeue.finish(task[_QUEUED])
        dispatch.notify_next()
    except DatabaseError as exc:  # raised, it would end the monitor
        log.warning("cannot record the end of a queued sync, so it runs again: %s", exc)
