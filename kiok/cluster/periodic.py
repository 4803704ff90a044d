"""Periodic jobs, registered by apps: of the leader, once for the installation, or of every process that may lead."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from django.db import DatabaseError, connections

MINUTE = 60.0
HOUR = 3600.0

log = logging.getLogger(__name__)


class Scope(Enum):
    """The processes that run a job."""

    LEADER = auto()  # the leader, for the store
    PROCESS = auto()  # every process that may lead, for its machine: a leader elsewhere cannot see its disk


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A function that is called every `seconds`. `name` says what it does, for the log line of a failure."""

    name: str
    run: Callable[[], object]
    seconds: float = MINUTE


_factories: dict[Scope, list[Callable[[], Sequence[PeriodicJob]]]] = defaultdict(list)


def register(scope: Scope, factory: Callable[[], Sequence[PeriodicJob]]) -> None:
    """Have the processes of `scope` run the jobs that `factory` returns. It is called when a process begins to run them."""
    _factories[scope].append(factory)


def jobs_of(scope: Scope) -> PeriodicJobs:
    """Return all registered jobs of a scope, each due now."""
    return PeriodicJobs([job for factory in _factories[scope] for job in factory()])


class PeriodicJobs:
    """Jobs that run one after the other in a thread of their own. A job that fails stops no other."""

    def __init__(self, jobs: Sequence[PeriodicJob]) -> None:
        self._due = {job: time.monotonic() for job in jobs}
        self._thread: threading.Thread | None = None

    def start_if_due(self) -> None:
        """Start the jobs that are due, unless some still run; does not wait for them."""
        now = time.monotonic()
        due = [job for job, at in self._due.items() if at <= now]
        if not due or (self._thread and self._thread.is_alive()):
            return
        self._due |= {job: now + job.seconds for job in due}
        self._thread = threading.Thread(target=_run, args=(due,), name="periodic-jobs", daemon=True)
        self._thread.start()


def _run(jobs: Sequence[PeriodicJob]) -> None:
    try:
        for job in jobs:
            try:
                job.run()
            except DatabaseError as exc:
                log.warning("%s failed: %s", job.name, exc)
            except Exception:  # the job runs again when it is due; the other jobs must go on
                log.exception("%s failed", job.name)
    finally:
        connections.close_all()
