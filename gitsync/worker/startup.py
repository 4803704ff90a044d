"""Threads of a worker process next to its tasks: a leader elector, and the maintainer of the warm pool."""

from __future__ import annotations

from typing import Any

from django_q.signals import post_spawn

from gitsync.queue.django_q import SyncTasks
from kiok.cluster.leader import LeaderElector


class WorkerContext:
    """The parts of this process that serve the queue, started when django-q2 spawns it as a worker.

    `tasks` are its sync tasks.
    """

    def __init__(self) -> None:
        self.tasks = SyncTasks()
        self._elector: LeaderElector | None = None

    def connect(self) -> None:
        """Receive the signals of the tasks, and start the threads as soon as a worker process is spawned."""
        self.tasks.connect()
        post_spawn.connect(self._begin, dispatch_uid="gitsync.lead")

    def campaign(self) -> None:
        """Start a leader elector, if none is alive."""
        if self._elector is None or not self._elector.is_alive():
            self._elector = LeaderElector()
            self._elector.start()

    def _begin(self, **_: Any) -> None:
        from gitsync.worker.pool_maintainer import PoolMaintainer

        self.campaign()
        maintainer = PoolMaintainer()
        maintainer.start()
        self.tasks.worker_name = maintainer.name_of_process
