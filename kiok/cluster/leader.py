"""Leader election: one process at a time does what must be done once for all.

Every worker process runs a `LeaderElector` thread. The one that holds the leader lease (a few seconds, in the single
`LeaderLease` row) leads: it runs the periodic jobs of the leader and ticks the loops that apps have registered. See
docs/adr/0004-leader.md.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from django.db import Error, connections
from django.db.models import QuerySet
from django.db.models.functions import Now

from kiok.cluster import periodic
from kiok.cluster.models import LeaderLease
from kiok.cluster.process_id import process_name

RENEW_SECONDS = 1.0
TICK_SECONDS = 0.1
# Between two attempts to become the leader. With the lease it bounds the time without a leader: 7 s, or 2 s if the leader
# died on a machine where another elector runs.
CAMPAIGN_SECONDS = 2.0

log = logging.getLogger(__name__)


class LeaderLoop(Protocol):
    """Work of the leader that is due at any moment. `tick` is called ten times a second, and returns soon."""

    def tick(self) -> None: ...


@dataclass(frozen=True, slots=True)
class HeldLeadership:
    """The leader lease as this process acquired it."""

    holder: str
    number: int


_factories: list[Callable[[], LeaderLoop | None]] = []


def register(factory: Callable[[], LeaderLoop | None]) -> None:
    """Have each new leader call `factory`, and tick the loop that it returns; None for nothing to do."""
    _factories.append(factory)


def take_lead() -> HeldLeadership | None:
    """Become the leader; None while another process leads."""
    row, _ = LeaderLease.objects.get_or_create(pk=1)
    me, lease = process_name(), LeaderLease.LEASE
    free = LeaderLease.objects.filter(lease.free(row.holder), pk=1, number=row.number)
    if not lease.acquire(free, me, taken_at=Now()):
        return None
    return HeldLeadership(me, row.number + 1)


def renew(lead: HeldLeadership) -> bool:
    """Extend the lease; False if another process leads now."""
    return LeaderLease.LEASE.renew(_mine(lead))


def resign(lead: HeldLeadership) -> None:
    """Release the lease, so that the next leader need not wait."""
    LeaderLease.LEASE.release(_mine(lead))


class LeaderElector(threading.Thread):
    """A thread that campaigns for the leader lease for as long as the process lives, and leads while it holds it.

    It also runs the periodic jobs of this process, also while another process leads.
    """

    def __init__(self) -> None:
        super().__init__(name="leader-elector", daemon=True)
        self._stop_requested = threading.Event()
        self._process_jobs = periodic.jobs_of(periodic.Scope.PROCESS)

    def stop(self) -> None:
        """Resign and end within a tick; does not wait."""
        self._stop_requested.set()

    def run(self) -> None:
        while not self._stop_requested.is_set():
            try:
                self._process_jobs.start_if_due()
                lead = take_lead()
                if lead:
                    self._lead(lead)
            except Error as exc:
                log.warning("the database is unreachable, so this process cannot lead: %s", exc)
            except Exception:  # nothing would start this thread again
                log.exception("leading failed; this process campaigns again")
            finally:
                connections.close_all()
            self._stop_requested.wait(CAMPAIGN_SECONDS)

    def _lead(self, lead: HeldLeadership) -> None:
        log.info("leading as %s", lead.holder)
        renewed = time.monotonic()
        leader_jobs = periodic.jobs_of(periodic.Scope.LEADER)
        try:
            loops = [loop for factory in _factories if (loop := factory())]
            while not self._stop_requested.wait(TICK_SECONDS):
                if time.monotonic() - renewed >= RENEW_SECONDS:
                    if not renew(lead):
                        log.warning("lost the leader lease: another process leads now")
                        return
                    renewed = time.monotonic()
                leader_jobs.start_if_due()
                self._process_jobs.start_if_due()
                for loop in loops:
                    loop.tick()
        finally:
            resign(lead)


def _mine(lead: HeldLeadership) -> QuerySet[LeaderLease]:
    return LeaderLease.objects.filter(pk=1, holder=lead.holder, number=lead.number)
