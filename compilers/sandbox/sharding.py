"""A large job split over containers that run side by side."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, replace

from compilers.base import Kind, RawResult, SandboxJob

FILES_WORTH_A_CONTAINER = {Kind.PYTHON: 50, Kind.JAR: 3}
"""What compiles in about the time a container takes to start (docs/performance.md)."""

_WAITING_RESULTS = 32  # what may be ahead of whoever takes the results, of a payload's size at most each
_POLL_SECONDS = 0.2

RunJob = Callable[[SandboxJob], Generator[RawResult, None, None]]


def parts_of(job: SandboxJob, parallelism: int) -> list[SandboxJob]:
    """The job as jobs for at most `parallelism` containers, each with enough files to be worth one.

    Every file has a process of its own and the whole tree beside it wherever it lands, so that its result does not
    depend on the split. Files are dealt out in turn: those of one folder cost alike.
    """
    parts = max(1, min(parallelism, len(job.files) // FILES_WORTH_A_CONTAINER.get(job.kind, 1)))
    return [replace(job, files=job.files[start::parts]) for start in range(parts)]


@dataclass(frozen=True, slots=True)
class _End:
    """A part is through, with the error that ended it."""

    error: BaseException | None


def run_sharded(parts: Sequence[SandboxJob], run: RunJob) -> Generator[RawResult, None, None]:
    """The results of all parts as they come. The first error ends the others, and is raised when they have ended."""
    results: queue.Queue[RawResult | _End] = queue.Queue(_WAITING_RESULTS)
    stop = threading.Event()

    def put(item: RawResult | _End) -> None:
        while not stop.is_set():
            try:
                results.put(item, timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue

    def work(part: SandboxJob) -> None:
        error: BaseException | None = None
        try:
            with closing(run(part)) as ones:
                for one in ones:
                    put(one)
                    if stop.is_set():
                        return
        except BaseException as exc:  # noqa: BLE001 - whatever it is, it is raised where the results are taken
            error = exc
        finally:
            put(_End(error))

    threads = [
        # In a copy of the caller's context each, by which what they log is told apart.
        threading.Thread(
            target=copy_context().run, args=(work, part), name=f"sandbox-part-{number}", daemon=True
        )
        for number, part in enumerate(parts)
    ]
    try:
        for thread in threads:
            thread.start()
        running = len(threads)
        while running:
            item = results.get()
            if isinstance(item, RawResult):
                yield item
                continue
            if item.error is not None:
                raise item.error
            running -= 1
    finally:
        stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
