"""The parent's side of one file: fork, watch, kill, collect the result, clean up."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from compilers.images.driver import child
from compilers.images.driver.confinement import TMP, Confinement
from compilers.sandbox.protocol import CompileRequest

STDIN = 0
_READ_BYTES = 1 << 16
_STACK_SECONDS = 0.5  # for a process to write its stack, on a machine under load
_STACK_PAUSE_SECONDS = 0.05
_STACK_BYTES = 1_500  # fits into the detail of an outcome
_POLL_MS = 5.0  # between two checks for the end of a child, on a kernel without pidfd_open
# Receives the data read from a child.
Sink = Callable[[bytes], None]

_NAMES = {number: number.name for number in signal.Signals}


class HostDisconnected(Exception):
    """Standard input ended: the host no longer waits for results."""


@dataclass
class Watch:
    """The data received from a child so far."""

    max_payload_bytes: int
    max_output_bytes: int
    payload: bytearray = field(default_factory=bytearray)
    output: bytearray = field(default_factory=bytearray)

    @property
    def too_large(self) -> bool:
        return len(self.payload) > self.max_payload_bytes

    def take_payload(self, data: bytes) -> None:
        """Keep one byte more than is allowed, to detect an oversized payload."""
        self.payload += data[: self.max_payload_bytes + 1 - len(self.payload)]

    def take_output(self, data: bytes) -> None:
        """Keep the tail. The rest is read and dropped, so that the child never blocks on it."""
        self.output += data
        if len(self.output) > self.max_output_bytes:
            del self.output[: len(self.output) - self.max_output_bytes]


@dataclass(frozen=True)
class ChildProcess:
    """A process for one file, with the driver's ends of its pipes.

    `job` is the pipe for the job of a preforked process, which serves the first file or none.
    """

    pid: int
    result: int
    output: int
    job: int | None = None

    def close(self) -> None:
        for descriptor in (self.result, self.output, self.job):
            if descriptor is not None:
                os.close(descriptor)


def fork(compiler: child.ChildCompiler, job: child.Job | None, confinement: Confinement) -> ChildProcess:
    """Start a process that works on the job; without one, a process that warms up and waits for `_hand_over`."""
    result_read, result_write = os.pipe()
    output_read, output_write = os.pipe()
    job_read, job_write = os.pipe() if job is None else (None, None)
    pid = os.fork()
    if pid == 0:
        child.enter(
            compiler, job, confinement, result_fd=result_write, output_fd=output_write, job_fd=job_read
        )
    for descriptor in (result_write, output_write, job_read):
        if descriptor is not None:
            os.close(descriptor)
    return ChildProcess(pid, result_read, output_read, job_write)


def _hand_over(ahead: ChildProcess, job: child.Job) -> ChildProcess | None:
    """Give the job to the preforked process and return it; None if it has died."""
    died = bool(os.waitpid(ahead.pid, os.WNOHANG)[0])
    if ahead.job is not None and not died:
        with contextlib.suppress(BrokenPipeError):
            os.write(ahead.job, job.to_bytes())
            os.close(ahead.job)
            return replace(ahead, job=None)
    ahead.close()
    return None


def run_file(
    compiler: child.ChildCompiler,
    path: str,
    request: CompileRequest,
    confinement: Confinement,
    *,
    until: float,
    ahead: ChildProcess | None = None,
) -> tuple[dict[str, Any], bytes]:
    """Compile one file in its own process, preforked or new. Return its meta and payload.

    `until` is the end of the container's deadline on the monotonic clock. Raises HostDisconnected.
    """
    begun = time.monotonic()
    limit = min(request.file_timeout_seconds, until - begun)
    if limit <= 0:
        return _meta("timeout", "the container's deadline passed before this file's start", 0.0, b""), b""
    watch = Watch(request.max_payload_bytes, request.max_output_bytes)
    job = child.Job(path, request)
    process = (_hand_over(ahead, job) if ahead else None) or fork(compiler, job, confinement)
    sinks: Mapping[int, Sink] = {process.result: watch.take_payload, process.output: watch.take_output}
    try:
        timed_out = _watch(process.pid, sinks, watch, until=begun + limit)
        if timed_out and compiler.answers_signal:
            _request_stack(process, watch)
    finally:
        status = _kill_all(process.pid)
        # All processes with the other ends are dead, so the pipes hold nothing but what is in them now.
        for descriptor, sink in sinks.items():
            _drain(descriptor, sink)
        process.close()
        _empty(TMP)
    seconds = time.monotonic() - begun
    outcome, detail = _judge(watch, status, timed_out=timed_out, limit=limit)
    if outcome == "timeout":
        if limit < request.file_timeout_seconds:
            detail = f"{detail}: the container's deadline did not leave it its full {request.file_timeout_seconds:.3g} s"
        detail += _stack(watch)
    payload = bytes(watch.payload) if outcome == "ok" else b""
    return _meta(outcome, detail, seconds, bytes(watch.output)), payload


def _watch(pid: int, sinks: Mapping[int, Sink], watch: Watch, *, until: float) -> bool:
    """Read until the child is dead, its payload is too large, or its time is up (True).

    The end of a pipe does not mean that the child is dead, nor the reverse: a daemon may hold the pipe.
    """
    pidfd = _pidfd_of(pid)
    poll = select.poll()
    for descriptor in (STDIN, *sinks) if pidfd is None else (STDIN, pidfd, *sinks):
        poll.register(descriptor, select.POLLIN)
    try:
        while not watch.too_large:
            left = until - time.monotonic()
            if left <= 0:
                return True
            if pidfd is None and _has_ended(pid):
                return False
            wait_ms = left * 1000 + 1
            for descriptor, _ in poll.poll(wait_ms if pidfd is not None else min(wait_ms, _POLL_MS)):
                if descriptor == pidfd:
                    return False
                data = os.read(descriptor, _READ_BYTES)
                if descriptor == STDIN:
                    raise HostDisconnected("standard input ended" if not data else "bytes follow the request")
                if data:
                    sinks[descriptor](data)
                else:
                    poll.unregister(descriptor)
        return False
    finally:
        if pidfd is not None:
            os.close(pidfd)


def _pidfd_of(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the child ends; None on a kernel without pidfd_open.

    Linux has it since 5.3. The versions of gVisor in Debian 12 and 13 do not.
    """
    try:
        return os.pidfd_open(pid)
    except OSError as exc:
        if exc.errno == errno.ENOSYS:
            return None
        raise


def _has_ended(pid: int) -> bool:
    """Return whether the child has ended. It stays a zombie, so that its status can still be collected."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _request_stack(process: ChildProcess, watch: Watch) -> None:
    """Make a process that will be killed write its stack instead of its payload, and wait briefly for it."""
    watch.payload.clear()
    try:
        os.kill(process.pid, child.STACK_SIGNAL)
    except ProcessLookupError:
        return
    until = time.monotonic() + _STACK_SECONDS
    wait_seconds = _STACK_SECONDS
    poll = select.poll()
    poll.register(process.result, select.POLLIN)
    # The stack arrives in pieces without an end mark: it is complete when no more data arrives.
    while time.monotonic() < until and poll.poll(wait_seconds * 1000):
        data = os.read(process.result, _READ_BYTES)
        if not data:
            return
        watch.take_payload(data)
        wait_seconds = _STACK_PAUSE_SECONDS


def _stack(watch: Watch) -> str:
    """Return the stack that the process wrote, on separate lines; the host parses it."""
    text = bytes(watch.payload[:_STACK_BYTES]).decode("ascii", "replace")
    return f"\n{text}" if text else ""


def _kill_all(pid: int) -> int:
    """Kill and reap all other processes. Return the wait status of `pid`.

    Only PID 1 of its own namespace may call it. PID 1 inherits the children of a killed process,
    so this repeats until there is no child.
    """
    status = 0
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            reaped, reaped_status = os.waitpid(-1, 0)
        except ChildProcessError:
            return status
        if reaped == pid:
            status = reaped_status


def _drain(descriptor: int, sink: Sink) -> None:
    os.set_blocking(descriptor, False)
    try:
        while data := os.read(descriptor, _READ_BYTES):
            sink(data)
    except BlockingIOError:
        return


def _judge(watch: Watch, status: int, *, timed_out: bool, limit: float) -> tuple[str, str]:
    if watch.too_large:
        return "too_large", f"its compiled form passes the limit of {watch.max_payload_bytes} bytes"
    if timed_out:
        return "timeout", f"it was not done within {limit:.3g} s and was killed"
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        name = _NAMES.get(-code, "real-time")  # type: ignore[call-overload]
        cause = ", usually because it ran out of memory" if -code == signal.SIGKILL else ""
        return "killed", f"its process was ended by signal {-code} ({name}){cause}"
    if code == 0 and watch.payload:
        return "ok", ""
    return "exited", f"its process ended with exit status {code} before it delivered a result"


def _meta(outcome: str, detail: str, seconds: float, output: bytes) -> dict[str, Any]:
    text = output.decode("utf-8", "replace")
    return {"outcome": outcome, "detail": detail, "seconds": float(seconds), "output": text}


def _empty(folder: str) -> None:
    """Remove everything under `folder` without recursion, because a file may nest folders without limit.

    A folder's own folders are moved up before it is removed, so the depth never grows.
    """
    moved = 0
    while names := os.listdir(folder):  # noqa: PTH208
        for name in names:
            path = f"{folder}/{name}"
            if not os.path.isdir(path) or os.path.islink(path):  # noqa: PTH112, PTH114
                os.unlink(path)  # noqa: PTH108
                continue
            os.chmod(path, 0o700)  # noqa: PTH101
            for inner in os.listdir(path):  # noqa: PTH208
                below = f"{path}/{inner}"
                if os.path.isdir(below) and not os.path.islink(below):  # noqa: PTH112, PTH114
                    moved += 1
                    os.chmod(below, 0o700)  # noqa: PTH101
                    os.rename(below, f"{folder}/.kiok-moved-{moved}-{time.monotonic_ns()}")  # noqa: PTH104
                else:
                    os.unlink(below)  # noqa: PTH108
            os.rmdir(path)  # noqa: PTH106
