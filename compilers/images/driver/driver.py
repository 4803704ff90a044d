"""PID 1 of a sandbox container: reads one request from standard input, answers on standard output.

    driver.py LANGUAGE WAIT_SECONDS

Warms up the compiler of the language, then waits up to WAIT_SECONDS for the request, because a container may be warm
long before its work arrives. The process of the first jar is preforked and waits too. Then it unpacks the tree, runs
the files one after another, each in its own process, and sends each result as a frame. It never parses a
child's result. As PID 1 it cannot be killed from inside. Its interpreter is an unreadable copy, which makes it
undumpable, so no child can trace it or open its descriptors.
"""

# ruff: noqa: E402  a restart comes before the imports
from __future__ import annotations

import os
import sys


def _restart_with_fixed_hashes() -> None:
    """Start this program again with hashes that are equal in all containers, unless they are already.

    Sets of strings then have the same order everywhere, and a DAG built from one keeps its form. Only the environment
    can set this, but -I ignores the environment; so this removes the variables that -I ignores, and -s and -P do the rest.
    """
    if os.environ.get("PYTHONHASHSEED") == "0" and not sys.flags.ignore_environment:
        return
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    arguments = [sys.executable, "-s", "-P", "-B", *sys.argv]
    os.execve(sys.executable, arguments, {**kept, "PYTHONHASHSEED": "0"})  # noqa: S606  without a shell


if __name__ == "__main__":
    # Before other imports, because it restarts the interpreter.
    _restart_with_fixed_hashes()

import ctypes
import gc
import select
import signal
import time
from collections.abc import Sequence

sys.path.insert(0, "/opt/kiok/driver")

from compilers.images.driver import child, control_groups, supervise, unpack
from compilers.images.driver.confinement import Confinement
from compilers.sandbox import protocol

_PR_SET_DUMPABLE = 4
_RESPONSE_FD = 62
_TAR_OVERHEAD_BYTES = 4 << 10  # per file: header, PAX path, padding


class TooManyFiles(Exception):
    """More than one file was requested, but nothing keeps a file from writing to the others."""


class Unlimited(Exception):
    """A limit in the request is not enforced for this container. The message says which."""


def main(arguments: Sequence[str]) -> int:
    """Serve one request. Return the container's exit status."""
    language, wait_seconds = arguments
    _harden()
    confinement = Confinement.prepared()
    compiler = ahead = broken = None
    try:
        compiler = _compiler(language)
    except ImportError as exc:
        broken = f"{type(exc).__name__}: {exc}"
    if compiler is not None and compiler.warm_up is not None:
        ahead = supervise.fork(compiler, None, confinement)
    if not _is_asked(float(wait_seconds)):
        return 0
    try:
        _send(protocol.hello_frame())
        if compiler is None:
            _send(protocol.fatal_frame(protocol.STAGE_IMAGE, broken or ""))
            return 1
        _serve(language, compiler, confinement, ahead)
    except supervise.HostDisconnected:
        return 1
    except (unpack.TarRefused, protocol.ProtocolError) as exc:
        _send(protocol.fatal_frame(protocol.STAGE_REQUEST, str(exc)))
        return 1
    except TooManyFiles as exc:
        _send(protocol.fatal_frame(protocol.STAGE_ALONE, str(exc)))
        return 1
    except Unlimited as exc:
        _send(protocol.fatal_frame(protocol.STAGE_LIMITS, str(exc)))
        return 1
    except (OSError, MemoryError) as exc:
        _send(protocol.fatal_frame(protocol.STAGE_RUN, f"{type(exc).__name__}: {exc}"))
        return 1
    return 0


def _harden() -> None:
    """Ignore all signals, become undumpable, and keep this process's prints off descriptor 1.

    Python would turn a child's SIGINT into an exception; a stray print would break the framing.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.dup2(1, _RESPONSE_FD, inheritable=False)
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _compiler(language: str) -> child.ChildCompiler:
    """Do everything that is possible before the tree arrives. Raises ImportError when the image is incomplete."""
    # Removes the driver's own folder from the search path: only the SDK's folder stays importable.
    sys.path[0] = "/opt/kiok/python"
    compiler = child.COMPILERS[language]()
    for name in [name for name in sys.modules if name.partition(".")[0] == "compilers"]:
        # A repository may have a package of this name.
        del sys.modules[name]
    gc.disable()
    gc.collect()
    return compiler


def _is_asked(wait_seconds: float) -> bool:
    """Return whether a request arrives in time. The end of standard input is not a request."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    return any(event & select.POLLIN for _, event in poll.poll(wait_seconds * 1000))


def _serve(
    language: str,
    compiler: child.ChildCompiler,
    confinement: Confinement,
    ahead: supervise.ChildProcess | None,
) -> None:
    request = _receive()
    if request.language != language:
        raise protocol.ProtocolError(f"this container compiles {language}, not {request.language!r}")
    if missing := control_groups.missing_limits(request.container_memory_bytes, request.container_processes):
        raise Unlimited(" and ".join(missing))
    if len(request.files) > 1 and not confinement.landlock_version:
        raise TooManyFiles("its kernel has no Landlock")
    # Children then share these pages: no garbage collection touches objects from before the fork.
    gc.freeze()
    until = time.monotonic() + request.deadline_seconds
    for index, path in enumerate(request.files):
        meta, payload = supervise.run_file(compiler, path, request, confinement, until=until, ahead=ahead)
        # No process is left after a file. A process forked before the second file would find the first one's.
        ahead = None
        _send(protocol.result_frame(index, meta, payload, request.seal))
    _send(protocol.end_frame(len(request.files), request.seal))


def _receive() -> protocol.CompileRequest:
    """Read the request and lay out its tree. The tar itself is never completely in memory."""
    source = os.fdopen(0, "rb", buffering=0, closefd=False)
    length = protocol.parse_preamble(unpack.read_exactly(source, protocol.PREAMBLE_BYTES))
    request = protocol.CompileRequest.from_header(unpack.read_exactly(source, length))
    budget = request.total_bytes + (request.entries + 1) * _TAR_OVERHEAD_BYTES * 3
    chunks = unpack.ChunkReader(source, budget)
    unpack.unpack(chunks, child.SRC, entries=request.entries, total_bytes=request.total_bytes)  # type: ignore[arg-type]
    chunks.drain()
    return request


def _send(frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[os.write(_RESPONSE_FD, view) :]


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)
