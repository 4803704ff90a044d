"""What lives in every worker process beside its tasks: a candidate for leader, and the keeper of its engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django_q.signals import post_spawn

from gitsync.queue import django_q

if TYPE_CHECKING:
    from gitsync.leader import Candidate


class WorkerProcess:
    """Of this process, if it is a worker. `enqueue` hands a changed repository, by primary key, to a worker."""

    def __init__(self, enqueue: Callable[[int], None]) -> None:
        self._enqueue = enqueue
        self._candidate: Candidate | None = None

    def connect(self) -> None:
        """Begin as soon as a worker process is spawned."""
        post_spawn.connect(self._begin, dispatch_uid="gitsync.lead")

    def stand_for_leader(self) -> None:
        """Have a candidate, if there is none that lives."""
        from gitsync.leader import Candidate  # what it stands on, commands and pages do not need

        if self._candidate is None or not self._candidate.is_alive():
            self._candidate = Candidate(self._enqueue)
            self._candidate.start()

    def _begin(self, **_: Any) -> None:
        from gitsync.worker import sandbox
        from gitsync.worker.pool_maintainer import PoolMaintainer

        self.stand_for_leader()
        keeper = PoolMaintainer()
        keeper.start()
        django_q.worker_name = keeper.name_of_process
        sandbox.on_claim(keeper.wake)
