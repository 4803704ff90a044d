"""Redis broker: django-q2's own, extended to resume by itself when the server comes back."""

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
ANSWER_SECONDS = (
    5.0  # response timeout; longer than the second that a blocking request for a task waits in the server
)
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class RedisBroker(Redis):  # type: ignore[misc]  # django-q2 has no types
    """Broker with at-most-once delivery: a task is lost with the worker that took it, and all with the server's memory.

    A task enqueued in a transaction is sent after its commit, and may then fail with BrokerAway.
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
        """Return the number of waiting tasks. Raises BrokerAway."""
        with _answering():
            return int(super().queue_size())

    def load(self) -> Load:
        """Return the load; Redis knows neither claimed tasks nor the age of waiting ones. Raises BrokerAway."""
        return Load(self.queue_size(), None, None)

    def dequeue(self) -> Any:
        """Return a task, waiting for at most a second; None if there is none or Redis is unreachable."""
        try:
            taken = super().dequeue()
        except redis.RedisError as exc:
            if not self._is_away:
                log.warning("Redis is unreachable, so no tasks are received: %s", type(exc).__name__)
            self._is_away = True
            time.sleep(RETRY_SECONDS)
            return None
        if self._is_away:
            log.info("Redis is reachable again")
            self._is_away = False
        return taken

    def ping(self) -> bool:
        """Return whether Redis answers. Workers also start without it."""
        try:
            return bool(self.connection.ping())
        except redis.RedisError:
            return False

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Do nothing: each cluster calls this twice a second, and the value is never read (see `kiok.cluster.heartbeat`)."""


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as exc:
        raise BrokerAway(
            "Redis", str(exc) or type(exc).__name__, "Start it, or correct KIOK_REDIS_URL."
        ) from exc
