"""Which workers are alive: each tells the store every few seconds, whatever its engine does meanwhile."""

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

INTERVAL_SECONDS = 7.0
"""How long it waits for a look at the engine before it tells again what the last one found."""
ALIVE_SECONDS = 15.0
"""So old may the row of a worker that is alive be: two beats, and the time to write."""
FORGET_SECONDS = 60.0
SLOW_SECONDS = 30.0
"""A look at the engine that takes longer is told of. To fill an empty pool takes some seconds."""
STOP_SECONDS = 3.0
MAX_CHARACTERS = 500

log = logging.getLogger(__name__)


def alive() -> QuerySet[Worker]:
    """The rows of the workers that are alive, by the database's clock."""
    return Worker.objects.filter(seen_at__gt=Now() - timedelta(seconds=ALIVE_SECONDS))


def host_of(name: str) -> str:
    """The machine in a worker's name (`kiok.cluster.process_id.process_name`)."""
    return name.partition("/")[0]


def in_words(name: str) -> str:
    """`On host, process 42.`: what people look for a process by; the rest of its name keeps it unique."""
    parts = name.split("/")
    return f"On {parts[0]}, process {parts[2]}." if len(parts) > 2 else name


def containers_ready(workers: Iterable[Worker]) -> int:
    """How many containers stand ready, in all: of each host what its workers saw at most, as they see the same."""
    by_host: defaultdict[str, int] = defaultdict(int)
    for worker in workers:
        host = host_of(worker.name)
        by_host[host] = max(by_host[host], worker.ready)
    return sum(by_host.values())


def data_free_bytes(workers: Iterable[Worker]) -> dict[str, int]:
    """By host, the space that is free for its data folder, the least that one of its workers saw."""
    by_host: dict[str, int] = {}
    for worker in workers:
        if worker.data_free_bytes is not None:
            host = host_of(worker.name)
            by_host[host] = min(by_host.get(host, worker.data_free_bytes), worker.data_free_bytes)
    return by_host


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What a look at the engine found: what is wrong with it ("": nothing), and how many containers stand ready."""

    engine: str = ""
    ready: int = 0


class Heartbeat(threading.Thread):
    """Keeps the row of a worker process, from `start` until the process ends or `stop`.

    A thread of its own, since a call of the engine may take a minute. It needs the database alone, and is silent
    while that is away: others complain, and the row grows old by itself.
    """

    def __init__(self, name: str) -> None:
        """`name`: of the process, as in `kiok.cluster.process_id`."""
        super().__init__(name="presence", daemon=True)
        self._worker = name
        self._began = time.monotonic()
        self._wake = threading.Event()
        self._stopping = False
        self._seen = EngineStatus()
        self._looking_since: tuple[datetime, float] | None = None  # for people; and by the monotonic clock

    def start(self) -> None:
        super().start()
        # A worker process ends by os._exit, with these alone before it.
        Finalize(None, self.stop, exitpriority=0)

    def begin_check(self) -> None:
        """A look at the engine begins."""
        self._looking_since = datetime.now(UTC), time.monotonic()

    def report(self, seen: EngineStatus) -> None:
        """A look has ended: tell what it found, at once."""
        self._seen = seen
        self._looking_since = None
        self._wake.set()

    def stop(self) -> None:
        """Remove the row and end. Waits a few seconds for that, no longer."""
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
            log.debug("the store could not be told that this worker is alive: %s", exc)
        except Exception:  # who falls silent for good counts as dead, and others do its work as well
            log.exception("telling the store that this worker is alive failed")
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
            engine=_storable(engine),
            ready=seen.ready,
            data_free_bytes=_free_bytes(),
        )


def _storable(text: str) -> str:
    """What of an engine's words may be stored and shown."""
    text = "".join(character if character.isprintable() else " " for character in redact(text))
    return " ".join(text.split())[:MAX_CHARACTERS]


def _free_bytes() -> int | None:
    """What this process may still write in the data folder; None where that cannot be told, as before its first sync.

    There are file systems that promise more than the column holds.
    """
    try:
        return min(shutil.disk_usage(properties().base_data_dir).free, BigIntegerField.MAX_BIGINT)
    except OSError:
        return None
