"""`DockerSandbox`: run jobs in throwaway containers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace

from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob, SandboxUnavailable
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.container import Attached
from compilers.sandbox.engine import Engine
from compilers.sandbox.exchange import ResponseLost
from compilers.sandbox.language import Language
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.pool import Lock, Pool
from compilers.sandbox.session import Session, SingleFileOnly, deadline_seconds
from compilers.sandbox.sharding import parts_of, run_sharded
from compilers.sandbox.source_tar import Measure, TreeRefused, measure

log = logging.getLogger(__name__)


class DockerSandbox:
    """A sandbox that runs jobs in containers of a Docker engine (`compilers.sandbox.base.Sandbox`).

    It is safe to use from several threads, and in a process forked after its creation.
    """

    def __init__(
        self,
        config: SandboxConfig | None = None,
        claim_lock: Lock | None = None,
        on_claim: Callable[[], None] = lambda: None,
    ) -> None:
        """`claim_lock` and `on_claim` are for the warm pool: see `compilers.sandbox.pool.Pool`."""
        self._config = config or SandboxConfig()
        self._engine = Engine(self._config)
        self._pool = Pool(self._engine, self._config, claim_lock, on_claim)
        self._session = Session(self._engine, self._config)
        self._one_each = (
            False  # True when this engine's kernel requires one file per container: see SingleFileOnly
        )

    @property
    def config(self) -> SandboxConfig:
        return self._config

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def pool(self) -> Pool:
        return self._pool

    @property
    def limits(self) -> SandboxLimits:
        return self._config.limits

    def image_digest(self, language: Language, image: str = "") -> str:
        """Return the id of the image that compiles this language: `image`, else the configured one.

        Raises SandboxUnavailable.
        """
        return self._engine.image_digest(language, image)

    def image_name(self, language: Language, image: str = "") -> str:
        """Return the reference, for people, of the image that compiles this language: `image`, else the configured one."""
        return image or self._config.images.get(language, "")

    def run(self, job: SandboxJob) -> Iterator[RawResult]:
        """Yield exactly one result per file of the job: in its order, unless several containers share the job.

        When the container's response is lost or corrupt, the files without a result run again, each in its
        own container, so that only the faulty file is LOST. If the kernel has no Landlock, each file gets its
        own container from the start.

        Raises SandboxUnavailable when no container can be started or the engine stops during the job; TreeRefused (a
        CompilerError) before any container starts, when the tree is over a limit; and the tree's own errors unchanged.
        """
        files = list(job.files)
        if not files:
            return
        entries = {entry.path for entry in job.entries}
        if absent := next((path for path in files if path not in entries), None):
            raise TreeRefused(f"{absent!r} is to be compiled but not among the entries of the job")
        size = measure(job.entries, self._config.limits)
        parts = parts_of(replace(job, files=files), self._config.parallelism)
        waiting = None if self._one_each and len(files) > 1 else self._pool.claim(job)
        if len(parts) > 1:
            job.note(f"{len(parts)} containers share the {len(files)} files")
        if len(parts) == 1:
            yield from self._part(parts[0], size, waiting)
        else:
            yield from run_sharded(
                parts, lambda part: self._part(part, size, waiting if part is parts[0] else None)
            )

    def _part(
        self, job: SandboxJob, size: Measure, waiting: Attached | None = None
    ) -> Generator[RawResult, None, None]:
        """Run a part of a job in one container. If it is lost, run the remaining files one by one."""
        until = time.monotonic() + 2 * self._config.grace_seconds + deadline_seconds(self._config, job)
        answered = 0
        try:
            for result in self._together(job, size, waiting):
                answered += 1
                yield result
            return
        except SingleFileOnly as exc:
            self._remember(exc)
            first = "each file runs in its own container here"
            if not answered:
                # Before the first result, the caller handles an unavailable sandbox.
                yield self._alone(job, size, job.files[0], until=until)
                answered = 1
        except ResponseLost as exc:
            # If the engine is gone, all containers are: that says nothing about the files.
            self._engine.ping()
            first = str(exc)
        if len(job.files) == 1 and not answered:
            yield _lost(job.files[0], first)
            return
        job.note(f"{first}; {len(job.files) - answered} files continue, each in its own container")
        for path in job.files[answered:]:
            try:
                yield self._alone(job, size, path, until=until)
            except SandboxUnavailable as exc:
                self._engine.ping()
                yield _lost(path, f"{first}; then: {exc}")

    def _together(self, job: SandboxJob, size: Measure, waiting: Attached | None) -> Iterator[RawResult]:
        """Run all files in one container. Raises Lost, or SingleFileOnly if that is known to be unsafe."""
        if self._one_each and len(job.files) > 1:
            raise SingleFileOnly("its kernel has no Landlock")
        with closing(self._session.run(job, size, waiting)) as results:
            yield from results

    def _alone(self, job: SandboxJob, size: Measure, path: str, *, until: float) -> RawResult:
        """Run one file in its own container. Raises SandboxUnavailable, also when the engine stops during the run."""
        if time.monotonic() > until:
            why = "the time for these files was used up before this file could run in its own container"
            return RawResult(path=path, outcome=CompileOutcome.TIMEOUT, detail=why)
        try:
            with closing(self._session.run(replace(job, files=(path,)), size)) as results:
                return next(results)
        except ResponseLost as exc:
            self._engine.ping()
            return _lost(path, str(exc))

    def _remember(self, why: SingleFileOnly) -> None:
        if not self._one_each:
            self._one_each = True
            log.warning(
                "containers of the engine at %s are safe for one file only: %s. From now on each file gets its own "
                "container, which takes about 0.2 s longer per file. To run files together, use a kernel 5.13 or later "
                "with landlock among its security modules (/sys/kernel/security/lsm).",
                self._engine.where(),
                why,
            )


def _lost(path: str, detail: str) -> RawResult:
    return RawResult(path=path, outcome=CompileOutcome.LOST, detail=detail)
