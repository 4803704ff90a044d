"""Compilation of a Python file in a separate process, which contains what the file changes, prints or kills.

It isolates files from each other and from the caller, but it is not a sandbox. Use it only for files that you
would run yourself.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

from kiok.compiled import CompiledFile, CompiledFileError, decode
from kiok.errors import Diagnostic
from kiok.python_module import ModuleLocation
from kiok.stack_dump import read_stack

TIMEOUT_SECONDS = 30.0  # as kiok.sandbox.file.timeout.ms
MAX_OUTPUT_BYTES = 8 << 10  # as kiok.sandbox.output.bytes
_GRACE_SECONDS = (
    3.0  # for the start of the interpreter, and for a process that stops itself at its time limit
)
_DRAIN_SECONDS = 2.0  # for the last output; a process that left the group may keep the pipe open indefinitely
_READ_BYTES = 1 << 16

# Safe path (-P) keeps the current folder, which may contain a `json.py`, off sys.path. The package is imported from
# the folder that it was loaded from, which is then removed from the path too.
_START = """
import sys
sys.path.insert(0, sys.argv[1])
from kiok.isolated import child
del sys.path[0]
child(float(sys.argv[2]), sys.argv[3], sys.argv[4:])
"""

_running: set[subprocess.Popen[bytes]] = set()


def compile_in_own_process(
    file: str, import_roots: Sequence[str], timeout_seconds: float = TIMEOUT_SECONDS
) -> CompiledFile:
    """Compile `file` in a new interpreter, which is stopped after `timeout_seconds` of wall clock time.

    The file's output does not reach the terminal; its end (8 KiB) is added to the first problem. A process that ends
    without a result (a crash, `os._exit`) is a problem. PYTHONHASHSEED is 0, so sets have the same order as in the sandbox.
    """
    home = str(Path(__file__).parent.parent)
    with tempfile.TemporaryFile() as result:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, home, str(timeout_seconds), file, *import_roots],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=result,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        _running.add(process)
        try:
            output = _Tail(process.stdout)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout_seconds + _GRACE_SECONDS)
            is_late = process.poll() is None
        finally:
            _kill(process)
            process.wait()
            _running.discard(process)
        printed = output.text()
        result.seek(0)
        payload = result.read()
    compiled = _read(payload, process.returncode, file, import_roots, timeout_seconds, is_late=is_late)
    if compiled.diagnostics and printed:
        first, *rest = compiled.diagnostics
        compiled = replace(compiled, diagnostics=(replace(first, output=printed), *rest))
    return compiled


def stop_all() -> None:
    """Kill the processes of all files that are being compiled."""
    for process in list(_running):
        _kill(process)


def child(timeout_seconds: float, file: str, import_roots: Sequence[str]) -> None:
    """Compile `file` and write the result to the original stderr, which nothing else can write to. Ends the process."""
    result = os.dup(2)
    os.dup2(1, 2)  # output, also of C code, must not get into the result
    faulthandler.dump_traceback_later(timeout_seconds, exit=True, file=result)
    sys.argv = [file]
    # Line-buffered, like stderr: output from before the process is stopped must not be lost in the buffer.
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    from kiok.python_dag import compile_python_file

    payload = compile_python_file(file, import_roots).encode()
    faulthandler.cancel_dump_traceback_later()
    for stream in (sys.stdout, sys.stderr):
        # The file may have replaced or closed the stream; then there is no output.
        with suppress(Exception):
            stream.flush()
    with os.fdopen(result, "wb") as out:
        out.write(payload)
    os._exit(0)  # without waiting for threads and exit handlers of the file


class _Tail:
    """The end of a process's output, read in the background so that the process never waits for a reader."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._kept = bytearray()
        self._is_cut = False
        self._stream = stream
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """Return the decoded output after the process has ended."""
        self._thread.join(_DRAIN_SECONDS)
        note = f"[only the last {MAX_OUTPUT_BYTES} bytes are kept]\n" if self._is_cut else ""
        return note + bytes(self._kept).decode("utf-8", "replace")

    def _read(self) -> None:
        if self._stream is None:
            return
        with self._stream, suppress(OSError):
            while data := os.read(self._stream.fileno(), _READ_BYTES):
                self._kept += data
                if len(self._kept) > MAX_OUTPUT_BYTES:
                    self._is_cut = True
                    del self._kept[:-MAX_OUTPUT_BYTES]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all processes that it started."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            # The process group has the id of the process, also after the process itself has ended.
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _read(
    payload: bytes, code: int, file: str, roots: Sequence[str], timeout_seconds: float, *, is_late: bool
) -> CompiledFile:
    """Return the result that the process wrote, or a problem that says why there is none."""
    try:
        return decode(payload)
    except CompiledFileError:
        pass
    dump = payload.decode("ascii", "replace")
    if is_late or dump.startswith("Timeout ("):
        stopped = read_stack(dump, file, ModuleLocation(file, tuple(roots)).name)
        message = f"it did not finish within {timeout_seconds:g} s and was stopped (--timeout){stopped.text}"
        return CompiledFile(diagnostics=(Diagnostic(message, file, stopped.line),), import_failed=True)
    # Errors of the interpreter itself, from before the streams were redirected.
    said = dump[-MAX_OUTPUT_BYTES:] or None
    how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    message = f"the process that ran this file {how} before it returned a result"
    return CompiledFile(diagnostics=(Diagnostic(message, file, output=said),), import_failed=True)
