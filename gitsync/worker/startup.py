"""What a worker process runs next to its tasks: a candidate for leader, and the maintainer of its warm pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django_q.signals import post_spawn

from gitsync.queue.django_q import SyncTasks

if TYPE_CHECKING:
    from gitsync.leader import Candidate


class WorkerContext:
    """The parts of this process that serve the queue, started when django-q2 spawns it as a worker.

    `enqueue` hands a changed repository, by primary key, to a worker; the leader calls it. `tasks` are its sync tasks.
    """

    def __init__(self, enqueue: Callable[[int], None]) -> None:
        self.tasks = SyncTasks()
        self._enqueue = enqueue
        self._candidate: Candidate | None = None

    def connect(self) -> None:
        """Receive the signals of the tasks, and start the threads as soon as a worker process is spawned."""
        self.tasks.connect()
        post_spawn.connect(self._begin, dispatch_uid="gitsync.lead")

    def stand_for_leader(self) -> None:
        """Start a candidate, if none is alive."""
        from gitsync.leader import Candidate  # imports the git client, which commands and pages do not need

        if self._candidate is None or not self._candidate.is_alive():
            self._candidate = Candidate(self._enqueue)
            self._candidate.start()

    def _begin(self, **_: Any) -> None:
        from gitsync.worker.pool_maintainer import PoolMaintainer

        self.stand_for_leader()
        maintainer = PoolMaintainer()
        maintainer.start()
        self.tasks.worker_name = maintainer.name_of_process
