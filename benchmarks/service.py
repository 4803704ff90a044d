"""The real service's processes: web server and workers, as `manage.py run` starts them; and the CPU they take."""

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
    """`manage.py qcluster`; its pid."""
    with _running([sys.executable, "manage.py", "qcluster"], environment, log) as pid:
        yield pid


@contextlib.contextmanager
def web(environment: Mapping[str, str], processes: int, log: Path) -> Iterator[int]:
    """The web server with so many processes; the port it listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with _running(web_command(f"127.0.0.1:{port}", processes), environment, log):
        _await_port(port, log)
        yield port


@contextlib.contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[int]:
    """A process in a session of its own, ended by SIGTERM; its pid."""
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
    """CPU seconds of the cluster and of PostgreSQL over that time, and the time it really was."""
    began = time.monotonic()
    before = cpu_so_far(cluster, data)
    time.sleep(seconds)
    after = cpu_so_far(cluster, data)
    return after[0] - before[0], after[1] - before[1], time.monotonic() - began


def cpu_so_far(cluster: int, data: Path) -> tuple[float, float]:
    """CPU seconds of the cluster and of PostgreSQL since they began."""
    postmaster = int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    return _tree_cpu(cluster), _tree_cpu(postmaster)


def _tree_cpu(root: int) -> float:
    """CPU seconds of a process and all below it, the ended ones that were waited for among them (proc(5), stat)."""
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
