"""Queues of django-q2 that survive a worker that is killed or stopped at any moment.

An idle worker waits for its next task inside `multiprocessing.Queue.get`, which holds the queue's read lock while it
waits. A worker that has just ended a task holds the lock of its own timer, which the sentinel takes in every round. These
locks are semaphores: a worker that is killed while holding them never releases them, so no worker of the cluster ever gets
a task, or is replaced, again. The kernel releases record locks however their owner dies. A stopped worker
does not die (SIGSTOP, a debugger), so no worker holds the read lock while it waits.
"""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
import time
from multiprocessing import Value
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from django_q.cluster import Sentinel
from django_q.worker import worker

from gitsync.queue.task_allowlist import CheckedQueue
from gitsync.worker import sandbox

POLL_SECONDS = 0.01


class KernelLock:
    """Re-entrant lock between processes that ends with its owner (fcntl(2), F_SETLK). Shared by forking.

    Implements the part of `multiprocessing.RLock` that queues and values use. It does not exclude threads of one process;
    each end of a queue is used by one thread of a process.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as the queue lives
        self._owner, self._depth = os.getpid(), 0

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        if self._owner != os.getpid():  # a fork does not inherit the lock
            self._owner, self._depth = os.getpid(), 0
        if self._depth or self._lock(block, timeout):
            self._depth += 1
            return True
        return False

    def _lock(self, block: bool, timeout: float | None) -> bool:
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
        self._depth -= 1
        if not self._depth:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class ReadLock(KernelLock):
    """Lock of a queue's reading end: `with` waits for something to read before it takes the lock."""

    def __init__(self, reader: Connection[Any, Any]) -> None:
        super().__init__()
        self._reader = reader

    def __enter__(self) -> bool:
        while True:
            self._reader.poll(None)
            self.acquire()
            if self._reader.poll(0):
                return True
            self.release()  # another worker was faster


class Flag:
    """Replacement of `multiprocessing.Event` without waiting, so that no lock can be left behind. Shared by forking."""

    def __init__(self) -> None:
        self._set = Value("b", 0, lock=False)

    def set(self) -> None:
        self._set.value = 1

    def is_set(self) -> bool:
        return bool(self._set.value)


class Room:
    """Replacement of a queue's semaphore that admits one task at a time.

    A worker killed between taking a task and releasing the semaphore would block it for ever. When the cluster is
    stopping, every task is admitted.
    """

    def __init__(self, reader: Connection[Any, Any], stopping: Flag) -> None:
        self._reader = reader
        self._stopping = stopping

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        deadline = None if block and timeout is None else time.monotonic() + (timeout or 0 if block else 0)
        while self._reader.poll(0) and not self._stopping.is_set():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def release(self) -> None:
        """Do nothing: `acquire` checks the pipe itself."""


class SurvivingSentinel(Sentinel):  # type: ignore[misc]
    """Sentinel of django-q2 that shares no lock with its workers and its pusher that one of them could leave locked.

    After they have stopped, the warm containers are removed. SIGTERM is handled by its parent, which stops it by an event:
    a signal to the whole group would end it while it holds the event's lock, and its parent would wait for that for ever.
    """

    def start(self) -> Any:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
        self.event_out = Flag()
        for queue in (self.task_queue, self.result_queue):
            queue._rlock = ReadLock(queue._reader)
            queue._wlock = KernelLock()
            queue.size.count = Value("i", 0, lock=KernelLock())  # type: ignore[call-overload]
        self.task_queue._sem = Room(self.task_queue._reader, self.event_out)
        try:
            return super().start()
        finally:
            sandbox.clear_pool()

    def spawn_worker(self) -> None:
        timer = Value("f", -1, lock=KernelLock())  # type: ignore[call-overload]
        queue = CheckedQueue(
            self.task_queue
        )  # checks a task before the worker resolves the function it names
        self.spawn_process(worker, queue, self.result_queue, timer, self.timeout)
