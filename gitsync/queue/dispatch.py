"""Dispatch of tasks that notify workers of queued syncs.

A few tasks in the broker are enough, however many syncs are queued: each worker that finishes one dispatches another
task if more wait. So other tasks, such as a dry run or a connection test, never wait behind five hundred syncs. If the
broker loses tasks, the leader replaces them: every few seconds it checks whether syncs wait while workers are idle.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.signing import SignedPackage

from gitsync.models import QueuedSync
from gitsync.queue.brokers.errors import BrokerAway
from gitsync.queue.dequeue import busy_workers, eligible
from kiok.cluster import heartbeat

TASK = "gitsync.tasks.run_next_queued_sync"
ENOUGH = 8  # tasks in the broker at which no more are sent; the number of workers if that is higher
DISPATCH_SECONDS = (
    5.0  # between two checks by the leader, and the wait of a queued sync before the leader dispatches it
)

log = logging.getLogger(__name__)


def notify(queued: QueuedSync) -> None:
    """Notify a worker of the queued sync once the current transaction is committed. Raises DatabaseError."""
    broker = get_broker()
    if broker.is_transactional:
        _send(broker, queued)
    else:
        transaction.on_commit(partial(_try_to_notify, broker, queued))


def notify_next() -> None:
    """Notify a worker of the queued sync that is due, if any. Raises DatabaseError."""
    queued = eligible(*busy_workers()).first()
    if queued is not None:
        notify(queued)


def package(queued: QueuedSync) -> str:
    """Return the task as django-q2 transports it. It names this sync, but the worker runs the one that is due then."""
    return str(
        SignedPackage.dumps(
            {**identity(queued), "kwargs": {}, "ack_failure": True, "started": timezone.now()}
        )
    )


def identity(queued: QueuedSync) -> dict[str, Any]:
    """Return the fields by which django-q2 identifies a task and its result."""
    name = f"sync {queued.repository_id}"
    return {
        "id": queued.pk,
        "name": name,
        "group": name,
        "func": TASK,
        "args": (),
    }


def dispatch_waiting() -> int:
    """Dispatch tasks for syncs that wait although workers are idle; return how many. Raises DatabaseError."""
    workers, taken = busy_workers()
    idle = len(workers) - len(taken)
    if idle <= 0:
        return 0
    waited = Now() - timedelta(seconds=DISPATCH_SECONDS)
    late = list(eligible(workers, taken).filter(requested_at__lt=waited)[:idle])
    for queued in late:
        notify(queued)
    return len(late)


class Dispatcher:
    """Periodic call of `dispatch_waiting`, driven by a frequent loop."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def tick(self) -> None:
        """Call `dispatch_waiting` if its interval has passed. Raises DatabaseError."""
        if time.monotonic() - self._last >= DISPATCH_SECONDS:
            self._last = time.monotonic()
            if sent := dispatch_waiting():
                log.debug("dispatched %s queued syncs that were waiting although workers are idle", sent)


def _send(broker: Any, queued: QueuedSync) -> None:
    size = broker.queue_size()
    if size < ENOUGH or size < heartbeat.alive().count():
        broker.enqueue(package(queued))


def _try_to_notify(broker: Any, queued: QueuedSync) -> None:
    """Dispatch a task; an unreachable broker must not fail the request: the sync is queued and the leader finds it."""
    try:
        _send(broker, queued)
    except BrokerAway as exc:
        log.warning("%s. A queued sync waits until it is back", exc.found)
