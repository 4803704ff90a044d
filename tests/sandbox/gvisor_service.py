"""A Docker engine of the tests' own, with gVisor's `runsc` as a runtime, next to the machine's engine.

It has its own mount, network and process namespaces, and its storage is in memory that is mounted there. So everything
that it and `runsc` start or mount, also what a failed start leaves behind, ends with the first process of the namespace,
which ends with the standard input of the command.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from tests.support.waiting import wait_until

RUNTIME = "runsc"
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_PROC = Path("/proc")
# The shell is process 1 there: while it waits for `cat`, it reaps the orphans of all other processes.
_START = """
exec 3<&0
for folder in /run "$1/data"; do mkdir -p "$folder"; mount -t tmpfs tmpfs "$folder"; done
dockerd --config-file="$1/daemon.json" 3<&- </dev/null &
cat <&3
"""


@dataclass(frozen=True)
class OwnGvisor:
    """The running engine: its address in DOCKER_HOST's format, and its process namespace."""

    url: str
    namespace: str

    def processes(self) -> list[str]:
        """Return the command line of every process of a container, including one that the engine has forgotten."""
        lines = [_command(process) for process in _in_namespace(self.namespace)]
        return [line for line in lines if "runsc" in line or "containerd-shim" in line]


@contextmanager
def running_gvisor(*images: str) -> Iterator[OwnGvisor]:
    """Run an engine that has the images. Remove everything afterwards, and fail the test if a process is left."""
    # Not in pytest's folder, because the path of a socket is short.
    folder = Path(tempfile.mkdtemp(prefix="kiok-gvisor-"))
    url, log = f"unix://{folder}/docker.sock", folder / "log"
    (folder / "daemon.json").write_text(json.dumps(_settings(folder, url)))
    namespaces = ("--mount", "--propagation=private", "--net", "--pid", "--fork", "--mount-proc")
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["unshare", *namespaces, "--", "sh", "-euc", _START, "sh", str(folder)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )
    namespace = ""
    try:
        wait_until(
            lambda: process.poll() is not None or _answers(url),
            lambda: f"the engine answers; it says: {log.read_text()}",
        )
        assert process.poll() is None, f"the engine ended with status {process.returncode}: {log.read_text()}"
        namespace = os.readlink(_PROC / str(process.pid) / "ns" / "pid_for_children")
        _load(url, images)
        yield OwnGvisor(url, namespace)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        left = [_command(one) for one in _in_namespace(namespace)]
        shutil.rmtree(folder)
        _remove_control_groups(folder.name)
    assert left == []


def version() -> str:
    """Return the version of the installed runsc, a date such as 20221219."""
    output = subprocess.run(["runsc", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"runsc version 0\.0~(\d{8})\b|runsc version release-(\d{8})\b", output)
    assert found, output
    return found[1] or found[2]


def _settings(folder: Path, url: str) -> dict[str, object]:
    """Return dockerd's settings: all its state in the folder, no effect on the machine's network."""
    return {
        "hosts": [url],
        "data-root": f"{folder}/data",
        "exec-root": f"{folder}/run",
        "pidfile": f"{folder}/pid",
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
        "ip-forward": False,
        "cgroup-parent": f"/{folder.name}",
        "runtimes": {RUNTIME: {"path": shutil.which("runsc"), "runtimeArgs": ["--network=none"]}},
    }


def _load(url: str, images: tuple[str, ...]) -> None:
    """Copy images of the machine's engine, with the layers that they share once."""
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved:
        load = ["docker", "--host", url, "load", "--quiet"]
        subprocess.run(load, stdin=saved.stdout, stdout=subprocess.DEVNULL, check=True)
    assert saved.returncode == 0


def _answers(url: str) -> bool:
    try:
        client = docker.DockerClient(base_url=url)
    except (DockerException, RequestException):
        return False
    try:
        return bool(client.ping())
    except (DockerException, RequestException):
        return False
    finally:
        client.close()


def _in_namespace(namespace: str) -> Iterator[Path]:
    for process in _PROC.glob("[0-9]*"):
        with suppress(OSError):  # it may have ended
            if os.readlink(process / "ns" / "pid") == namespace:
                yield process


def _command(process: Path) -> str:
    with suppress(OSError):
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _remove_control_groups(name: str) -> None:
    """Remove the empty control groups of containers that ended with their engine."""
    for group in [*_CONTROL_GROUPS.glob(name), *_CONTROL_GROUPS.glob(f"*/{name}")]:
        for folder, _, _ in os.walk(group, topdown=False):
            os.rmdir(folder)
