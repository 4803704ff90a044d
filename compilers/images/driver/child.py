"""What happens between the fork and the untrusted code, and what carries its result out.

Everything here runs in the child. `enter` never returns.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence

from compilers.images.driver import landlock, modes
from compilers.sandbox.protocol import Request

RESULT_FD = 3
SRC = "/src"
TMP = "/tmp"  # noqa: S108  the container's own tmpfs
EXIT_BROKEN = 70  # sysexits' EX_SOFTWARE: the compiler itself raised

_PR_SET_DUMPABLE = 4
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)

# Compiles one file, given its path from the repository's root; the JSON payload.
Compile = Callable[[str, Request], bytes]


def python_compiler() -> Compile:
    """Import the SDK, once and before any fork, so that nothing in the tree can shadow it."""
    import kiok.compile

    def compile_one(path: str, request: Request) -> bytes:
        roots = [_under_src(root) for root in request.import_roots]
        compiled = kiok.compile.compile_python_file(_under_src(path), import_roots=roots)
        value = _relative(compiled.to_json())
        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()

    return compile_one


def jar_compiler() -> Compile:
    """Every jar gets a JVM of its own, started by `jar_child` in the forked process."""
    import jar_child  # type: ignore[import-not-found,unused-ignore]

    def compile_one(path: str, request: Request) -> bytes:
        payload: bytes = jar_child.compile_jar(
            _under_src(path),
            path,
            timeout_seconds=request.file_timeout_seconds,
            max_payload_bytes=request.max_payload_bytes,
        )
        return payload

    return compile_one


COMPILERS: Mapping[str, Callable[[], Compile]] = {"python": python_compiler, "jar": jar_compiler}


def enter(compile_one: Compile, path: str, request: Request, *, result_fd: int, output_fd: int) -> None:
    """Become the process of one file: shut in, compile, deliver, exit. Never returns."""
    status = EXIT_BROKEN
    try:
        _shut_in(request, result_fd=result_fd, output_fd=output_fd)
        payload = compile_one(path, request)
        _flush()
        _deliver(payload)
        status = 0
    except BaseException:  # noqa: BLE001  whatever it is, the parent's stack must not be unwound here
        traceback.print_exc()
        _flush()
    finally:
        os._exit(status)


def _shut_in(request: Request, *, result_fd: int, output_fd: int) -> None:
    os.setsid()
    _descriptors(result_fd=result_fd, output_fd=output_fd)
    _signals()
    _first_to_die()
    _limits(request)
    os.chdir("/")
    os.umask(0o077)
    gc.enable()
    # Where there is none, this container has one file only: see driver.Crowded.
    if version := landlock.abi():
        landlock.restrict(version, TMP)
    modes.freeze()


def _descriptors(*, result_fd: int, output_fd: int) -> None:
    """0 is empty, 1 and 2 the output pipe, 3 the result pipe; nothing of the driver's is left."""
    # Moved out of the way first: the pipes' own numbers may be among those to be overwritten.
    high = [os.dup2(fd, 60 + at, inheritable=True) for at, fd in enumerate((result_fd, output_fd))]
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(high[1], 1)
    os.dup2(high[1], 2)
    os.dup2(high[0], RESULT_FD)
    # Not handed to what the file may start: whoever holds it could answer in the file's name.
    os.set_inheritable(RESULT_FD, False)
    os.closerange(RESULT_FD + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    for stream in (sys.stdout, sys.stderr):
        # By line, so that what was printed before a crash is not lost with the buffer.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]


def _signals() -> None:
    """An ordinary Python process's handlers, in place of the driver's deaf ones."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        keep = number in _IGNORED_BY_PYTHON
        signal.signal(number, signal.SIG_IGN if keep else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _first_to_die() -> None:
    """Out of memory, the kernel takes this process before the driver.

    The driver is not dumpable, so its child may not write its own /proc files until it is.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")


def _limits(request: Request) -> None:
    limits: Sequence[tuple[int, int]] = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, request.max_open_files),
        (resource.RLIMIT_FSIZE, request.max_file_bytes),
        (resource.RLIMIT_CPU, request.max_cpu_seconds),
        (resource.RLIMIT_DATA, request.max_memory_bytes),
    )
    for which, wanted in limits:
        if which == resource.RLIMIT_DATA and not wanted:
            continue
        hard = resource.getrlimit(which)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (value, value))


def _deliver(payload: bytes) -> None:
    view = memoryview(payload)
    while view:
        view = view[os.write(RESULT_FD, view) :]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001, S112  the file may have put anything in its place
            continue


def _under_src(path: str) -> str:
    return f"{SRC}/{path}" if path else SRC


def _relative(value: dict[str, object]) -> dict[str, object]:
    """Diagnostics name files as the author knows them, from the repository's root."""
    diagnostics = value.get("diagnostics")
    if isinstance(diagnostics, list):
        for diagnostic in diagnostics:
            for key in ("path", "message"):
                if isinstance(diagnostic.get(key), str):
                    diagnostic[key] = diagnostic[key].replace(f"{SRC}/", "")
    return value
