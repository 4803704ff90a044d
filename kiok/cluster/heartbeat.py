"""Worker heartbeats: each worker reports to the store every few seconds, even while its engine does not answer."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.util import Finalize

from django.db import Error, connections
from django.db.models import BigIntegerField, QuerySet
from django.db.models.functions import Now

from kiok.cluster.conf import properties
from kiok.cluster.models import Worker
from kiok.connections.redaction import redact
from kiok.text import one_line

INTERVAL_SECONDS = 7.0  # heartbeat interval; a finished check of the engine is reported immediately
ALIVE_SECONDS = 15.0  # a worker counts as alive while its last heartbeat is at most this old: two intervals plus write time
FORGET_SECONDS = 60.0  # rows of workers with an older heartbeat are deleted
SLOW_SECONDS = (
    30.0  # a check of the engine that takes longer is reported; filling an empty pool takes some seconds
)
STOP_SECONDS = 3.0  # timeout for the removal of the row when a worker stops
MAX_CHARACTERS = 500  # of the stored engine message

log = logging.getLogger(__name__)


def alive() -> QuerySet[Worker]:
    """Return the rows of the live workers, by the database's clock."""
    return Worker.objects.filter(seen_at__gt=Now() - timedelta(seconds=ALIVE_SECONDS))


def host_of(name: str) -> str:
    """Return the machine in a worker's name (`kiok.cluster.process_id.process_name`)."""
    return name.partition("/")[0]


def in_words(name: str) -> str:
    """Return a text such as `On host, process 42.`; the rest of a process name only keeps it unique."""
    parts = name.split("/")
    return f"On {parts[0]}, process {parts[2]}." if len(parts) > 2 else name


def containers_ready(workers: Iterable[Worker]) -> int:
    """Return the number of warm containers: the maximum per host, because the workers of a host share its engine."""
    by_host: defaultdict[str, int] = defaultdict(int)
    for worker in workers:
        host = host_of(worker.name)
        by_host[host] = max(by_host[host], worker.ready)
    return sum(by_host.values())


def data_free_bytes(workers: Iterable[Worker]) -> dict[str, int]:
    """Return the free space of the data folder by host: the minimum that one of its workers reported."""
    by_host: dict[str, int] = {}
    for worker in workers:
        if worker.data_free_bytes is not None:
            host = host_of(worker.name)
            by_host[host] = min(by_host.get(host, worker.data_free_bytes), worker.data_free_bytes)
    return by_host


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Result of a check of the engine: its problem ("": none) and the number of warm containers."""

    engine: str = ""
    ready: int = 0


class Heartbeat(threading.Thread):
    """Heartbeat of a worker process, from `start` until the process ends or `stop` is called.

    It runs in a thread of its own, because a call to the engine may take a minute. It only needs the database. If that is
    unreachable it logs nothing above debug: other parts warn, and the heartbeat expires by itself.
    """

    def __init__(self, name: str) -> None:
        """Set up the heartbeat of the process with this `name` (see `kiok.cluster.process_id`)."""
        super().__init__(name="presence", daemon=True)
        self._worker = name
        self._began = time.monotonic()
        self._wake = threading.Event()
        self._stopping = False
        self._seen = EngineStatus()
        self._looking_since: tuple[datetime, float] | None = None  # for people; and by the monotonic clock

    def start(self) -> None:
        super().start()
        # A worker process ends by os._exit, which runs only these finalizers.
        Finalize(None, self.stop, exitpriority=0)

    def begin_check(self) -> None:
        """Record that a check of the engine starts."""
        self._looking_since = datetime.now(UTC), time.monotonic()

    def report(self, seen: EngineStatus) -> None:
        """Report the result of a check of the engine immediately."""
        self._seen = seen
        self._looking_since = None
        self._wake.set()

    def stop(self) -> None:
        """Remove the row and stop. Waits at most a few seconds."""
        self._stopping = True
        self._wake.set()
        if self.is_alive():
            self.join(STOP_SECONDS)

    def run(self) -> None:
        while not self._stopping:
            self._write()
            self._wake.wait(INTERVAL_SECONDS)
            self._wake.clear()
        self._write()

    def _write(self) -> None:
        try:
            if self._stopping:
                Worker.objects.filter(pk=self._worker).delete()
                return
            Worker.objects.bulk_create(
                [self._row()],
                update_conflicts=True,
                unique_fields=["name"],
                update_fields=["seen_at", "engine", "ready", "data_free_bytes"],
            )
            Worker.objects.filter(seen_at__lt=Now() - timedelta(seconds=FORGET_SECONDS)).delete()
        except Error as exc:
            log.debug("cannot write the heartbeat of this worker: %s", exc)
        except (
            Exception
        ):  # without heartbeats the worker would count as dead, and others would repeat its work
            log.exception("cannot write the heartbeat of this worker")
        finally:
            connections.close_all()

    def _row(self) -> Worker:
        seen, since = self._seen, self._looking_since
        engine = seen.engine
        if since and time.monotonic() - since[1] > SLOW_SECONDS:
            engine = f"The Docker engine has not answered since {since[0]:%H:%M:%S} UTC. {engine}"
        return Worker(
            name=self._worker,
            started_at=Now() - timedelta(seconds=time.monotonic() - self._began),
            seen_at=Now(),
            engine=one_line(redact(engine))[:MAX_CHARACTERS],
            ready=seen.ready,
            data_free_bytes=_free_bytes(),
        )


def _free_bytes() -> int | None:
    """Return the free bytes in the data folder; None if unknown, as before the first sync.

    Some file systems report more than the column can store.
    """
    try:
        return min(shutil.disk_usage(properties().base_data_dir).free, BigIntegerField.MAX_BIGINT)
    except OSError:
        return None
