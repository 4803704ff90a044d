"""The leader: one process at a time that looks at due repositories and hands changed ones to workers.

Every worker process runs a `Candidate` thread; the one that holds the lease (a few seconds, in the single
`Leadership` row) leads. Looks (one `ls-remote` each) run in threads of their own, so that a remote that hangs
delays no other; syncs run as tasks in the workers. See docs/adr/0004-leader.md.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, connections
from django.db.models import F, Q
from django.db.models.functions import Now

from gitsync import containers, remote
from gitsync.conf import properties
from gitsync.configuration import DeclarationError, follow_declaration
from gitsync.models import Leadership, Repository
from gitsync.process import is_dead, process_name
from gitsync.sync.run import look

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0
TICK_SECONDS = 0.1
SWEEP_SECONDS = 60.0
CANDIDACY_SECONDS = 2.0
"""How often a candidate tries. Lease and this bound the time without a leader: 7 s, or 2 s where the
leader's death can be seen because it ran on the same machine."""

Enqueue = Callable[[int], None]
"""Hands a changed repository, by primary key, to a worker."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lead:
    """The right to lead."""

    holder: str
    number: int


def take_lead() -> Lead | None:
    """Become the leader, or None while another is alive."""
    row, _ = Leadership.objects.get_or_create(pk=1)
    free = Q(holder="") | Q(expires_at__isnull=True) | Q(expires_at__lt=Now())
    if row.holder and is_dead(row.holder):
        free |= Q(holder=row.holder, number=row.number)
    me = process_name()
    won = Leadership.objects.filter(free, pk=1).update(
        holder=me, number=F("number") + 1, expires_at=Now() + timedelta(seconds=LEASE_SECONDS)
    )
    if not won:
        return None
    return Lead(me, Leadership.objects.get(pk=1).number)


def renew(lead: Lead) -> bool:
    """Extend the lease; False when another leads now."""
    return bool(
        Leadership.objects.filter(pk=1, holder=lead.holder, number=lead.number).update(
            expires_at=Now() + timedelta(seconds=LEASE_SECONDS)
        )
    )


def resign(lead: Lead) -> None:
    """Give the lease back, so that the next leader need not wait."""
    Leadership.objects.filter(pk=1, holder=lead.holder, number=lead.number).update(holder="", expires_at=None)


class Candidate(threading.Thread):
    """Leads whenever nobody else does, for as long as the process lives."""

    def __init__(self, enqueue: Enqueue) -> None:
        super().__init__(name="leader-candidate", daemon=True)
        self._enqueue = enqueue
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """Resign and end within a tick; does not wait."""
        self._stop_asked.set()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                lead = take_lead() if properties().gitsync_enabled else None
                if lead:
                    self._lead(lead)
            except DatabaseError as exc:
                log.warning("the database is out of reach, so nobody can lead from here: %s", exc)
            finally:
                connections.close_all()
            self._stop_asked.wait(CANDIDACY_SECONDS)

    def _lead(self, lead: Lead) -> None:
        log.info("leading as %s", lead.holder)
        looks = Looks(self._enqueue, properties().gitsync_parallelism)
        renewed = time.monotonic()
        housekeeping = Housekeeping()
        try:
            while not self._stop_asked.wait(TICK_SECONDS):
                if time.monotonic() - renewed >= RENEW_SECONDS:
                    if not renew(lead):
                        log.warning("another process leads now")
                        return
                    renewed = time.monotonic()
                housekeeping.start_if_due()
                looks.start_due()
        finally:
            resign(lead)


class Looks:
    """The looks under way: at most `parallelism` at once, one per repository."""

    def __init__(self, enqueue: Enqueue, parallelism: int) -> None:
        self._enqueue = enqueue
        self._parallelism = parallelism
        self._under_way: dict[int, threading.Thread] = {}

    def start_due(self) -> None:
        """Start a look at each due repository for which there is room, the longest due first."""
        self._under_way = {pk: thread for pk, thread in self._under_way.items() if thread.is_alive()}
        if len(self._under_way) >= self._parallelism:
            return
        due = (
            Repository.objects.filter(enabled=True, next_due_at__lte=Now())
            .filter(Q(queued_until__isnull=True) | Q(queued_until__lt=Now()))
            .annotate(is_leased=Q(lease_expires_at__gt=Now()) & ~Q(lease_holder=""))
            .exclude(pk__in=self._under_way)
            .order_by("next_due_at")
        )
        for pk, is_leased, holder in due.values_list("pk", "is_leased", "lease_holder"):
            if is_leased and not is_dead(holder):
                continue  # it syncs at this moment
            if len(self._under_way) >= self._parallelism:
                break
            # Daemon threads: a hanging remote must not hold up the end of the process either.
            thread = threading.Thread(target=self._look, args=(pk,), name=f"look-{pk}", daemon=True)
            self._under_way[pk] = thread
            thread.start()

    def _look(self, repository_id: int) -> None:
        try:
            if look(repository_id):
                self._enqueue(repository_id)
        except Repository.DoesNotExist:
            return  # removed meanwhile
        except Exception:  # one repository's fault must not end the leader's other looks; the log has it
            log.exception("looking at repository %s failed", repository_id)
        finally:
            connections.close_all()


class Housekeeping:
    """What the leader clears away once a minute, beside its looks."""

    def __init__(self) -> None:
        self._last = time.monotonic() - SWEEP_SECONDS
        self._thread: threading.Thread | None = None

    def start_if_due(self) -> None:
        if time.monotonic() - self._last < SWEEP_SECONDS or (self._thread and self._thread.is_alive()):
            return
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            follow_declaration()
        except DeclarationError as exc:
            log.error("%s", exc)  # noqa: TRY400  (the message says it all)
        except Exception:  # the next round tries again; looking at repositories must go on
            log.exception("taking over declared repositories failed")
        try:
            containers.sweep()
            remote.sweep()
        except Exception:  # as above
            log.exception("sweeping up failed")
        finally:
            connections.close_all()
