"""A JVM: start it, tell it what to compile, read its records, end it.

The Java side is in `driver/src`: `Channel` documents the records that arrive over a separate pipe,
`Order` the input on standard input. The jar's code may forge everything that is read.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

_HOME = "/opt/kiok/java"
CLASS_PATH = f"{_HOME}/kiok-sdk.jar:{_HOME}/kiok-jar-driver.jar"
# The warm-up jar that a JVM started in advance compiles.
REHEARSAL = f"{_HOME}/kiok-rehearsal.jar"
# Loaded classes in their in-memory form; made with the image, by `archive`.
ARCHIVE = f"{_HOME}/kiok-classes.jsa"
# The container's memory in bytes: an engine may hide the cgroup, from which a JVM would read it.
MEMORY = int(os.environ.get("KIOK_SANDBOX_MEMORY_BYTES", 512 << 20))
JVM_OPTIONS = (
    # Room for heap, classes, code and threads within a container of 512 MiB. The heap, 192 MiB in that case, grows
    # with the container's memory (kiok.sandbox.memory.bytes).
    f"-Xmx{MEMORY * 3 // 8}",
    "-XX:MaxMetaspaceSize=96m",
    "-XX:ReservedCodeCacheSize=32m",
    "-XX:MaxDirectMemorySize=32m",
    "-Xss512k",
    # A start within milliseconds and few threads, because threads count against the container's pids.
    "-XX:+UseG1GC",
    "-XX:ParallelGCThreads=1",
    "-XX:ConcGCThreads=1",
    "-XX:TieredStopAtLevel=1",
    "-XX:ActiveProcessorCount=2",
    "-Xshare:auto",
    f"-XX:SharedArchiveFile={ARCHIVE}",
    # No attaching, and no files on disk.
    "-XX:+DisableAttachMechanism",
    "-XX:-UsePerfData",
    "-XX:ErrorFile=/dev/null",
    "-Djava.io.tmpdir=/tmp",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
)

_MAIN = "com.cloudcheflabs.kiok.driver.Main"
_MAGIC = b"KIOKJAR1"
_KINDS = frozenset({b"C", b"D", b"N", b"P", b"F", b"B", b"R", b"X", b"E"})
_HEADER = struct.Struct(">cI")
_ORDER = struct.Struct(">iI")
_OUT_OF_MEMORY = 86  # Main.OUT_OF_MEMORY
_POLL_SECONDS = 0.1  # delay until an end is noticed while another process keeps the pipe open
_EXIT_GRACE_SECONDS = 2.0  # from the end of the pipe to the end of the process
# Nothing is inherited: variables such as JAVA_TOOL_OPTIONS would change the JVM.
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "HOME": "/tmp"}  # noqa: S108


@dataclass(frozen=True)
class Java:
    """The program and options of a JVM."""

    program: str = "java"
    class_path: str = CLASS_PATH
    options: Sequence[str] = JVM_OPTIONS
    rehearsal: str = REHEARSAL

    def command(self, channel: int, more: Sequence[str] = ()) -> list[str]:
        """Return the command of a JVM that reports over this descriptor, with `more` options after the usual ones."""
        options = (*self.options, *more, "-cp", self.class_path)
        return [self.program, *options, _MAIN, str(channel), self.rehearsal]


JAVA = Java()


class JvmEnded(Exception):
    """The JVM has ended or must be ended. `died` distinguishes its own end from one for an exceeded limit.

    `hint` is added if a class's code was running.
    """

    def __init__(self, why: str, *, hint: str = "", died: bool = False) -> None:
        super().__init__(why)
        self.hint = hint
        self.died = died


class TooSlow(JvmEnded):
    """No record arrived in time."""


class Garbled(JvmEnded):
    def __init__(self) -> None:
        super().__init__("its JVM sent what is no report of the driver")


class Jvm:
    """A JVM that waits for its order or works on it, and the records it sends.

    Raises OSError when it cannot be started at all.
    """

    def __init__(self, java: Java, order: bytes = b"") -> None:
        """Start it, with its order immediately or in advance: `order` is the result of `order_of`."""
        self._buffer = bytearray()
        self._greeted = False
        self._pipe, theirs = os.pipe()
        orders, self._orders = os.pipe()
        try:
            # Before the start, so that it finds the order and skips the warm-up.
            self._hand_over(order)
            self._process = subprocess.Popen(
                java.command(theirs),
                stdin=orders,
                pass_fds=(theirs,),
                start_new_session=True,
                env={"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT},
            )
        except BaseException:
            self._close_orders()
            os.close(self._pipe)
            raise
        finally:
            os.close(theirs)
            os.close(orders)

    def begin(self, order: bytes, deadline: float) -> bool:
        """Give the order to a JVM started in advance. Return False if it does not take it, usually because it died.

        It sends its greeting before it opens the jar, so one without a greeting has run nothing of the jar.
        """
        try:
            self._hand_over(order)
            self._greet(deadline)
        except (BrokenPipeError, JvmEnded):
            return False
        return True

    def _hand_over(self, order: bytes) -> None:
        """Write the order, which any pipe can hold, and close the pipe: the jar's code then reads an end of file."""
        if order:
            try:
                os.write(self._orders, order)
            finally:
                self._close_orders()

    def _close_orders(self) -> None:
        if self._orders >= 0:
            os.close(self._orders)
            self._orders = -1

    def _greet(self, deadline: float) -> None:
        if not self._greeted:
            if self._take(len(_MAGIC), deadline) != _MAGIC:
                raise Garbled
            self._greeted = True

    def record(self, deadline: float, max_bytes: int) -> tuple[bytes, bytes]:
        """Return the next record: type and body. Raises JvmEnded; the time is up at `deadline` (monotonic)."""
        self._greet(deadline)
        kind, length = _HEADER.unpack(self._take(_HEADER.size, deadline))
        if kind not in _KINDS:
            raise Garbled
        if length > max_bytes:
            raise JvmEnded(f"its DAG takes {length} bytes; at most {max_bytes} are allowed")
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
                raise TooSlow("not done in time")
            # Checked before the pipe: then everything that a process wrote before its end is seen.
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
            raise JvmEnded("its JVM closed the driver's channel") from None
        raise _death(status)

    def kill(self) -> None:
        """End the JVM and all processes it started, and reap it."""
        with contextlib.suppress(ProcessLookupError):  # already gone
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close_orders()
        os.close(self._pipe)


def order_of(first: int, jar: str) -> bytes:
    """Return the bytes that tell a JVM to compile `jar`, starting with the class at index `first`."""
    path = os.fsencode(jar)
    return _ORDER.pack(first, len(path)) + path


def _death(status: int) -> JvmEnded:
    if status == _OUT_OF_MEMORY:
        return JvmEnded("its JVM ran out of memory (OutOfMemoryError)", died=True)
    if status >= 0:
        hint = "; a DAG class must not call System.exit or Runtime.halt"
        return JvmEnded(f"its JVM ended with exit status {status}", hint=hint, died=True)
    names = {member.value: member.name for member in signal.Signals}
    cause = " (mostly: more memory than the sandbox has)" if -status == signal.SIGKILL else ""
    return JvmEnded(f"its JVM was ended by {names.get(-status, f'signal {-status}')}{cause}", died=True)
