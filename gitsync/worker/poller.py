"""Repository poller: each poll is one `ls-remote` in a thread of its own, so that a hanging remote delays no other."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import Error, close_old_connections, connections
from django.db.models import Exists, Min, OuterRef, Q
from django.db.models.functions import Now

from gitsync.git.errors import GitReason
from gitsync.models import Priority, QueuedSync, Repository, RepositoryState
from gitsync.queue.tenant import Tenant, tenant_of
from gitsync.sync.backoff import may_sync
from gitsync.sync.poll import poll
from kiok import correlation
from kiok.cluster.process_id import is_dead

SLOW_SECONDS = 1.0  # a poll that takes longer frees its slot for another one, and continues without one
SLOW_SHARE = 2  # slow polls allowed per slot

MAX_CONSIDERED = (
    1000  # due repositories read per round, longest due first; a leader that is behind reads no more
)

# Primary key, tenant, whether the last poll timed out, whether a sync holds the lease, and the lease holder.
Due = tuple[int, Tenant, bool, bool, str]

Enqueue = Callable[[int], None]  # hands a changed repository, by primary key, to a worker

log = logging.getLogger(__name__)


IDLE_SECONDS = 2.0  # a thread without work keeps its database connection this long

Work = Callable[[], None]


@dataclass(slots=True)
class _Poll:
    host: str
    ended: threading.Event
    began: float
    is_slow: bool


class Threads:
    """Pool of daemon threads, as many as there are concurrent work items.

    Connecting to the database costs more than a poll, so a thread keeps its connection for the next one. The threads are
    daemons, because a hanging remote must not delay the end of the process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: queue.SimpleQueue[tuple[Work, threading.Event]] = queue.SimpleQueue()
        self._free = 0  # threads that wait for work, minus work that waits for them

    def start(self, work: Work) -> threading.Event:
        """Run `work`, which never raises, in a free or a new thread. Return an event that is set at its end."""
        ended = threading.Event()
        with self._lock:
            is_thread_free = self._free > 0
            self._free -= is_thread_free
        self._work.put((work, ended))
        if not is_thread_free:
            threading.Thread(target=self._serve, name="look", daemon=True).start()
        return ended

    def _serve(self) -> None:
        try:
            while True:
                try:
                    work, ended = self._work.get(timeout=IDLE_SECONDS)
                except queue.Empty:
                    with self._lock:
                        if self._free > 0:
                            self._free -= 1
                            return
                    continue  # there is work on its way to this thread
                try:
                    close_old_connections()
                    work()
                finally:
                    ended.set()
                with self._lock:
                    self._free += 1
        finally:
            connections.close_all()


class RepositoryPoller:
    """Repository poller: at most `parallelism` concurrent polls, `host_parallelism` per host, one per repository.

    A poll without an answer within a second is slow: it no longer occupies a slot, up to twice as many as there are
    slots. A repository whose last poll timed out starts as slow, so that the slots are left to servers that answer.
    When there are too many slow polls, further slow ones wait, and no others do.
    """

    def __init__(self, enqueue: Enqueue, parallelism: int, host_parallelism: int) -> None:
        self._enqueue = enqueue
        self._parallelism = parallelism
        self._host_parallelism = host_parallelism
        self._max_slow = SLOW_SHARE * parallelism
        self._under_way: dict[int, _Poll] = {}
        self._threads = Threads()

    def under_way(self) -> int:
        """Return the number of running polls, including slow ones."""
        return sum(not item.ended.is_set() for item in self._under_way.values())

    def tick(self) -> None:
        """Poll the due repositories for which there is a slot: the longest due one of each tenant in turn."""
        self._review()
        taken, slow = self._taken()
        if taken.total() >= self._parallelism and slow >= self._max_slow:
            return
        waiting = QueuedSync.objects.filter(
            repository=OuterRef("pk"), priority=Priority.SCHEDULED, claimed_by=""
        )
        due = (
            Repository.objects.filter(may_sync(), next_due_at__lte=Now())
            .filter(Q(queued_until__isnull=True) | Q(queued_until__lt=Now()))
            .filter(~Exists(waiting))
            .annotate(
                group=Min("groups"),
                is_leased=Repository.LEASE.held(),
                was_slow=Q(state=RepositoryState.FAILING, reason=GitReason.TIMEOUT),
            )
            .exclude(pk__in=self._under_way)
            .order_by("was_slow", "next_due_at")  # repositories that time out must not crowd out the others
        )
        columns = due.values_list("pk", "url", "group", "was_slow", "is_leased", "lease_holder")
        rows = [
            (pk, tenant_of(url, group), was_slow, is_leased, holder)
            for pk, url, group, was_slow, is_leased, holder in columns[:MAX_CONSIDERED]
        ]
        for pk, place, was_slow, is_leased, holder in in_rotation(rows):
            host = place.host
            is_host_full = host != "" and taken[host] >= self._host_parallelism
            is_full = (
                slow >= self._max_slow if was_slow else taken.total() >= self._parallelism or is_host_full
            )
            if is_full:
                continue
            if is_leased and not is_dead(holder):
                continue  # a sync is running
            self._start(pk, host, is_slow=was_slow)
            slow += was_slow
            taken[host] += not was_slow

    def _start(self, pk: int, host: str, *, is_slow: bool) -> None:
        ended = self._threads.start(lambda: self._look(pk))
        self._under_way[pk] = _Poll(host, ended, time.monotonic(), is_slow)

    def _review(self) -> None:
        """Forget polls that ended, and free the slots of slow ones."""
        self._under_way = {pk: item for pk, item in self._under_way.items() if not item.ended.is_set()}
        slow = sum(item.is_slow for item in self._under_way.values())
        now = time.monotonic()
        for item in self._under_way.values():
            if not item.is_slow and now - item.began > SLOW_SECONDS and slow < self._max_slow:
                item.is_slow = True
                slow += 1

    def _taken(self) -> tuple[Counter[str], int]:
        """Return the slots in use by host, and the number of slow polls."""
        places = Counter(item.host for item in self._under_way.values() if not item.is_slow)
        return places, len(self._under_way) - places.total()

    def _look(self, repository_id: int) -> None:
        with correlation.bound():
            try:
                if poll(repository_id):
                    self._enqueue(repository_id)
            except Repository.DoesNotExist:
                return  # deleted in the meantime
            except Exception:  # one repository's fault must not end the leader's other polls
                log.exception("polling repository %s failed", _name_of(repository_id))


def _name_of(repository_id: int) -> str:
    """Return the repository's name for the log, or its number if the database does not answer."""
    try:
        return Repository.objects.values_list("name", flat=True).get(pk=repository_id)
    except (Repository.DoesNotExist, Error):
        return f"number {repository_id}"


def in_rotation(rows: Iterable[Due]) -> list[Due]:
    """Return the rows in rotation: the first one of each tenant, then the second one of each, and so on."""
    seen: Counter[str] = Counter()
    ranked = []
    for row in rows:
        ranked.append((seen[row[1].tenant], row))
        seen[row[1].tenant] += 1
    return [row for _, row in sorted(ranked, key=lambda pair: pair[0])]
