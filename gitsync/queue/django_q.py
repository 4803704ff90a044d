"""A worker's task becomes the turn that is due: what django-q2 then stores as its result is that turn's.

django-q2 tells of a task before and after it, with the very dictionary that it stores in the end. The worker hears of
the first, the cluster's monitor, which stores results, of the second.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError
from django_q.signals import post_execute, pre_execute

from gitsync.errors import Requeue
from gitsync.models import QueuedSync, Trigger
from gitsync.queue import dequeue, dispatch
from kiok.cluster.process_id import process_name

if TYPE_CHECKING:
    from compilers.pipeline import Share

AWAITED = (Trigger.ADMIN, Trigger.API)
"""Whose results somebody may ask for; of others only failures are stored. To store one django-q2 locks all it keeps."""
_TURN = "turn"
_PUT_BACK = "turn_put_back"

log = logging.getLogger(__name__)

worker_name = process_name
"""How this process is known among the workers (`gitsync.presence`); a worker process says it when it begins."""
_task: dict[str, Any] = {}


def connect() -> None:
    """Hear of the tasks of this process."""
    pre_execute.connect(_begins, dispatch_uid="gitsync.queue")
    post_execute.connect(_is_stored, dispatch_uid="gitsync.queue")


def is_delivered() -> bool:
    """Whether what this process does is a sync task from the queue, rather than a call."""
    return bool(_task.get("func") == dispatch.TASK)


def claim() -> QueuedSync | None:
    """The turn that the task under way is to do, None if there is nothing for it. Raises DatabaseError."""
    queued = dequeue.claim(worker_name())
    if queued is None:
        _task["save"] = False
    else:
        is_awaited = queued.arguments[0] in AWAITED
        _task.update(
            dispatch.identity(queued), **{_TURN: queued.pk}, **({} if is_awaited else {"save": False})
        )
    return queued


def admit(queued: QueuedSync, shares: Iterable[Share]) -> None:
    """Go on to compile all this, or raise Deferred. Raises DatabaseError."""
    if not dequeue.admit(queued, worker_name(), shares):
        raise Requeue("other long syncs are under way; it waits until one of them has ended")


def requeue(queued: QueuedSync, *, full: bool) -> None:
    """The turn waits again; it is a full one from now on if `full` says so. Raises DatabaseError."""
    _task.update({"save": False, _PUT_BACK: True})
    if full:
        trigger, _, *rest = queued.arguments
        QueuedSync.objects.filter(pk=queued.pk).update(arguments=[trigger, True, *rest])


def _begins(task: dict[str, Any], **_: Any) -> None:
    global _task
    _task = task


def _is_stored(task: dict[str, Any], **_: Any) -> None:
    """In the monitor: a worker has become free, and the turn is over."""
    if _TURN not in task:
        return
    try:
        if _PUT_BACK not in task:
            dequeue.finish(task[_TURN])
        dispatch.notify_next()
    except DatabaseError as exc:  # raised, it would end the monitor
        log.warning("the end of a turn could not be recorded, so it is taken again: %s", exc)
