"""Run one job in one container: request, responses, end."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Generator, Iterator, Sequence

from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob, SandboxUnavailable
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.container import Attached, start_container
from compilers.sandbox.engine import Engine
from compilers.sandbox.exchange import Exchange, ResponseLost
from compilers.sandbox.protocol import (
    STAGE_ALONE,
    STAGE_IMAGE,
    STAGE_LIMITS,
    STAGE_REQUEST,
    CompileRequest,
    FatalFrame,
    ResponseParser,
    ResultFrame,
    chunk,
    max_meta_bytes,
)
from compilers.sandbox.source_tar import Measure, TreeRefused, tar_stream

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 18
# A warm driver answers in milliseconds, a new one on a busy machine in seconds. The engine
# may keep the connection to a driver that has just died open.
_GREETING_SECONDS = 10.0


class SingleFileOnly(ResponseLost):
    """The driver runs only one file per container on this engine. The message says why."""


class Session:
    """Runs jobs, each in a warm or a new container."""

    def __init__(self, engine: Engine, config: SandboxConfig) -> None:
        self._engine = engine
        self._config = config

    def run(
        self, job: SandboxJob, size: Measure, waiting: Attached | None = None
    ) -> Generator[RawResult, None, None]:
        """Yield one result per file, in order, from the warm container if one was claimed.

        Raises Lost after the available results, SandboxUnavailable, TreeRefused.
        """
        if waiting is not None:
            parser = self._parser(job)
            job.note(f"warm container {waiting.shown}")
            try:
                yield from self._serve(
                    job, size, waiting, parser, greeted_by=time.monotonic() + _GREETING_SECONDS
                )
                return
            except ResponseLost as exc:
                if parser.greeted:
                    raise
                # It never started the request: it had ended while it waited.
                log.info("a warm container did not answer (%s); a new one replaces it", exc)
                job.note(f"it did not answer ({exc}); a new one replaces it")
        container = start_container(self._engine, self._config, job)
        job.note(f"container {container.shown}, started for this job")
        yield from self._serve(job, size, container, self._parser(job))

    def _parser(self, job: SandboxJob) -> ResponseParser:
        limits = self._config.limits
        return ResponseParser(
            job.files,
            max_payload_bytes=limits.max_payload_bytes,
            max_output_bytes=limits.max_output_bytes,
            seal=secrets.randbits(32),
        )

    def _serve(
        self,
        job: SandboxJob,
        size: Measure,
        container: Attached,
        parser: ResponseParser,
        *,
        greeted_by: float | None = None,
    ) -> Iterator[RawResult]:
        limits = self._config.limits
        files = list(job.files)
        per_file = limits.max_payload_bytes + max_meta_bytes(limits.max_output_bytes) + 1024
        try:
            exchange = Exchange(
                container.connection,
                self._request(job, size, parser.seal),
                parser,
                until=time.monotonic() + deadline_seconds(self._config, job) + self._config.grace_seconds,
                max_bytes=2 * len(files) * per_file,
                greeted_by=greeted_by,
            )
            for frame in exchange.frames():
                if isinstance(frame, FatalFrame):
                    raise _fatal(frame)
                yield _result(files, frame)
        finally:
            container.end()

    def _request(self, job: SandboxJob, size: Measure, seal: int) -> Iterator[bytes]:
        """Yield header and tar, in pieces. Small files share a chunk; the last chunk is empty."""
        limits = self._config.limits
        timeout = limits.timeout_seconds(job.language)
        must_be_limited = self._config.require_limits and not job.is_check
        yield CompileRequest(
            language=job.language.name,
            files=tuple(job.files),
            import_roots=tuple(job.import_roots),
            entries=size.entries,
            total_bytes=size.total_bytes,
            file_timeout_seconds=timeout,
            deadline_seconds=deadline_seconds(self._config, job),
            max_payload_bytes=limits.max_payload_bytes,
            max_output_bytes=limits.max_output_bytes,
            max_memory_bytes=limits.process_memory_bytes(job.language),
            max_file_bytes=limits.max_file_bytes,
            max_open_files=limits.max_open_files,
            max_cpu_seconds=math.ceil(timeout * limits.cpus_for(job.language)) + 2,
            seal=seal,
            container_memory_bytes=limits.memory_bytes if must_be_limited else 0,
            container_processes=limits.pids if must_be_limited else 0,
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


def deadline_seconds(config: SandboxConfig, job: SandboxJob) -> float:
    """Return the wall clock time that a container may take for the job's files."""
    return config.limits.deadline_seconds(job.language, len(job.files))


def _result(files: Sequence[str], frame: ResultFrame) -> RawResult:
    return RawResult(
        path=files[frame.index],
        outcome=CompileOutcome(frame.outcome),
        payload=frame.payload,
        output=frame.output,
        detail=frame.detail,
        seconds=frame.seconds,
    )


def _fatal(frame: FatalFrame) -> Exception:
    if frame.stage == STAGE_REQUEST:
        # Every container would refuse it again.
        return TreeRefused(f"the sandbox refused the tree: {frame.message}")
    if frame.stage == STAGE_IMAGE:
        return SandboxUnavailable(
            f"the sandbox image is incomplete: {frame.message}. Rebuild it with `make images`."
        )
    if frame.stage == STAGE_LIMITS:
        return SandboxUnavailable(
            f"the Docker engine does not limit {frame.message} of a container, so that one DAG file could exhaust the "
            "host. Enable these control groups there (a rootless engine needs cgroup v2 with delegation; "
            "`manage.py sandbox_check` shows the state), or accept it by adding sandbox.limits to kiok.allow.insecure."
        )
    if frame.stage == STAGE_ALONE:
        return SingleFileOnly(frame.message)
    return ResponseLost(f"the driver gave up: {frame.message}")
