"""A git process: in its own process group, with a time limit and an output limit.

This is the only user of GitPython, and it uses only `Git.execute` with a fixed list of arguments. GitPython's convenience
methods turn values into options, which has allowed many injections.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from gitsync.git.gitpython import Git

_CHUNK_BYTES = 1 << 16
_MAX_STDERR_BYTES = 1 << 16
_SHELL_BLOCK_BYTES = 512  # unit of `ulimit -f` in POSIX
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class TimeLimitPassed(Exception):
    """The process did not finish in time."""


class OutputLimitPassed(Exception):
    """The process printed more than allowed. `output` is the output so far."""

    def __init__(self, output: bytes = b"") -> None:
        super().__init__("the output limit was exceeded")
        self.output = output


class OutputEnded(Exception):
    """The process closed its output before the requested bytes."""


def _prepared(unwanted: Sequence[str], max_file_bytes: int | None, max_memory_bytes: int | None) -> str:
    """Return the shell script that sets limits and unsets variables before it executes git.

    One shell replaces prlimit(1) and env(1) at half the cost. The script contains only numbers and names of variables. The
    command to run is in the shell's arguments.
    """
    # SIGXFSZ would kill git silently when it exceeds `max_file_bytes`. If the signal is ignored, git reports the error.
    steps = ["trap '' XFSZ", "ulimit -c 0"]
    if max_file_bytes is not None:
        steps.append(f"ulimit -f {max_file_bytes // _SHELL_BLOCK_BYTES}")
    if max_memory_bytes is not None:
        steps.append(f"ulimit -v {max_memory_bytes // 1024}")
    # A shell takes no other names from its environment. bash keeps a few variables of its own, which are no secrets.
    names = [name for name in unwanted if _VARIABLE_NAME.fullmatch(name)]
    cleared = f"command unset {' '.join(names)} 2>/dev/null; " if names else ""
    return cleared + " && ".join([*steps, 'exec "$@"'])


class GitProcess:
    """A running git command. Use it as a context manager, which stops the whole process group.

    `environment` is the complete environment: no other variable is inherited.
    `inherit` are file descriptors that the process keeps open (such as a lock, so that it outlives this process).
    `die_with_parent`: the kernel stops the process when the thread that started it dies.
    `max_file_bytes` and `max_memory_bytes` are kernel limits for each of its processes. Without them, a server that
    sends data forever could fill the disk and the memory.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        inherit: Sequence[int] = (),
        die_with_parent: bool = True,
        kill_after_seconds: float = 10.0,
        max_file_bytes: int | None = None,
        max_memory_bytes: int | None = None,
    ) -> None:
        self._kill_after_seconds = kill_after_seconds
        # `Git.execute` copies os.environ and can only add to it. So unwanted variables are set to "" here, since the shell
        # that starts git has this environment too, and then the shell unsets the names. Names are no secrets, and
        # values are never in arguments.
        unwanted = sorted(set(os.environ) - set(environment) - {"LANGUAGE", "LC_ALL"})
        setpriv = shutil.which("setpriv") if die_with_parent else None
        dying_with_us = [setpriv, "--pdeathsig", "TERM"] if setpriv else []
        command = ["/bin/sh", "-c", _prepared(unwanted, max_file_bytes, max_memory_bytes), "sh"]
        command += [*dying_with_us, *arguments]
        self._handle = Git(str(directory)).execute(
            command,
            as_process=True,
            istream=subprocess.PIPE,
            env=dict.fromkeys(unwanted, "") | dict(environment),
            shell=False,
            start_new_session=True,
            pass_fds=tuple(inherit),
        )
        popen = self._handle.proc
        if popen is None or popen.stdin is None or popen.stdout is None or popen.stderr is None:
            raise RuntimeError("Git.execute returned a process without pipes")
        self._popen: subprocess.Popen[bytes] = popen
        self._pidfd = os.pidfd_open(popen.pid)
        self._stdin, self._stdout, self._stderr = (
            stream.fileno() for stream in (popen.stdin, popen.stdout, popen.stderr)
        )
        self._selector = selectors.DefaultSelector()
        for descriptor in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(descriptor, False)
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)
        self._selector.register(self._pidfd, selectors.EVENT_READ)
        self._to_write = bytearray()
        self._out = bytearray()
        self._err = bytearray()
        self._err_cut = False
        self._open = {self._stdout, self._stderr}
        self._closing = False
        self._ended = False

    def __enter__(self) -> GitProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def stderr(self) -> str:
        """Return the last 64 KiB of its standard error so far, in whole lines."""
        text = self._err.decode("utf-8", "replace")
        return text.partition("\n")[2] if self._err_cut else text

    def finish(
        self, stdin: bytes | None, *, timeout_seconds: float, max_output_bytes: int
    ) -> tuple[int, bytes]:
        """Write its input, collect its output and wait for its end. Return exit status and standard output.

        Raises TimeLimitPassed or OutputLimitPassed after stopping the process group.
        """
        deadline = time.monotonic() + timeout_seconds
        if stdin:
            self.send(stdin)
        self.close_input()
        try:
            while self._open:
                self._pump(deadline)
                self._check_output(max_output_bytes)
            self._wait_for_exit(deadline)
        except BaseException:
            self.stop()
            raise
        status = self.stop()
        return status, bytes(self._out)

    def send(self, data: bytes) -> None:
        """Queue bytes for its standard input. They are written while output is read."""
        if not self._to_write and data:
            self._selector.register(self._stdin, selectors.EVENT_WRITE)
        self._to_write += data

    def close_input(self) -> None:
        """Close its standard input once all queued bytes are written."""
        self._closing = True
        if not self._to_write:
            self._close_stdin()

    def receive_line(self, *, timeout_seconds: float, max_bytes: int = 4096) -> bytes:
        """Read one line of its output, without the line feed.

        Raises like `receive`, and OutputLimitPassed for a longer line.
        """
        deadline = time.monotonic() + timeout_seconds
        while (end := self._out.find(b"\n")) < 0:
            if len(self._out) > max_bytes:
                raise OutputLimitPassed
            self._pump_for_output(deadline)
        line = bytes(self._out[:end])
        del self._out[: end + 1]
        return line

    def receive(self, count: int, *, timeout_seconds: float) -> bytes:
        """Read exactly `count` bytes of its output. Raises TimeLimitPassed or OutputEnded."""
        deadline = time.monotonic() + timeout_seconds
        while len(self._out) < count:
            self._pump_for_output(deadline)
        data = bytes(self._out[:count])
        del self._out[:count]
        return data

    def stop(self) -> int:
        """Stop the process group (TERM, then KILL) if it still runs, and reap it. Return the exit status."""
        if self._ended:
            return self._popen.returncode
        self._ended = True
        if not self._has_exited():
            self._signal(signal.SIGTERM)
            self._poll_exit(self._kill_after_seconds)
        # The group leader is a zombie or about to be killed, so its id still names this group and no other. Its remaining
        # children (a remote helper, ssh) are killed before the leader is reaped.
        self._signal(signal.SIGKILL)
        self._popen.wait()
        self._selector.close()
        os.close(self._pidfd)
        for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        return self._popen.returncode

    def _check_output(self, max_output_bytes: int) -> None:
        if len(self._out) > max_output_bytes:
            raise OutputLimitPassed(bytes(self._out))

    def _pump_for_output(self, deadline: float) -> None:
        if self._stdout not in self._open:
            raise OutputEnded
        self._pump(deadline)

    def _pump(self, deadline: float) -> None:
        """Wait for I/O or the exit of the process, and handle it."""
        remaining = deadline - time.monotonic()
        events = self._selector.select(remaining) if remaining > 0 else []
        if not events:
            raise TimeLimitPassed
        for key, _mask in events:
            if key.fd == self._stdin:
                self._write()
            elif key.fd == self._pidfd:
                # The process ended. Its remaining children would hold its pipes open forever.
                self._selector.unregister(self._pidfd)
                self._signal(signal.SIGKILL)
            else:
                self._read(key.fd)

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(descriptor)
            self._open.discard(descriptor)
        elif descriptor == self._stdout:
            self._out += data
        else:
            self._err += data
            if len(self._err) > _MAX_STDERR_BYTES:
                del self._err[: len(self._err) - _MAX_STDERR_BYTES]
                self._err_cut = True

    def _write(self) -> None:
        try:
            del self._to_write[: os.write(self._stdin, self._to_write[:_CHUNK_BYTES])]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._to_write.clear()  # exit status and stderr tell the cause
            self._closing = True
        if not self._to_write:
            self._selector.unregister(self._stdin)
            if self._closing:
                self._close_stdin()

    def _close_stdin(self) -> None:
        if self._popen.stdin is not None:
            with contextlib.suppress(OSError):
                self._popen.stdin.close()

    def _wait_for_exit(self, deadline: float) -> None:
        if not self._poll_exit(max(0.0, deadline - time.monotonic())):
            raise TimeLimitPassed

    def _poll_exit(self, seconds: float) -> bool:
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def _has_exited(self) -> bool:
        return self._poll_exit(0)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)
