"""`DockerSandbox`: jobs in, results out, over throwaway containers."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from compilers.base import Kind, Outcome, RawResult, SandboxJob, SandboxUnavailable
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.container import attached_container
from compilers.sandbox.engine import Engine
from compilers.sandbox.exchange import Exchange, Lost
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.protocol import (
    STAGE_IMAGE,
    STAGE_REQUEST,
    FatalFrame,
    Request,
    ResponseParser,
    ResultFrame,
    chunk,
    max_meta_bytes,
)
from compilers.sandbox.source_tar import Measure, TreeRefused, measure, tar_stream

_CHUNK_BYTES = 1 << 18


class DockerSandbox:
    """Runs jobs in containers of a Docker engine (`compilers.base.Sandbox`).

    Safe to use from several threads at once, and in a process forked after it was made.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self._config = config or SandboxConfig()
        self._engine = Engine(self._config)

    @property
    def config(self) -> SandboxConfig:
        return self._config

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def limits(self) -> SandboxLimits:
        return self._config.limits

    def image_digest(self, kind: Kind, image: str = "") -> str:
        """The id of the image that compiles this kind: `image`, else the configured one.

        Raises SandboxUnavailable.
        """
        return self._engine.image_digest(kind, image)

    def run(self, job: SandboxJob) -> Iterator[RawResult]:
        """Exactly one result per file of the job, in its order, as they come.

        When the container's answer is lost or garbled, the files without one are run again, each in a
        container of its own, so that only the file at fault is LOST.

        Raises SandboxUnavailable before the first result when no container can be started; TreeRefused
        (a CompilerError) before any container is, when the tree is over a limit; the tree's own errors as
        they are.
        """
        files = list(job.files)
        if not files:
            return
        entries = {entry.path for entry in job.entries}
        if absent := next((path for path in files if path not in entries), None):
            raise TreeRefused(f"{absent!r} is to be compiled but not among the entries of the job")
        size = measure(job.entries, self._config.limits)
        until = time.monotonic() + 2 * self._config.grace_seconds + self._deadline_seconds(job)
        answered = 0
        try:
            for result in self._container(job, size):
                answered += 1
                yield result
            return
        except Lost as exc:
            lost = exc
        if len(files) == 1:
            yield _lost(files[0], str(lost))
            return
        for path in files[answered:]:
            yield self._alone(job, size, path, until=until, first=lost)

    def _alone(self, job: SandboxJob, size: Measure, path: str, *, until: float, first: Lost) -> RawResult:
        """One file in a container of its own, after the shared one was lost."""
        if time.monotonic() > until:
            return _lost(path, f"{first}; no time was left to try this file in a container of its own")
        try:
            with closing(self._container(replace(job, files=(path,)), size)) as results:
                return next(results)
        except Lost as exc:
            return _lost(path, str(exc))
        except SandboxUnavailable as exc:
            return _lost(path, f"{first}; and then: {exc}")

    def _container(self, job: SandboxJob, size: Measure) -> Generator[RawResult, None, None]:
        """The job in one container. Raises Lost after what could be had."""
        limits = self._config.limits
        files = list(job.files)
        parser = ResponseParser(
            files, max_payload_bytes=limits.max_payload_bytes, max_output_bytes=limits.max_output_bytes
        )
        per_file = limits.max_payload_bytes + max_meta_bytes(limits.max_output_bytes) + 1024
        with attached_container(self._engine, self._config, job) as connection:
            exchange = Exchange(
                connection,
                self._request(job, size),
                parser,
                until=time.monotonic() + self._deadline_seconds(job) + self._config.grace_seconds,
                max_bytes=2 * len(files) * per_file,
            )
            for frame in exchange.frames():
                if isinstance(frame, FatalFrame):
                    raise _fatal(frame)
                yield _result(files, frame)

    def _request(self, job: SandboxJob, size: Measure) -> Iterator[bytes]:
        """Header and tar, in pieces. Small files share a chunk; the last chunk is empty."""
        limits = self._config.limits
        timeout = limits.timeout_seconds(job.kind)
        yield Request(
            language=job.kind.value,
            files=tuple(job.files),
            import_roots=tuple(job.import_roots),
            entries=size.entries,
            total_bytes=size.total_bytes,
            file_timeout_seconds=timeout,
            deadline_seconds=self._deadline_seconds(job),
            max_payload_bytes=limits.max_payload_bytes,
            max_output_bytes=limits.max_output_bytes,
            max_memory_bytes=limits.process_memory_bytes(job.kind),
            max_file_bytes=limits.max_file_bytes,
            max_open_files=limits.max_open_files,
            max_cpu_seconds=math.ceil(timeout * limits.cpus_for(job.kind)) + 2,
        ).to_bytes()
        waiting = bytearray()
        for piece in tar_stream(job.tree, job.entries):
            for start in range(0, len(piece), _CHUNK_BYTES):
                waiting += piece[start : start + _CHUNK_BYTES]
                if len(waiting) >= _CHUNK_BYTES:
                    yield chunk(bytes(waiting))
                    waiting.clear()
        yield chunk(bytes(waiting))
        if waiting:
            yield chunk(b"")

    def _deadline_seconds(self, job: SandboxJob) -> float:
        return self._config.limits.deadline_seconds(job.kind, len(job.files))


def _result(files: Sequence[str], frame: ResultFrame) -> RawResult:
    return RawResult(
        path=files[frame.index],
        outcome=Outcome(frame.outcome),
        payload=frame.payload,
        output=frame.output,
        detail=frame.detail,
        seconds=frame.seconds,
    )


def _lost(path: str, detail: str) -> RawResult:
    return RawResult(path=path, outcome=Outcome.LOST, detail=detail)


def _fatal(frame: FatalFrame) -> Exception:
    if frame.stage == STAGE_REQUEST:
        # Every container would refuse it again.
        return TreeRefused(f"the sandbox refused the tree: {frame.message}")
    if frame.stage == STAGE_IMAGE:
        return SandboxUnavailable(
            f"the sandbox image is incomplete: {frame.message}. Build it anew with `make images`."
        )
    return Lost(f"the driver gave up: {frame.message}")
