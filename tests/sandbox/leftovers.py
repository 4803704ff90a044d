"""Find the remains of a label's containers on the host.

Just before this process starts a container, its identifiers in the kernel are recorded: its id and its user's id. The
container may end at any moment after that. All checks look from outside, on the host.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.errors import NotFound

from compilers.sandbox import podman

_GONE_SECONDS = 180.0
_PROC = Path("/proc")
_CONTAINER = re.compile("[0-9a-f]{64}")
_CONTROL_GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Seen:
    """A container as it was created. `layer` is the folder of its changes to its image."""

    id: str
    uid: int
    layer: str
    root: str


@dataclass
class Watch:
    """The containers of a label's jobs."""

    client: docker.DockerClient
    seen: list[Seen] = field(default_factory=list)

    def left(self) -> list[str]:
        """Return the remains, in words. Waits for a while, because the engine removes containers in the background."""
        until = time.monotonic() + _GONE_SECONDS
        while found := [one for seen in self.seen for one in self.left_of(seen)]:
            if time.monotonic() > until:
                return found
            time.sleep(0.1)
        return []

    def left_of(self, seen: Seen) -> Iterator[str]:
        """Return the current remains of one container."""
        with contextlib.suppress(NotFound):
            self.client.api.inspect_container(seen.id)
            yield f"container {seen.id}"
        for process in _PROC.glob("[0-9]*"):
            if _belongs(process, seen):
                yield f"process {process.name}: {_read(process / 'cmdline')!r}"
        # Memory charged to its control groups is released with them.
        for parent, folders, _ in os.walk(
            _CONTROL_GROUPS
        ):  # which, unlike a glob, tolerates folders that disappear
            yield from (f"control group {parent}/{one}" for one in folders if seen.id in one)
        for line in _read(_PROC / "self" / "mountinfo").splitlines():
            if seen.id in line or seen.layer in line:
                yield f"mount {line}"
        for folder in (seen.layer, f"{seen.root}/containers/{seen.id}"):
            if os.path.exists(folder):
                yield f"folder {folder}"
        for folder in (tempfile.gettempdir(), "/dev/shm", "/var/tmp"):
            for entry in os.scandir(folder):
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_uid == seen.uid:
                        yield f"file {entry.path}"


@contextmanager
def watched(client: docker.DockerClient, label: str) -> Iterator[Watch]:
    """Record every container with `label` (as `name=value`) that any thread of this process starts inside the block."""
    name, _, value = label.partition("=")
    watch = Watch(client)
    client.api.hooks["response"].append(podman.correct_status)  # a container may end while it is inspected
    root = str(client.info()["DockerRootDir"])

    def record(container: dict[str, Any]) -> None:
        if container["Config"]["Labels"].get(name) == value:
            watch.seen.append(_seen(container, root))

    with _recording:
        _recorders.append(record)
    try:
        yield watch
    finally:
        with _recording:
            _recorders.remove(record)


_recorders: list[Callable[[dict[str, Any]], None]] = []
_recording = threading.Lock()
_start = docker.APIClient.start


def _record_and_start(client: docker.APIClient, container: str, *arguments: Any, **options: Any) -> None:
    with _recording:
        recorders = list(_recorders)
    if recorders:
        created = client.inspect_container(container)
        for record in recorders:
            record(created)
    _start(client, container, *arguments, **options)


docker.APIClient.start = _record_and_start


def _seen(container: dict[str, Any], root: str) -> Seen:
    return Seen(
        id=container["Id"],
        uid=int(container["Config"]["User"].partition(":")[0]),
        layer=container["GraphDriver"]["Data"]["UpperDir"].removesuffix("/diff"),
        root=root,
    )


def _belongs(process: Path, seen: Seen) -> bool:
    """Return whether a process belongs to a container: by control group, user, or id in an engine helper's arguments."""
    groups = _read(process / "cgroup")
    if seen.id in groups or seen.id in _read(process / "cmdline"):
        return True
    uids = [line.split()[1:] for line in _read(process / "status").splitlines() if line.startswith("Uid:")]
    # Another container may have got the same user.
    return str(seen.uid) in (uids[0] if uids else ()) and not _CONTAINER.search(groups)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
