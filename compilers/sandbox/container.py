"""One container: its flags, its birth, its end."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig, Ulimit
from requests.exceptions import RequestException

from compilers.base import SandboxJob, SandboxUnavailable
from compilers.sandbox.config import LABEL_SANDBOX, SandboxConfig
from compilers.sandbox.engine import Engine

log = logging.getLogger(__name__)

# A uid of its own for every container, since the kernel accounts some things per uid over the whole
# host. Within the 65 536 ids that rootless and remapped engines have.
_FIRST_UID = 20_000
_UIDS = 40_000
_GONE_SECONDS = 20.0
# -I: no environment variable and no user folder changes what is imported; -B: nothing is written.
_DRIVER = ["/opt/kiok/bin/driver-python", "-I", "-B", "/opt/kiok/driver/compilers/images/driver/driver.py"]


@contextmanager
def attached_container(engine: Engine, config: SandboxConfig, job: SandboxJob) -> Iterator[socket.socket]:
    """A started container for the job; its attached socket, multiplexed, without a timeout.

    On leaving, the container is killed and gone. Raises SandboxUnavailable when there can be none.
    """
    client = engine.client()
    image = engine.image_digest(job.kind)
    # Named beforehand: when the answer to `create` is lost, it can be removed all the same.
    name = f"kiok-sandbox-{secrets.token_hex(12)}"
    stream: Any = None
    try:
        with engine.answering():
            try:
                client.create_container(name=name, image=image, **container_options(config, job))
            except ImageNotFound as exc:
                engine.forget_images()
                raise SandboxUnavailable(
                    f"the image {image[:19]} was replaced or removed just now; it is tried again"
                ) from exc
            # Before the start: attached to a container that has already ended, everything is lost.
            stream = client.attach_socket(
                name, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
            )
            client.start(name)
        yield getattr(stream, "_sock", stream)
    finally:
        if stream is not None:
            _close(getattr(stream, "_sock", stream), stream)
        _remove(engine, name)


def container_options(config: SandboxConfig, job: SandboxJob) -> dict[str, Any]:
    """Everything `create_container` is told but name and image: the sandbox's walls."""
    limits = config.limits
    uid = _FIRST_UID + secrets.randbelow(_UIDS)
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
        "NanoCpus": int(limits.cpus_for(job.kind) * 1_000_000_000),
        "IpcMode": "none",
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
    return {
        # Named here: an image derived from ours may have another.
        "entrypoint": _DRIVER,
        "command": [job.kind.value, str(config.grace_seconds)],
        "user": f"{uid}:{uid}",
        "hostname": "sandbox",
        "stdin_open": True,
        "tty": False,
        "network_disabled": True,
        "working_dir": "/",
        "environment": {"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp"},  # noqa: S108
        "labels": {**dict(job.labels), LABEL_SANDBOX: "1"},
        "host_config": host_config,
    }


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
