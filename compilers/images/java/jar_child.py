"""Compiles one jar inside the sandbox: a JVM for its DAG classes, and another after each that brings it down.

The Java side (`driver/src`) reports over a pipe of its own; its `Channel` documents the records. It
runs the classes of the jar in the order of their names, so that what is left after a class that exits, hangs
or exhausts the memory is a suffix, which the next JVM takes up. Everything read from the pipe may be forged
by the jar's code, which can only harm that jar's own result.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from kiok.compiled import CompiledFile
from kiok.errors import Diagnostic
from kiok.hostile_json import HostileJsonError, parse
from kiok.spec import DagSpec
from kiok.validation import authored_id, validate

CLASS_PATH = "/opt/kiok/java/kiok-sdk.jar:/opt/kiok/java/kiok-jar-driver.jar"
JVM_OPTIONS = (
    # Room for heap, classes, code and threads within a container of 512 MiB; the heap, of 192 MiB then, grows
    # with the container's memory (kiok.sandbox.memory.bytes), which the JVM reads from its cgroup.
    "-XX:MaxRAMPercentage=37.5",
    "-XX:MaxMetaspaceSize=96m",
    "-XX:ReservedCodeCacheSize=32m",
    "-XX:MaxDirectMemorySize=32m",
    "-Xss512k",
    # A start-up of few milliseconds and few threads, since threads count against the container's pids.
    "-XX:+UseG1GC",
    "-XX:ParallelGCThreads=1",
    "-XX:ConcGCThreads=1",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    # Nothing to attach to, nothing on the disk.
    "-XX:+DisableAttachMechanism",
    "-XX:-UsePerfData",
    "-XX:ErrorFile=/dev/null",
    "-Djava.io.tmpdir=/tmp",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
)

MAX_CLASSES = 10_000
MAX_DIAGNOSTICS = 200
MAX_MESSAGE_CHARS = 2_000

_MAIN = "com.cloudcheflabs.kiok.driver.Main"
_MAGIC = b"KIOKJAR1"
_KINDS = frozenset({b"C", b"P", b"F", b"B", b"R", b"X", b"E"})
_HEADER = struct.Struct(">cI")
_OUT_OF_MEMORY = 86  # Main.OUT_OF_MEMORY
_POLL_SECONDS = 0.1  # how soon a death is seen when something else keeps the pipe open
_EXIT_GRACE_SECONDS = 2.0  # from the end of the pipe to the end of the process
_LEAST_CLASS_SECONDS = 1.0
_GIT_LFS_POINTER = b"version https://git-lfs"


def compile_jar(
    path: str,
    display_path: str,
    *,
    timeout_seconds: float,
    max_payload_bytes: int,
    java: str = "java",
    class_path: str = CLASS_PATH,
    jvm_options: Sequence[str] = JVM_OPTIONS,
) -> bytes:
    """Compile the jar at `path`: the JSON of a `kiok.compiled.CompiledFile`, `max_payload_bytes` at most.

    Diagnostics name the jar by `display_path`. It returns before `timeout_seconds` have passed, with an error
    for each class there was no time for, and leaves no process behind. Raises OSError when `java` cannot
    be started at all.
    """
    report = _Report(display_path, max_payload_bytes)
    with open(path, "rb") as file:  # noqa: PTH123 - the driver's paths are plain strings
        if file.read(len(_GIT_LFS_POINTER)) == _GIT_LFS_POINTER:
            report.problem("this is a Git LFS pointer, not the jar it points to; commit the jar itself")
            return report.payload(import_failed=True)
    margin = min(1.0, timeout_seconds / 10)
    work = _JarWork(
        command=[java, *jvm_options, "-cp", class_path, _MAIN],
        jar=path,
        timeout_seconds=timeout_seconds,
        deadline=time.monotonic() + timeout_seconds - margin,
        max_record_bytes=max_payload_bytes,
        report=report,
    )
    work.run()
    return report.payload(import_failed=work.unreadable)


class _JvmEnded(Exception):
    """The JVM is gone, or has to go. `died` tells an end of its own from one for a broken limit.

    `hint` is what to add where a class's code was running.
    """

    def __init__(self, why: str, *, hint: str = "", died: bool = False) -> None:
        super().__init__(why)
        self.hint = hint
        self.died = died


class _TooSlow(_JvmEnded):
    """No record came in time."""


class _Garbled(_JvmEnded):
    def __init__(self) -> None:
        super().__init__("its JVM sent what is no report of the driver")


class _Jvm:
    """One JVM at work on a jar, and the records it sends."""

    def __init__(self, command: Sequence[str], first: int, jar: str, max_record_bytes: int) -> None:
        self._max_record_bytes = max_record_bytes
        self._buffer = bytearray()
        self._pipe, theirs = os.pipe()
        self._greeted = False
        try:
            self._process = subprocess.Popen(
                [*command, str(theirs), str(first), jar],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs,),
                start_new_session=True,
                # Nothing inherited: variables such as JAVA_TOOL_OPTIONS would change the JVM.
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": "/tmp"},  # noqa: S108
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(theirs)

    def record(self, deadline: float) -> tuple[bytes, bytes]:
        """The next record: type and body. Raises _JvmEnded; time is up at `deadline` (monotonic)."""
        if not self._greeted:
            if self._take(len(_MAGIC), deadline) != _MAGIC:
                raise _Garbled
            self._greeted = True
        kind, length = _HEADER.unpack(self._take(_HEADER.size, deadline))
        if kind not in _KINDS:
            raise _Garbled
        if length > self._max_record_bytes:
            raise _JvmEnded(f"its DAG takes {length} bytes; at most {self._max_record_bytes} are allowed")
        return kind, self._take(length, deadline)

    def _take(self, size: int, deadline: float) -> bytes:
        while len(self._buffer) < size:
            self._fill(deadline)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _fill(self, deadline: float) -> None:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise _TooSlow("not done in time")
            # Asked before the pipe is: what a process has written before its end is then surely seen.
            ended = self._process.poll() is not None
            if select.select([self._pipe], [], [], 0 if ended else min(left, _POLL_SECONDS))[0]:
                data = os.read(self._pipe, 1 << 16)
                if data:
                    self._buffer += data
                    return
                self._raise_end()
            elif ended:
                self._raise_end()

    def _raise_end(self) -> NoReturn:
        try:
            status = self._process.wait(_EXIT_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            raise _JvmEnded("its JVM closed the driver's channel") from None
        raise _death(status)

    def kill(self) -> None:
        """End the JVM and all it has started, and reap it."""
        with contextlib.suppress(ProcessLookupError):  # already gone
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._pipe)


def _death(status: int) -> _JvmEnded:
    if status == _OUT_OF_MEMORY:
        return _JvmEnded("its JVM ran out of memory (OutOfMemoryError)", died=True)
    if status >= 0:
        hint = "; a DAG class must not call System.exit or Runtime.halt"
        return _JvmEnded(f"its JVM ended with exit status {status}", hint=hint, died=True)
    names = {member.value: member.name for member in signal.Signals}
    cause = " (mostly: more memory than the sandbox has)" if -status == signal.SIGKILL else ""
    return _JvmEnded(f"its JVM was ended by {names.get(-status, f'signal {-status}')}{cause}", died=True)


@dataclass
class _JarWork:
    """The classes of one jar, on their way through as many JVMs as it takes."""

    command: Sequence[str]
    jar: str
    timeout_seconds: float
    deadline: float
    max_record_bytes: int
    report: _Report
    unreadable: bool = False
    classes: list[str] | None = None
    first: int = 0  # the class the next JVM begins with
    current: int | None = None  # the class in work
    begun_at: float = 0.0
    slowest: tuple[float, str] = (0.0, "")

    def run(self) -> None:
        while not self._over():
            started_with = self.first
            jvm = _Jvm(self.command, self.first, self.jar, self.max_record_bytes)
            try:
                self._follow(jvm)
            except _JvmEnded as end:
                self._settle(end, started_with)
            finally:
                jvm.kill()

    def _over(self) -> bool:
        if self.unreadable or (self.classes is not None and self.first >= len(self.classes)):
            return True
        if time.monotonic() < self.deadline:
            return False
        blame = (
            f" was used up, by class {self.slowest[1]} for the most part"
            if self.slowest[1]
            else " was used up"
        )
        for name in (self.classes or [])[self.first :]:
            self.report.problem(
                f"class {name}: not compiled: the jar's time limit of {self.timeout_seconds:g} s{blame}"
            )
        return True

    def _follow(self, jvm: _Jvm) -> None:
        """Take in records until the JVM ends or all is done."""
        self.current = None
        listed = False
        problems: list[str] = []
        while True:
            kind, body = jvm.record(self._limit())
            if kind == b"P" and not listed:
                if len(problems) < MAX_DIAGNOSTICS:
                    problems.append(_text(body))
            elif kind == b"F" and self.classes is None:
                self.unreadable = True
                self.report.problem(_text(body))
                return
            elif kind == b"C" and not listed:
                self._list(_names(body), problems)
                listed = True
            elif kind in (b"B", b"R", b"X") and listed:
                self._class_record(kind, body)
            elif kind == b"E" and listed and self.first == len(self.classes or ()):
                return
            else:
                raise _Garbled

    def _list(self, classes: list[str], problems: list[str]) -> None:
        if self.classes is None:
            self.classes = classes
            for problem in problems:
                self.report.problem(problem)
        elif self.classes != classes:
            raise _Garbled

    def _class_record(self, kind: bytes, body: bytes) -> None:
        classes = self.classes or []
        numbers = 2 if kind == b"X" else 1
        if len(body) < 4 * numbers:
            raise _Garbled
        index, *rest = struct.unpack_from(f">{numbers}i", body)
        expected = self.first if kind == b"B" else self.current
        if index != expected or index >= len(classes) or (kind == b"B" and self.current is not None):
            raise _Garbled
        if kind == b"B":
            self.current, self.begun_at = index, time.monotonic()
            return
        if kind == b"R":
            self.report.dag(classes[index], body[4:])
        else:
            self.report.problem(_text(body[8:]), line=rest[0])
        self._finish(classes[index])

    def _finish(self, name: str) -> None:
        self.slowest = max(self.slowest, (time.monotonic() - self.begun_at, name))
        self.first += 1
        self.current = None

    def _limit(self) -> float:
        """Until when the next record must be there.

        A class may take its share of the time that is left: a quarter while four or more are to come, so that
        one that hangs leaves time for the rest, and all of it when it is the last.
        """
        if self.current is None or self.classes is None:
            return self.deadline
        share = (self.deadline - self.begun_at) / min(len(self.classes) - self.current, 4)
        return min(self.begun_at + max(share, _LEAST_CLASS_SECONDS), self.deadline)

    def _settle(self, end: _JvmEnded, started_with: int) -> None:
        """Name the class that a JVM ended with, unless another try may tell better."""
        if self.classes is None:
            self.classes = []  # nothing else can come of this jar
            self.report.problem(f"the jar's classes could not be listed: {end}")
            return
        in_work = self.current
        if in_work is None and self.first > started_with:
            return  # between two classes: the process had become unfit for another one
        if in_work is not None and end.died and in_work != started_with:
            return  # it may have died of an earlier class's doing; it gets a JVM of its own
        name = self.classes[self.first]
        if in_work is None:
            self.begun_at = time.monotonic()
        why = f"{end}{end.hint}"
        if isinstance(end, _TooSlow):
            why = f"hangs or is too slow: it was given {time.monotonic() - self.begun_at:.1f} s"
        self.report.problem(f"class {name}: {why}")
        self._finish(name)


@dataclass
class _Report:
    """What has become of the jar so far, within the payload's size."""

    path: str
    max_bytes: int
    diagnostics: list[Diagnostic] = field(default_factory=list)
    dags: list[DagSpec] = field(default_factory=list)
    owners: dict[str, list[str]] = field(default_factory=dict)  # DAG id -> the classes that gave it
    dag_bytes: int = 0

    def problem(self, message: str, *, line: int = 0) -> None:
        """Record a problem of the jar, or of the class that the message names."""
        self.add(Diagnostic(message, self.path, line if line > 0 else None))

    def add(self, diagnostic: Diagnostic) -> None:
        if len(self.diagnostics) <= MAX_DIAGNOSTICS:
            message = diagnostic.message
            if len(message) > MAX_MESSAGE_CHARS:
                message = message[:MAX_MESSAGE_CHARS] + "..."
            self.diagnostics.append(replace(diagnostic, message=message))

    def dag(self, class_name: str, text: bytes) -> None:
        """Take in the DAG that a class gave, if it holds to the rules."""
        try:
            raw = parse(text)
        except HostileJsonError as error:
            self.problem(f"class {class_name}: its DAG is not acceptable: {error}")
            return
        dag_id = authored_id(raw)
        if dag_id is not None:
            self.owners.setdefault(dag_id, []).append(class_name)
        spec, problems = validate(raw)
        for problem in problems:
            self.add(replace(problem.diagnostic(self.path), message=f"class {class_name}: {problem.message}"))
        if spec is None:
            return
        self.dag_bytes += len(json.dumps(spec.to_json()))
        if self.dag_bytes > self.max_bytes * 3 // 4:  # the rest is for diagnostics
            room = self.max_bytes * 3 // 4
            self.problem(f"class {class_name}: with its DAG those of the jar take more than {room} bytes")
            return
        self.dags.append(spec)

    def payload(self, *, import_failed: bool) -> bytes:
        """The compiled file as JSON, with as many diagnostics as there is room for."""
        shared = {dag: classes for dag, classes in self.owners.items() if len(classes) > 1}
        for dag, classes in shared.items():
            names = " and ".join(classes[:10])
            message = f"classes {names} define a DAG of the same id; none of them is registered"
            self.diagnostics.insert(0, Diagnostic(message, self.path, dag=dag, key="id"))
        dags = tuple(spec for spec in self.dags if spec.id not in shared)
        diagnostics = tuple(self.diagnostics[:MAX_DIAGNOSTICS])
        while True:
            payload = CompiledFile(dags, diagnostics, import_failed=import_failed).encode()
            if len(payload) <= self.max_bytes or not diagnostics:
                return payload
            diagnostics = diagnostics[: len(diagnostics) // 2]


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


def _names(body: bytes) -> list[str]:
    names = _text(body).split("/") if body else []
    if len(names) > MAX_CLASSES:
        raise _JvmEnded(f"it has {len(names)} DAG classes; at most {MAX_CLASSES} are allowed")
    return names
