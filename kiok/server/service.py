"""Runs the service's processes together: all of them, or none.

Each child leads a process group of its own, so Ctrl-C in the terminal reaches only the parent. The parent
stops the children in order: SIGTERM to each, and after `GRACE_SECONDS` SIGKILL to the processes left in their
groups. When the parent itself is killed, the kernel sends the children SIGTERM (Linux).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType

GRACE_SECONDS = 15.0
_POLL_SECONDS = 0.1
_GONE_SECONDS = 3.0  # limit of the wait, since a zombie that no process reaps still counts as running
_PR_SET_PDEATHSIG = 1


def web_command(bind: str, workers: int) -> list[str]:
    """Return the command of gunicorn on `host:port` with `workers` processes of four threads (`kiok.server.web`)."""
    # No control socket, which would need protection; /dev/shm keeps heartbeats off slow disks.
    options = ["--no-control-socket", "--threads", "4", "--graceful-timeout", "5", "--log-level", "warning"]
    options += ["--worker-class", "kiok.server.web.worker.BufferingWorker"]
    options += ["--logger-class", "kiok.server.logging.web_server.Logger"]
    if os.path.isdir("/dev/shm"):  # noqa: PTH112, S108
        options += ["--worker-tmp-dir", "/dev/shm"]  # noqa: S108
    return [
        *(sys.executable, "-m", "gunicorn", "kiok.server.wsgi:application"),
        *("--bind", bind, "--workers", str(workers), *options),
    ]


def workers_command() -> list[str]:
    """Return the command of the django-q2 cluster."""
    return [sys.executable, "-m", "kiok.server", "qcluster"]


def run(
    commands: Mapping[str, Sequence[str]],
    *,
    say: Callable[[str], object],
    announce: Callable[[], object] = lambda: None,
    grace_seconds: float = GRACE_SECONDS,
) -> int:
    """Run the commands until one ends or SIGINT or SIGTERM arrives; then stop all, and leave no process behind.

    `commands` maps the name of a process to its command line. `announce` is called once signals are handled.
    Returns 0 after a signal, 1 when a process ended by itself; `say` then reports which.
    """
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = {
        number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        announce()
        for name, command in commands.items():
            children[name] = _spawn(command)
        while not received:
            for name, child in children.items():
                if (status := child.poll()) is not None:
                    say(f"the {name} ended unexpectedly ({_how(status)}); stopping the service")
                    return 1
            time.sleep(_POLL_SECONDS)
        say("stopping")
        return 0
    finally:
        _stop(children, say, grace_seconds)
        for number, handler in before.items():
            signal.signal(number, handler)


def _spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    parent = os.getpid()
    # Loaded here: loading a library between fork and exec is not safe.
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def die_with_parent() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # the parent died before the call
                os._exit(1)

    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "kiok.server.settings"}
    # `python -m` finds the package from the current folder; manage.py may have been called elsewhere.
    environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=die_with_parent,  # this process has one thread
        env=environment,
    )


def _stop(
    children: Mapping[str, subprocess.Popen[bytes]], say: Callable[[str], object], grace_seconds: float
) -> None:
    for child in children.values():
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    for name, child in children.items():
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            say(f"the {name} did not stop within {grace_seconds:.0f} s; killing it")
    for child in children.values():
        # The group, also of a child that ended: processes that it started must not outlive the service.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        _wait_for_group(child.pid)


def _wait_for_group(group: int) -> None:
    """Wait until the killed processes of a group are gone: forks of a child hold its locks as long as they run."""
    deadline = time.monotonic() + _GONE_SECONDS
    with suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.02)


def _how(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
