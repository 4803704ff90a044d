"""django-q2's queues, made to survive a worker that is killed.

An idle worker waits for its next task inside `multiprocessing.Queue.get`, which holds the queue's read lock all the
while. That lock is a semaphore: killed there, the worker takes it to the grave, and no worker of the cluster gets a
task ever again. The kernel's record locks are given back when their owner dies, however it dies.
"""

from __future__ import annotations

import fcntl
import tempfile
import time
from types import TracebackType
from typing import Any

from django_q.cluster import Sentinel

from gitsync import containers

POLL_SECONDS = 0.01


class KernelLock:
    """A lock between processes that ends with its owner (fcntl(2), F_SETLK). Shared by forking.

    Has the part of `multiprocessing.Lock` that queues use. Within one process it does not exclude threads; a queue
    end is used by one thread of a process.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as the queue lives

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        if block and timeout is None:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            return True
        deadline = time.monotonic() + (timeout or 0 if block else 0)
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(POLL_SECONDS)

    def release(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class SurvivingSentinel(Sentinel):  # type: ignore[misc]
    """django-q2's sentinel with kernel locks on the queues it shares with its workers.

    When they have stopped, so has what stood ready for them.
    """

    def start(self) -> Any:
        for queue in (self.task_queue, self.result_queue):
            queue._rlock = KernelLock()
            queue._wlock = KernelLock()
        try:
            return super().start()
        finally:
            containers.clear_pool()
