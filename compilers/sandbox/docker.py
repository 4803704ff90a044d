"""`DockerSandbox`: jobs in, results out, over throwaway containers."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

from compilers.base import Kind, Outcome, RawResult, SandboxJob, SandboxUnavailable
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.engine import Engine
from compilers.sandbox.exchange import Lost
from compilers.sandbox.pool import Pool
from compilers.sandbox.session import Session, deadline_seconds
from compilers.sandbox.side_by_side import parts_of, run_side_by_side
from compilers.sandbox.source_tar import Measure, TreeRefused, measure


class DockerSandbox:
    """Runs jobs in containers of a Docker engine (`compilers.base.Sandbox`).

    Safe to use from several threads at once, and in a process forked after it was made.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self._config = config or SandboxConfig()
        self._engine = Engine(self._config)
        self._pool = Pool(self._engine, self._config)
        self._session = Session(self._engine, self._config, self._pool)

    @property
    def config(self) -> SandboxConfig:
        return self._config

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def pool(self) -> Pool:
        return self._pool

    def image_digest(self, kind: Kind) -> str:
        """The id of the image that compiles this kind. Raises SandboxUnavailable."""
        return self._engine.image_digest(kind)

    def run(self, job: SandboxJob) -> Iterator[RawResult]:
        """Exactly one result per file of the job, as they come: in its order, unless containers share the job.

        When the container's answer is lost or garbled, the files without one are run again, each in a
        container of its own, so that only the file at fault is LOST.

        Raises SandboxUnavailable when no container can be started; TreeRefused (a CompilerError) before any
        container is, when the tree is over a limit; the tree's own errors as they are.
        """
        files = list(job.files)
        if not files:
            return
        entries = {entry.path for entry in job.entries}
        if absent := next((path for path in files if path not in entries), None):
            raise TreeRefused(f"{absent!r} is to be compiled but not among the entries of the job")
        size = measure(job.entries, self._config.limits)
        parts = parts_of(replace(job, files=files), self._config.parallelism)
        if len(parts) == 1:
            yield from self._part(parts[0], size)
        else:
            yield from run_side_by_side(parts, lambda part: self._part(part, size))

    def _part(self, job: SandboxJob, size: Measure) -> Generator[RawResult, None, None]:
        """What one container does, and what is left to do when it is lost."""
        until = time.monotonic() + 2 * self._config.grace_seconds + deadline_seconds(self._config, job)
        answered = 0
        try:
            with closing(self._session.run(job, size)) as results:
                for result in results:
                    answered += 1
                    yield result
            return
        except Lost as exc:
            lost = exc
        if len(job.files) == 1:
            yield _lost(job.files[0], str(lost))
            return
        for path in job.files[answered:]:
            yield self._alone(job, size, path, until=until, first=lost)

    def _alone(self, job: SandboxJob, size: Measure, path: str, *, until: float, first: Lost) -> RawResult:
        """One file in a container of its own, after the shared one was lost."""
        if time.monotonic() > until:
            return _lost(path, f"{first}; no time was left to try this file in a container of its own")
        try:
            with closing(self._session.run(replace(job, files=(path,)), size)) as results:
                return next(results)
        except Lost as exc:
            return _lost(path, str(exc))
        except SandboxUnavailable as exc:
            return _lost(path, f"{first}; and then: {exc}")


def _lost(path: str, detail: str) -> RawResult:
    return RawResult(path=path, outcome=Outcome.LOST, detail=detail)
