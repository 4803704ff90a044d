"""A large job sharded over containers that run in parallel."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, replace

from compilers.sandbox.base import RawResult, SandboxJob

_WAITING_RESULTS = 32  # results that wait for the consumer, each at most the size of a payload
_POLL_SECONDS = 0.2

RunJob = Callable[[SandboxJob], Generator[RawResult, None, None]]


def parts_of(job: SandboxJob, parallelism: int) -> list[SandboxJob]:
    """Split the job into jobs for at most `parallelism` containers, each with enough files to be worth one.

    In any container a file has its own process and the whole tree, so its result does not depend on the split.
    Files are distributed round-robin, because those of one folder take similar time.
    """
    parts = max(1, min(parallelism, len(job.files) // job.language.files_per_container))
    return [replace(job, files=job.files[start::parts]) for start in range(parts)]


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a part, with the error that caused it, if any."""

    error: BaseException | None


def run_sharded(parts: Sequence[SandboxJob], run: RunJob) -> Generator[RawResult, None, None]:
    """Yield the results of all parts as they arrive. After the first error, stop all parts and then raise it."""
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
        except BaseException as exc:  # noqa: BLE001 - every error is raised again in the consumer
            error = exc
        finally:
            put(_End(error))

    threads = [
        # Each in a copy of the caller's context, which marks its log lines.
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
