"""PID 1 of a sandbox container: reads one request from standard input, answers on standard output.

Unpacks the tree, runs every file in a process of its own, one after another, and sends each
result as a frame. It never parses what a child delivers. As PID 1 it cannot be killed from inside;
its interpreter is an unreadable copy, which makes it undumpable, so no child can trace it or
open its descriptors.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time

sys.path.insert(0, "/opt/kiok/driver")

from compilers.images.driver import child, landlock, supervise, unpack
from compilers.sandbox import protocol

_PR_SET_DUMPABLE = 4
_RESPONSE_FD = 62
_COMPILERS = {"python": child.python_compiler, "jar": child.jar_compiler}
_TAR_OVERHEAD_BYTES = 4 << 10  # of one file: header, PAX path, padding


class Crowded(Exception):
    """More than one file was asked for where nothing keeps a file from writing the others."""


def main() -> int:
    """Serve one request. Returns the container's exit status."""
    _harden()
    try:
        _send(protocol.hello_frame())
        _serve()
    except supervise.HostGone:
        return 1
    except unpack.TarRefused as exc:
        _send(protocol.fatal_frame(protocol.STAGE_REQUEST, str(exc)))
        return 1
    except protocol.ProtocolError as exc:
        _send(protocol.fatal_frame(protocol.STAGE_REQUEST, str(exc)))
        return 1
    except Crowded as exc:
        _send(protocol.fatal_frame(protocol.STAGE_ALONE, str(exc)))
        return 1
    except ImportError as exc:
        _send(protocol.fatal_frame(protocol.STAGE_IMAGE, f"{type(exc).__name__}: {exc}"))
        return 1
    except (OSError, MemoryError) as exc:
        _send(protocol.fatal_frame(protocol.STAGE_RUN, f"{type(exc).__name__}: {exc}"))
        return 1
    return 0


def _harden() -> None:
    """Deaf to every signal, undumpable, and nothing of this process on descriptor 1.

    Python would turn a child's SIGINT into an exception; a stray print would break the framing.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.dup2(1, _RESPONSE_FD, inheritable=False)
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _serve() -> None:
    request = _receive()
    if request.language not in _COMPILERS:
        raise protocol.ProtocolError(f"this image compiles no {request.language!r}")
    if len(request.files) > 1 and not landlock.abi():
        raise Crowded("its kernel has no Landlock")
    # Undo the driver's own place in front: only the SDK's folder stays importable.
    sys.path[0] = "/opt/kiok/python"
    compile_one = _COMPILERS[request.language](request)
    for name in [name for name in sys.modules if name.partition(".")[0] == "compilers"]:
        # A repository may well have a package of this name.
        del sys.modules[name]
    gc.disable()
    gc.collect()
    # Children then share these pages: no collection touches what was made before the fork.
    gc.freeze()
    until = time.monotonic() + request.deadline_seconds
    for index, path in enumerate(request.files):
        meta, payload = supervise.run_file(compile_one, path, request, until=until)
        _send(protocol.result_frame(index, meta, payload))
    _send(protocol.end_frame(len(request.files)))


def _receive() -> protocol.Request:
    """Read the request and lay out its tree; the tar itself is never held in memory."""
    source = os.fdopen(0, "rb", buffering=0, closefd=False)
    length = protocol.parse_preamble(unpack.read_exactly(source, protocol.PREAMBLE_BYTES))
    request = protocol.Request.from_header(unpack.read_exactly(source, length))
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
    status = main()
    sys.stderr.flush()
    os._exit(status)
