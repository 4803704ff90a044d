"""A separate Podman for the tests, next to the machine's Docker engine and without any effect on it.

It has its own mount, network and process namespaces, and its storage is in memory that is mounted there. So it does not
see another Podman's state or change the machine's network, and everything that it started or mounted ends with the first
process of the namespace, which ends with the standard input of the command.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from compilers.sandbox import podman
from tests.support.waiting import wait_until

LOAD_SECONDS = 600
# Podman keeps state in all of these; /dev/shm has its locks.
_FOLDERS = ("/run", "/dev/shm", "/var/lib/containers", "/var/tmp")
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
# The shell is process 1 there: while it waits for `cat`, it reaps the orphans of all other processes.
_START = f"""
exec 3<&0
for folder in {" ".join(_FOLDERS)}; do mkdir -p "$folder"; mount -t tmpfs tmpfs "$folder"; done
podman --cgroup-manager=cgroupfs --events-backend=file --log-level=error system service --time=0 "unix://$1" \\
    3<&- </dev/null &
cat <&3 &
wait $!
"""


@contextmanager
def running_podman(folder: Path) -> Iterator[str]:
    """Run `podman system service` and yield its address in DOCKER_HOST's format. Remove everything afterwards."""
    socket, log = folder / "podman.sock", folder / "podman.log"
    namespaces = ("--mount", "--propagation=private", "--net", "--pid", "--fork", "--mount-proc")
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["unshare", *namespaces, "--", "sh", "-euc", _START, "sh", str(socket)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env={**os.environ, "TMPDIR": "/var/tmp"},
            cwd=folder,  # conmon leaves a file `oom` here for a container that ran out of memory
        )
    url = f"unix://{socket}"
    try:
        wait_until(
            lambda: process.poll() is not None or _answers(url),
            lambda: f"Podman answers; it says: {log.read_text()}",
        )
        assert process.poll() is None, f"Podman ended with status {process.returncode}: {log.read_text()}"
        yield url
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        _remove_control_groups()


def client_of(url: str) -> docker.DockerClient:
    """Return a client that interprets Podman's refusals as the service does."""
    client = docker.DockerClient(base_url=url, timeout=LOAD_SECONDS)
    client.api.hooks["response"].append(podman.correct_status)
    return client


def load_images(url: str, *images: str) -> None:
    """Copy images of the machine's Docker engine into Podman in one archive, which has shared layers only once."""
    target = client_of(url)
    try:
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
            target.api.load_image(saving.stdout)
        assert saving.returncode == 0
    finally:
        target.close()


def _answers(url: str) -> bool:
    try:
        client = client_of(url)
    except (DockerException, RequestException):
        return False
    try:
        return bool(client.ping())
    except (APIError, RequestException):
        return False
    finally:
        client.close()


def _remove_control_groups() -> None:
    """Remove the empty control groups that Podman leaves for containers that ended with it, and keep those in use."""
    for group in [*_CONTROL_GROUPS.glob("libpod_parent"), *_CONTROL_GROUPS.glob("*/libpod_parent")]:
        for folder, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)
