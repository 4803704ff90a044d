"""The child process from the fork to the untrusted code, and the delivery of its result.

Everything here runs in the child. `enter` never returns.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from compilers.images.driver import surroundings, traced_accesses
from compilers.images.driver.confinement import Confinement, limit
from compilers.sandbox.protocol import CompileRequest

RESULT_FD = 3
JOB_FD = 4
SRC = "/src"
_REHEARSAL = "/opt/kiok/driver/compilers/images/driver/warm_up.py"
STACK_SIGNAL = signal.SIGUSR2  # makes a process write its stack to its result pipe
EXIT_BROKEN = 70  # sysexits' EX_SOFTWARE: the compiler itself raised


# Compiles one file, given its path relative to the repository's root, and returns the JSON payload.
Compile = Callable[[str, CompileRequest], bytes]


@dataclass(frozen=True)
class ChildCompiler:
    """A compiler of single files, and the warm-up that its process can do before there is a file.

    `answers_signal`: whether a compiling process handles STACK_SIGNAL.
    """

    compile_one: Compile
    warm_up: Callable[[], None] | None = None
    answers_signal: bool = False


@dataclass(frozen=True)
class Job:
    """A file to compile: its path relative to the repository's root, and the request."""

    path: str
    request: CompileRequest

    def to_bytes(self) -> bytes:
        """Return the job for a pipe, which can hold all of it because the request's files are omitted."""
        request = replace(self.request, files=(), import_roots=())
        return json.dumps([self.path, request.__dict__]).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Job:
        """Read back `to_bytes`'s form."""
        path, request = json.loads(data)
        return cls(path, CompileRequest(**request))


def python_compiler() -> ChildCompiler:
    """Import the SDK, once and before any fork, so that nothing in the tree can shadow it."""
    import kiok.compile

    # Also before the fork: installed once, it costs almost nothing per file.
    recorder = traced_accesses.Recorder(SRC)
    recorder.install()
    # Runs everything once, so that every child inherits what this loads, compiles and caches.
    rehearsal = kiok.compile.compile_python_file(_REHEARSAL)
    if rehearsal.diagnostics or not rehearsal.dags:
        raise ImportError(f"the SDK of this image does not compile the warm-up DAG: {rehearsal.diagnostics}")

    explain = surroundings.explainer(SRC)

    def compile_one(path: str, request: CompileRequest) -> bytes:
        roots = [_under_src(root) for root in request.import_roots]
        # In C, so that it also works during a call that never returns to Python.
        faulthandler.register(STACK_SIGNAL, file=RESULT_FD, all_threads=False)
        recorder.begin()
        compiled = kiok.compile.compile_python_file(_under_src(path), roots, explain)
        value = _relative(compiled.to_json())
        value["traced_accesses"] = recorder.traced_accesses(path)
        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()

    return ChildCompiler(compile_one, answers_signal=True)


def jar_compiler() -> ChildCompiler:
    """Return the compiler of jars: `jar_child` starts a JVM per jar in the forked process, the first one in advance."""
    import jar_child  # type: ignore[import-not-found,unused-ignore]

    ahead: list[Any] = []

    def warm_up() -> None:
        ahead.append(jar_child.prefork())

    def compile_one(path: str, request: CompileRequest) -> bytes:
        payload: bytes = jar_child.compile_jar(
            _under_src(path),
            path,
            timeout_seconds=request.file_timeout_seconds,
            max_payload_bytes=request.max_payload_bytes,
            ahead=ahead.pop() if ahead else None,
        )
        return payload

    return ChildCompiler(compile_one, warm_up)


COMPILERS: Mapping[str, Callable[[], ChildCompiler]] = {"python": python_compiler, "jar": jar_compiler}


def enter(
    compiler: ChildCompiler,
    job: Job | None,
    confinement: Confinement,
    *,
    result_fd: int,
    output_fd: int,
    job_fd: int | None = None,
) -> None:
    """Become the process of one file: confine, compile, deliver, exit. Never returns.

    Without a job it warms up and waits for the job on `job_fd`. The end of `job_fd` without a job ends it.
    """
    status = EXIT_BROKEN
    try:
        confinement.enter()
        _descriptors(result_fd=result_fd, output_fd=output_fd, job_fd=job_fd)
        gc.enable()
        job = job or _awaited(compiler)
        # A JVM started in advance lacks only the limit of CPU time, which is above what it can use before its
        # timeout. The other limits also apply to the container.
        _limit(job.request)
        payload = compiler.compile_one(job.path, job.request)
        _flush()
        _deliver(payload)
        status = 0
    except BaseException:  # noqa: BLE001  no error may unwind the parent's stack here
        traceback.print_exc()
        _flush()
    finally:
        os._exit(status)


def _awaited(compiler: ChildCompiler) -> Job:
    if compiler.warm_up is not None:
        compiler.warm_up()
    with os.fdopen(JOB_FD, "rb") as pipe:
        return Job.from_bytes(pipe.read())


def _descriptors(*, result_fd: int, output_fd: int, job_fd: int | None) -> None:
    """Set up descriptors: 0 empty, 1 and 2 the output pipe, 3 the result pipe, 4 the job's. Close the driver's."""
    # Moved first: the pipes' own numbers may be among those that are overwritten.
    result = os.dup2(result_fd, 60)
    output = os.dup2(output_fd, 61)
    job = None if job_fd is None else os.dup2(job_fd, 62)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    # Not inherited by processes that the file may start: its owner can send a result in the file's name.
    last = os.dup2(result, RESULT_FD, inheritable=False)
    if job is not None:
        last = os.dup2(job, JOB_FD, inheritable=False)
    os.closerange(last + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def _limit(request: CompileRequest) -> None:
    limit(
        open_files=request.max_open_files,
        file_bytes=request.max_file_bytes,
        cpu_seconds=request.max_cpu_seconds,
        memory_bytes=request.max_memory_bytes,
    )


def _deliver(payload: bytes) -> None:
    view = memoryview(payload)
    while view:
        view = view[os.write(RESULT_FD, view) :]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001, S112  the file may have replaced it with anything
            continue


def _under_src(path: str) -> str:
    return f"{SRC}/{path}" if path else SRC


def _relative(value: dict[str, object]) -> dict[str, object]:
    """Return the value with the file names that the author knows, relative to the repository's root."""
    imported = value.get("imported")
    listed = [value.get("diagnostics"), value.get("doubts"), [value.get("notADag")]]
    listed += [group["diagnostics"] for group in imported] if isinstance(imported, list) else []
    for diagnostic in [item for items in listed if isinstance(items, list) for item in items]:
        for key in ("path", "message"):
            if isinstance(diagnostic, dict) and isinstance(diagnostic.get(key), str):
                diagnostic[key] = diagnostic[key].replace(f"{SRC}/", "")
    return value
