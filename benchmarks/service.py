"""The processes of the real service (web server and workers, like `manage.py run` starts them) and their CPU time."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.bench import ROOT
from kiok.server.service import web_command

_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 30.0


@contextlib.contextmanager
def cluster(environment: Mapping[str, str], log: Path) -> Iterator[int]:
    """Run `manage.py qcluster` and yield its pid."""
    with _running([sys.executable, "manage.py", "qcluster"], environment, log) as pid:
        yield pid


@contextlib.contextmanager
def web(environment: Mapping[str, str], processes: int, log: Path) -> Iterator[int]:
    """Run the web server with the given number of processes and yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with _running(web_command(f"127.0.0.1:{port}", processes), environment, log):
        _await_port(port, log)
        yield port


@contextlib.contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[int]:
    """Run a process in its own session, yield its pid, and stop it with SIGTERM."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process.pid
            if process.poll() is not None:
                raise SystemExit(f"{command[-1]} ended early: {log.read_text()[-2000:]}")
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _await_port(port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit(f"the web server does not listen: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)
        else:
            return


def cpu_over(cluster: int, data: Path, seconds: float) -> tuple[float, float, float]:
    """Return the CPU seconds of the cluster and of PostgreSQL over the given time, and the actual duration."""
    began = time.monotonic()
    before = cpu_so_far(cluster, data)
    time.sleep(seconds)
    after = cpu_so_far(cluster, data)
    return after[0] - before[0], after[1] - before[1], time.monotonic() - began


def cpu_so_far(cluster: int, data: Path) -> tuple[float, float]:
    """Return the CPU seconds of the cluster and of PostgreSQL since they started."""
    postmaster = int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    return _tree_cpu(cluster), _tree_cpu(postmaster)


def _tree_cpu(root: int) -> float:
    """Return the CPU seconds of a process and its descendants, including ended ones that were reaped (proc(5), stat)."""
    cpu: dict[int, int] = {}
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
                cpu[int(entry.name)] = sum(int(fields[at]) for at in (11, 12, 13, 14))
    return sum(ticks for pid, ticks in cpu.items() if _is_below(pid, root, parents)) / _TICKS


def _is_below(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid and pid != root:
        pid = parents.get(pid, 0)
    return pid == root
