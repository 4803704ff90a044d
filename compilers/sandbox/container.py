"""One container: its flags, its birth, its end."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import socket
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from docker.types import LogConfig, Ulimit
from requests.exceptions import RequestException

from compilers.base import Kind, SandboxJob, SandboxUnavailable
from compilers.sandbox import podman
from compilers.sandbox.config import LABEL_CORRELATION, LABEL_SANDBOX, LABEL_SYNC, SandboxConfig
from compilers.sandbox.engine import Engine

log = logging.getLogger(__name__)

# A uid of its own for every container, since the kernel accounts some things per uid over the whole
# host. Within the 65 536 ids that rootless and remapped engines have.
_FIRST_UID = 20_000
_UIDS = 40_000
_GONE_SECONDS = 20.0
# -I: no environment variable and no user folder changes what is imported; -B: nothing is written.
_DRIVER = ["/opt/kiok/bin/driver-python", "-I", "-B", "/opt/kiok/driver/compilers/images/driver/driver.py"]
_CORRELATION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CLAIMED = re.compile(rf"/?kiok-sandbox-[0-9a-f]+\.((?:[0-9a-f]{{2}})*)(?:\.{_CORRELATION.pattern})?")

# What an engine hides by default (of version 28, since older ones hide less), and then: terminals and message
# queues, which nobody needs; /sys, which tells of the host, but for /sys/fs/cgroup, where a JVM reads its limits.
# https://github.com/moby/moby/blob/v28.0.0/oci/defaults.go
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/dev/mqueue",
    "/dev/pts",
    "/sys/block",
    "/sys/bus",
    "/sys/class",
    "/sys/dev",
    "/sys/devices",
    "/sys/firmware",
    "/sys/hypervisor",
    "/sys/kernel",
    "/sys/module",
    "/sys/power",
)


@dataclass(frozen=True)
class Attached:
    """A started container and its socket, multiplexed, without a timeout."""

    name: str
    engine: Engine
    stream: Any

    @property
    def connection(self) -> socket.socket:
        found: socket.socket = getattr(self.stream, "_sock", self.stream)
        return found

    @property
    def shown(self) -> str:
        """The name for people: without whom it belongs to."""
        return self.name.partition(".")[0]

    def end(self) -> Future[None]:
        """Kill and remove the container; done in the background, since nobody need wait for it."""
        _close(self.connection, self.stream)
        return remove(self.engine, self.name)


def claimed_name(labels: Mapping[str, str]) -> str:
    """A fresh name for a container of a job: it tells the owner, which is the label `kiok.sync`, and `kiok.correlation`.

    A container that stood ready cannot be labelled any more, but renamed.
    """
    known = labels.get(LABEL_CORRELATION, "")
    known = f".{known}" if _CORRELATION.fullmatch(known) else ""
    return f"kiok-sandbox-{secrets.token_hex(12)}.{labels.get(LABEL_SYNC, '').encode().hex()}{known}"


def owner_in_name(name: str) -> str | None:
    """The owner that `claimed_name` wrote into a name; None for another name."""
    match = _CLAIMED.fullmatch(name)
    return bytes.fromhex(match[1]).decode("utf-8", "replace") if match else None


def attach(engine: Engine, name: str) -> Attached:
    """Attach to a container before it starts, or while it waits: later, what it has said is lost."""
    stream = engine.client().attach_socket(
        name, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
    )
    return Attached(name, engine, stream)


def start_container(engine: Engine, config: SandboxConfig, job: SandboxJob) -> Attached:
    """A container for the job. Raises SandboxUnavailable when there can be none, and then leaves none."""
    image = engine.image_digest(job.kind, job.image)
    client = engine.client()
    options = container_options(engine, config, job.kind, dict(job.labels), wait_seconds=config.grace_seconds)
    # Named beforehand: when the answer to `create` is lost, it can be removed all the same.
    name = claimed_name(dict(job.labels))
    attached = None
    try:
        with engine.answering():
            try:
                client.create_container(name=name, image=image, **options)
            except NotFound as exc:  # the image: docker-py does not recognize every engine's words for it
                engine.forget_images()
                raise SandboxUnavailable(
                    f"the image {image[:19]} was replaced or removed just now; it is tried again"
                ) from exc
            try:
                attached = attach(engine, name)
                client.start(name)
            except NotFound as exc:
                raise SandboxUnavailable(
                    f"the container {name.partition('.')[0]} was removed before it started; it is tried again"
                ) from exc
    except BaseException:
        if attached is not None:
            attached.end()
        else:
            remove(engine, name)
        raise
    return attached


def container_options(
    engine: Engine,
    config: SandboxConfig,
    kind: Kind,
    labels: Mapping[str, str],
    *,
    wait_seconds: float,
    uid: int | None = None,
) -> dict[str, Any]:
    """Everything `create_container` is told but name and image: the sandbox's walls.

    `wait_seconds`: how long its driver waits for a request; `uid`: whose processes run, by default a random one.
    Raises SandboxUnavailable.
    """
    limits = config.limits
    uid = _FIRST_UID + secrets.randbelow(_UIDS) if uid is None else uid
    owned = f"uid={uid},gid={uid},mode=0700"
    walls = "rw,noexec,nosuid,nodev"
    # None of these is settable from a repository.
    host_config: dict[str, Any] = {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": _security_options(config),
        "Privileged": False,
        "PidsLimit": limits.pids,
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,
        "NanoCpus": int(limits.cpus_for(kind) * 1_000_000_000),
        "IpcMode": "none",
        "CgroupnsMode": "private",
        "MaskedPaths": list(MASKED_PATHS),
        "LogConfig": LogConfig(type=LogConfig.types.NONE),
        "AutoRemove": True,
        "Init": False,
        "Ulimits": [
            Ulimit(name="nofile", soft=limits.max_open_files, hard=limits.max_open_files),
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="fsize", soft=limits.max_file_bytes, hard=limits.max_file_bytes),
        ],
        "Tmpfs": {
            "/src": f"{walls},size={limits.src_bytes},nr_inodes={limits.src_inodes},{owned}",
            "/tmp": f"{walls},size={limits.tmp_bytes},nr_inodes={limits.tmp_inodes},{owned}",  # noqa: S108
        },
    }
    if config.runtime is not None:
        host_config["Runtime"] = config.runtime
    options = {
        # Named here: an image derived from ours may have another.
        "entrypoint": _DRIVER,
        "command": [kind.value, str(wait_seconds)],
        "user": f"{uid}:{uid}",
        "hostname": "sandbox",
        # An image's own would be started beside the driver, again and again.
        "healthcheck": {"test": ["NONE"]},
        "stdin_open": True,
        "tty": False,
        "network_disabled": True,
        "working_dir": "/",
        "environment": {
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": "/tmp",  # noqa: S108
            # For the size of a JVM's heap; images that know nothing of it have a fixed one.
            "KIOK_SANDBOX_MEMORY_BYTES": str(limits.memory_bytes),
        },
        "labels": {**labels, LABEL_SANDBOX: "1"},
        "host_config": host_config,
    }
    return podman.adapted(options, config) if engine.product.is_podman else options


def _security_options(config: SandboxConfig) -> list[str]:
    options = ["no-new-privileges"]
    if config.seccomp_profile is not None:
        options.append(f"seccomp={config.seccomp_profile}")
    return options


def _close(connection: socket.socket, stream: Any) -> None:
    """Shut the socket down first: while nobody reads it, removing the container would hang."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    # The response holds buffers over the socket, which complain when it is closed under them.
    for closable in (getattr(stream, "_response", None), stream, connection):
        if closable is not None:
            with contextlib.suppress(OSError, ValueError):
                closable.close()


class _Removals:
    """This process's threads that remove containers. At its end the interpreter waits for them."""

    def __init__(self) -> None:
        self._executor: tuple[int, ThreadPoolExecutor] | None = None

    def submit(self, engine: Engine, name: str) -> Future[None]:
        # Threads do not survive a fork.
        if self._executor is None or self._executor[0] != os.getpid():
            self._executor = (os.getpid(), ThreadPoolExecutor(2, thread_name_prefix="container-removal"))
        return self._executor[1].submit(copy_context().run, _remove, engine, name)


_removals = _Removals()


def remove(engine: Engine, name: str) -> Future[None]:
    """Kill and remove a container in the background; the future is done when it is gone."""
    return _removals.submit(engine, name)


def remove_named(engine: Engine, name: str, container_id: str) -> None:
    """Remove the container with this id, if it still has this name: one that was claimed has another.

    The name may also have passed to a new container, which stays. Raises NotFound, SandboxUnavailable.
    """
    client = engine.client()
    with engine.answering():
        if client.inspect_container(name)["Id"] == container_id:
            client.remove_container(name, force=True, v=True)


def _remove(engine: Engine, name: str) -> None:
    """Kill and remove; back when it is gone. Failure is logged: the reaper comes for what is left."""
    until = time.monotonic() + _GONE_SECONDS
    try:
        client = engine.client()
        while True:
            try:
                client.remove_container(name, force=True, v=True)
            except NotFound:
                return
            except APIError as exc:
                # 409: the engine is removing it already, on its own account (auto_remove).
                if exc.status_code != 409 or time.monotonic() > until:
                    raise
            time.sleep(0.02)
    except Exception as exc:
        expected = isinstance(exc, (DockerException, RequestException))
        log.warning("container %s could not be removed: %s", name, exc, exc_info=not expected)
