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

from gitsync import presence
from gitsync.models import Turn
from gitsync.queue.brokers.errors import BrokerAway
from gitsync.queue.dequeue import eligible, state_of_workers

TASK = "gitsync.tasks.sync"
ENOUGH = 8
"""Tasks in the queue beyond which no more are sent, or as many as there are workers, if that is more."""
ROUSE_SECONDS = 5.0
"""How often the leader looks, and how long a turn has to have waited for it to act."""

log = logging.getLogger(__name__)


def wake(turn: Turn) -> None:
    """Have a worker woken once the current transaction is committed. Raises DatabaseError."""
    broker = get_broker()
    if broker.is_transactional:
        _send(broker, turn)
    else:
        transaction.on_commit(partial(_try_to_wake, broker, turn))


def wake_next() -> None:
    """Have a worker woken for the turn that is due, if any. Raises DatabaseError."""
    turn = eligible(*state_of_workers()).first()
    if turn is not None:
        wake(turn)


def package(turn: Turn) -> str:
    """The task as django-q2 carries it. What it says is this turn; what is done is the turn that is due then."""
    return str(
        SignedPackage.dumps({**identity(turn), "kwargs": {}, "ack_failure": True, "started": timezone.now()})
    )


def identity(turn: Turn) -> dict[str, Any]:
    """By what django-q2 knows a task and its result."""
    name = f"sync {turn.repository_id}"
    return {
        "id": turn.pk,
        "name": name,
        "group": name,
        "func": TASK,
        "args": (turn.repository_id, *turn.arguments),
    }


def rouse() -> int:
    """Send tasks for turns that wait though workers are idle; how many. Raises DatabaseError."""
    workers, taken = state_of_workers()
    idle = len(workers) - len(taken)
    if idle <= 0:
        return 0
    waited = Now() - timedelta(seconds=ROUSE_SECONDS)
    late = list(eligible(workers, taken).filter(asked_at__lt=waited)[:idle])
    for turn in late:
        wake(turn)
    return len(late)


class Rouser:
    """Calls `rouse` now and then, for a loop that comes by often."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def rouse_if_due(self) -> None:
        """Raises DatabaseError."""
        if time.monotonic() - self._last >= ROUSE_SECONDS:
            self._last = time.monotonic()
            if sent := rouse():
                log.debug("%s turns were waiting beside idle workers", sent)


def _send(broker: Any, turn: Turn) -> None:
    queued = broker.queue_size()
    if queued < ENOUGH or queued < presence.alive().count():
        broker.enqueue(package(turn))


def _try_to_wake(broker: Any, turn: Turn) -> None:
    """A broker that is out of reach must not fail whoever asks: the turn stands, and the leader sees it."""
    try:
        _send(broker, turn)
    except BrokerAway as exc:
        log.warning("%s. A sync waits until it is back", exc.found)
