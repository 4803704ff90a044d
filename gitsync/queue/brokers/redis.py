"""Tasks in Redis: django-q2's broker, which goes on by itself when the server comes back."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from django.conf import settings
from django.db import transaction
from django_q.brokers.redis_broker import Redis

from gitsync.queue.brokers.errors import BrokerAway
from gitsync.queue.brokers.load import Load

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""How long an answer may take, above the second that a worker's request for a task waits in the server."""
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class RedisBroker(Redis):  # type: ignore[misc]  # django-q2 has no types
    """Delivers at most once: a task goes with the worker that took it, and all of them with the server's memory.

    What is enqueued in a transaction is sent after its commit, when that may fail with BrokerAway.
    """

    is_transactional = False
    _is_away = False

    @staticmethod
    def get_connection(list_key: str | None = None) -> Any:  # noqa: ARG004 - as the class above has it
        return redis.Redis.from_url(
            str(settings.KIOK_REDIS_URL),
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            health_check_interval=30,
        )

    def enqueue(self, task: str) -> None:
        transaction.on_commit(lambda: self._push(task))

    def _push(self, task: str) -> None:
        with _answering():
            self.connection.rpush(self.list_key, task)

    def queue_size(self) -> int:
        """Raises BrokerAway."""
        with _answering():
            return int(super().queue_size())

    def load(self) -> Load:
        """What a worker has taken, and since when a task waits, Redis does not know. Raises BrokerAway."""
        return Load(self.queue_size(), None, None)

    def dequeue(self) -> Any:
        """A task to do, after at most a second; None when there is none, or no Redis."""
        try:
            taken = super().dequeue()
        except redis.RedisError as exc:
            if not self._is_away:
                log.warning("Redis is out of reach, so no task comes from it: %s", type(exc).__name__)
            self._is_away = True
            time.sleep(RETRY_SECONDS)
            return None
        if self._is_away:
            log.info("Redis is in reach again")
            self._is_away = False
        return taken

    def ping(self) -> bool:
        """Whether it answers. Workers start without it: it may come later."""
        try:
            return bool(self.connection.ping())
        except redis.RedisError:
            return False

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Nothing: twice a second from each cluster, and nobody reads it (see `kiok.cluster.heartbeat`)."""


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as exc:
        raise BrokerAway(
            "Redis", str(exc) or type(exc).__name__, "Start it, or correct KIOK_REDIS_URL."
        ) from exc
