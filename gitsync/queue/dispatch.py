"""Tasks that wake workers for the turns that wait.

A few in the queue do, however many turns there are: each worker that has ended a turn sends another task if more wait.
So what else is in the queue, a dry run or a test of a connection, does not stand behind five hundred syncs. What the
broker loses the leader makes good: it looks every few seconds whether turns wait while workers are idle.
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
ENOUGH = 8
"""Tasks in the queue beyond which no more are sent, or as many as there are workers, if that is more."""
DISPATCH_SECONDS = 5.0
"""How often the leader looks, and how long a turn has to have waited for it to act."""

log = logging.getLogger(__name__)


def notify(queued: QueuedSync) -> None:
    """Have a worker woken once the current transaction is committed. Raises DatabaseError."""
    broker = get_broker()
    if broker.is_transactional:
        _send(broker, queued)
    else:
        transaction.on_commit(partial(_try_to_notify, broker, queued))


def notify_next() -> None:
    """Have a worker woken for the turn that is due, if any. Raises DatabaseError."""
    queued = eligible(*busy_workers()).first()
    if queued is not None:
        notify(queued)


def package(queued: QueuedSync) -> str:
    """The task as django-q2 carries it. What it says is this turn; what is done is the turn that is due then."""
    return str(
        SignedPackage.dumps(
            {**identity(queued), "kwargs": {}, "ack_failure": True, "started": timezone.now()}
        )
    )


def identity(queued: QueuedSync) -> dict[str, Any]:
    """By what django-q2 knows a task and its result."""
    name = f"sync {queued.repository_id}"
    return {
        "id": queued.pk,
        "name": name,
        "group": name,
        "func": TASK,
        "args": (),
    }


def dispatch_waiting() -> int:
    """Send tasks for turns that wait though workers are idle; how many. Raises DatabaseError."""
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
    """Calls `dispatch_waiting` now and then, for a loop that comes by often."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def tick(self) -> None:
        """Raises DatabaseError."""
        if time.monotonic() - self._last >= DISPATCH_SECONDS:
            self._last = time.monotonic()
            if sent := dispatch_waiting():
                log.debug("%s turns were waiting beside idle workers", sent)


def _send(broker: Any, queued: QueuedSync) -> None:
    size = broker.queue_size()
    if size < ENOUGH or size < heartbeat.alive().count():
        broker.enqueue(package(queued))


def _try_to_notify(broker: Any, queued: QueuedSync) -> None:
    """A broker that is out of reach must not fail whoever asks: the turn stands, and the leader sees it."""
    try:
        _send(broker, queued)
    except BrokerAway as exc:
        log.warning("%s. A sync waits until it is back", exc.found)
