"""Start and remove a container, and define its options."""

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
from http import HTTPStatus
from typing import Any

from docker import APIClient
from docker.errors import APIError, DockerException, NotFound
from docker.types import LogConfig, Ulimit
from requests.exceptions import RequestException

from compilers.sandbox import podman
from compilers.sandbox.base import SandboxJob, SandboxUnavailable
from compilers.sandbox.config import LABEL_CORRELATION, LABEL_SANDBOX, LABEL_SYNC, SandboxConfig
from compilers.sandbox.engine import Engine
from compilers.sandbox.language import Language

log = logging.getLogger(__name__)

# Each container gets its own uid, because the kernel counts some resources per uid over the whole
# host. Within the 65 536 ids of rootless and remapped engines.
_FIRST_UID = 20_000
_UIDS = 40_000
_GONE_SECONDS = 20.0
_BUSY_SECONDS = 0.02  # between two attempts to remove a container
# -I: no environment variable or user folder changes the imports; -B: no bytecode is written.
_DRIVER = ["/opt/kiok/bin/driver-python", "-I", "-B", "/opt/kiok/driver/compilers/images/driver/driver.py"]
_CORRELATION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CLAIMED = re.compile(rf"/?kiok-sandbox-[0-9a-f]+\.((?:[0-9a-f]{{2}})*)(?:\.{_CORRELATION.pattern})?")

# The paths that an engine hides by default (as of version 28, since older ones hide fewer), plus terminals and message
# queues, which are not needed, and /sys, which reveals the host, except /sys/fs/cgroup, where a JVM reads its limits.
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
    """A started container and its multiplexed socket, which has no timeout."""

    name: str
    engine: Engine
    stream: Any

    @property
    def connection(self) -> socket.socket:
        found: socket.socket = getattr(self.stream, "_sock", self.stream)
        return found

    @property
    def shown(self) -> str:
        """The name for people: without the owner."""
        return self.name.partition(".")[0]

    def end(self) -> Future[None]:
        """Kill and remove the container in the background, because the caller need not wait for it."""
        _close(self.connection, self.stream)
        return remove(self.engine, self.name)


def claimed_name(labels: Mapping[str, str]) -> str:
    """Return a new name for a job's container, made of its owner (the label `kiok.sync`) and `kiok.correlation`.

    A warm container cannot get new labels, but it can be renamed.
    """
    known = labels.get(LABEL_CORRELATION, "")
    known = f".{known}" if _CORRELATION.fullmatch(known) else ""
    return f"kiok-sandbox-{secrets.token_hex(12)}.{labels.get(LABEL_SYNC, '').encode().hex()}{known}"


def owner_in_name(name: str) -> str | None:
    """Return the owner that `claimed_name` encoded in a name; None for any other name."""
    match = _CLAIMED.fullmatch(name)
    return bytes.fromhex(match[1]).decode("utf-8", "replace") if match else None


def attach(engine: Engine, name: str) -> Attached:
    """Attach to a container before it starts or while it waits: earlier output is lost."""
    stream = engine.client().attach_socket(
        name, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
    )
    return Attached(name, engine, stream)


def start_container(engine: Engine, config: SandboxConfig, job: SandboxJob) -> Attached:
    """Start a container for the job. Raises SandboxUnavailable if that fails, and then leaves no container behind."""
    image = engine.image_digest(job.language, job.image)
    client = engine.client()
    options = container_options(
        engine, config, job.language, dict(job.labels), wait_seconds=config.grace_seconds
    )
    # The name is chosen here, so that the container can be removed even if the response to `create` is lost.
    name = claimed_name(dict(job.labels))
    attached = None
    try:
        with engine.answering():
            try:
                client.create_container(name=name, image=image, **options)
            except NotFound as exc:  # the image: docker-py does not recognize every engine's error message
                engine.forget_images()
                raise SandboxUnavailable(
                    f"the image {image[:19]} was just replaced or removed; the sync is retried"
                ) from exc
            try:
                attached = attach(engine, name)
                client.start(name)
            except NotFound as exc:
                raise SandboxUnavailable(
                    f"the container {name.partition('.')[0]} was removed before it started; the sync is retried"
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
    language: Language,
    labels: Mapping[str, str],
    *,
    wait_seconds: float,
    uid: int | None = None,
) -> dict[str, Any]:
    """Return all options of `create_container` except name and image: the isolation layers.

    `wait_seconds`: how long the driver waits for a request. `uid`: the user of its processes, random by default.
    Raises SandboxUnavailable.
    """
    limits = config.limits
    uid = _FIRST_UID + secrets.randbelow(_UIDS) if uid is None else uid
    owned = f"uid={uid},gid={uid},mode=0700"
    walls = "rw,noexec,nosuid,nodev"
    # A repository cannot set any of these.
    host_config: dict[str, Any] = {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": _security_options(config),
        "Privileged": False,
        "PidsLimit": limits.pids,
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,
        "NanoCpus": int(limits.cpus_for(language) * 1_000_000_000),
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
        # Set here, because an image derived from the base image may have another one.
        "entrypoint": _DRIVER,
        "command": [language.name, str(wait_seconds)],
        "user": f"{uid}:{uid}",
        "hostname": "sandbox",
        # The engine would start the image's own check next to the driver, again and again.
        "healthcheck": {"test": ["NONE"]},
        "stdin_open": True,
        "tty": False,
        "network_disabled": True,
        "working_dir": "/",
        "environment": {
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": "/tmp",  # noqa: S108
            # Determines the size of a JVM's heap; images that do not read it use a fixed size.
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
    """Shut the socket down first: while its data is not read, removing the container would hang."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    # The response holds buffers on the socket, which raise errors when it is closed first.
    for closable in (getattr(stream, "_response", None), stream, connection):
        if closable is not None:
            with contextlib.suppress(OSError, ValueError):
                closable.close()


class _Removals:
    """This process's threads that remove containers. The interpreter waits for them at exit."""

    def __init__(self) -> None:
        self._executor: tuple[int, ThreadPoolExecutor] | None = None

    def submit(self, engine: Engine, name: str) -> Future[None]:
        # Threads do not survive a fork.
        if self._executor is None or self._executor[0] != os.getpid():
            self._executor = (os.getpid(), ThreadPoolExecutor(2, thread_name_prefix="container-removal"))
        return self._executor[1].submit(copy_context().run, _remove, engine, name)


_removals = _Removals()


def remove(engine: Engine, name: str) -> Future[None]:
    """Kill and remove a container in the background. The future is done when the container is gone."""
    return _removals.submit(engine, name)


def remove_named(engine: Engine, name: str, container_id: str) -> None:
    """Remove the container with this id if it still has this name: a claimed one has another name.

    A new container may have taken the name, and stays. Raises NotFound, SandboxUnavailable.
    """
    client = engine.client()
    until = time.monotonic() + _GONE_SECONDS
    with engine.answering():
        while client.inspect_container(name)["Id"] == container_id and not _is_removed(client, name, until):
            time.sleep(_BUSY_SECONDS)


def _remove(engine: Engine, name: str) -> None:
    """Kill and remove a container, and return when it is gone. Log a failure: the reaper removes what is left."""
    until = time.monotonic() + _GONE_SECONDS
    try:
        client = engine.client()
        while True:
            _is_removed(client, name, until)
            time.sleep(_BUSY_SECONDS)
    except NotFound:
        return
    except Exception as exc:
        expected = isinstance(exc, (DockerException, RequestException))
        log.warning("container %s could not be removed: %s", name, exc, exc_info=not expected)


def _is_removed(client: APIClient, name: str, until: float) -> bool:
    """Remove a container. Return False if the engine is stopping or removing it at this moment.

    Raises NotFound, and after the time `until` (monotonic) APIError.
    """
    try:
        client.remove_container(name, force=True, v=True)
    except APIError as exc:
        if exc.status_code != HTTPStatus.CONFLICT or time.monotonic() > until:
            raise
        return False
    return True
