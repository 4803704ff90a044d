"""The leader: one process at a time that looks at due repositories and hands changed ones to workers.

Every worker process runs a `Candidate` thread; the one that holds the lease (a few seconds, in the single
`Leadership` row) leads. It polls repositories (`gitsync.worker.poller`), unless kiok.gitsync.enabled is false, and runs
the periodic jobs (`gitsync.housekeeping`). Syncs run as tasks in the workers. See docs/adr/0004-leader.md.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import timedelta

from django.db import Error, connections
from django.db.models import F, Q
from django.db.models.functions import Now

from gitsync import housekeeping
from gitsync.git.client import MINIMUM_GIT_VERSION
from gitsync.git.errors import GitError
from gitsync.models import Leadership
from gitsync.queue.dispatch import Dispatcher
from gitsync.sync import remote
from gitsync.worker.poller import Enqueue, RepositoryPoller
from kiok.cluster.conf import properties
from kiok.cluster.process_id import is_dead, process_name

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0
TICK_SECONDS = 0.1
CANDIDACY_SECONDS = 2.0
"""How often a candidate tries. Lease and this bound the time without a leader: 7 s, or 2 s where the
leader's death can be seen because it ran on the same machine."""

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
        holder=me,
        number=F("number") + 1,
        expires_at=Now() + timedelta(seconds=LEASE_SECONDS),
        taken_at=Now(),
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


def warn_of_git() -> None:
    """Log what is wrong with the git program, if anything: there is none, or it is too old for the rules it is held to."""
    try:
        version = remote.client().git_version()
    except GitError as exc:
        log.error("repositories cannot be synced: %s", exc)  # noqa: TRY400  (the message says it all)
        return
    if version < MINIMUM_GIT_VERSION:
        found, needed = (".".join(map(str, numbers)) for numbers in (version, MINIMUM_GIT_VERSION))
        log.warning(
            "git %s is installed; below %s not every safety setting is known to it. Install a newer one",
            found,
            needed,
        )


class Candidate(threading.Thread):
    """Leads whenever nobody else does, for as long as the process lives."""

    def __init__(self, enqueue: Enqueue) -> None:
        super().__init__(name="leader-candidate", daemon=True)
        self._enqueue = enqueue
        self._stop_asked = threading.Event()
        self._machine = housekeeping.of_machine()

    def stop(self) -> None:
        """Resign and end within a tick; does not wait."""
        self._stop_asked.set()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                self._machine.start_if_due()
                lead = take_lead()
                if lead:
                    self._lead(lead)
            except Error as exc:
                log.warning("the database is out of reach, so nobody can lead from here: %s", exc)
            except Exception:  # whatever it was, nobody else would begin this thread again
                log.exception("leading failed; this process stands for it again")
            finally:
                connections.close_all()
            self._stop_asked.wait(CANDIDACY_SECONDS)

    def _lead(self, lead: Lead) -> None:
        config = properties()
        log.info("leading as %s", lead.holder)
        looks: RepositoryPoller | None = None
        renewed = time.monotonic()
        store, dispatcher = housekeeping.of_store(), Dispatcher()
        try:
            if config.gitsync_enabled:
                warn_of_git()
                looks = RepositoryPoller(
                    self._enqueue, config.gitsync_parallelism, config.gitsync_host_parallelism
                )
            while not self._stop_asked.wait(TICK_SECONDS):
                if time.monotonic() - renewed >= RENEW_SECONDS:
                    if not renew(lead):
                        log.warning("another process leads now")
                        return
                    renewed = time.monotonic()
                store.start_if_due()
                self._machine.start_if_due()
                dispatcher.dispatch_if_due()
                if looks:
                    looks.start_due()
        finally:
            resign(lead)
