"""Podman's differences from Docker Engine, behind the API that both have.

`adapted` changes how a container is created, `correct_status` the answers. All of it was seen with Podman 4.3.1 and
5.4.2. What remains weaker is in `weaknesses`.

| Docker Engine | Podman |
|---|---|
| takes a seccomp profile as JSON text | takes the path of a file on its own machine |
| limits the inodes of a tmpfs, and gives it to a user | knows neither option |
| mounts a tmpfs empty | copies the image's folder into it, unless `notmpcopyup` |
| masks the paths in `MaskedPaths` | ignores them; the security option `mask` does it |
| has no other writable folder than those it is given | mounts `/run` and `/var/tmp` writable, unless they are given |
| takes a runtime for each container | ignores it |
| kills a container to remove it by force | since version 5 stops it first, and the driver ignores all but SIGKILL |
| answers 409 for a taken name, 404 for an absent container | answers 500, where it finds out late |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from docker.types import Ulimit
from requests import Response

from compilers.base import SandboxUnavailable
from compilers.sandbox.config import SandboxConfig

SECCOMP_PROPERTY = "kiok.sandbox.podman.seccomp.path"

# Where other limits are given and this one is not, Podman sets it to the kernel's maximum, which takes CAP_SYS_RESOURCE.
# The kernel counts it by user over the whole machine, so it is far above what the containers of one user can have.
_MAX_PROCESSES_OF_A_USER = 16_384
_WALLS = "noexec,nosuid,nodev,notmpcopyup"
_UNUSED_FOLDERS = ("/run", "/var/tmp")  # noqa: S108
_SECCOMP_OPTION = "seccomp="

_INTERNAL_ERROR = 500
_STATUS_BY_TEXT = (
    # The second is the word of its database, where two containers get one name at the same moment.
    (409, re.compile(r"name .* is (?:already )?in use|UNIQUE constraint failed: \w+\.Name")),
    (404, re.compile(r"no such container")),
)


def adapted(options: Mapping[str, Any], config: SandboxConfig) -> dict[str, Any]:
    """Return what Podman has to be sent for a container that Docker Engine would create from `options`.

    Raises SandboxUnavailable for a configuration that Podman would not follow.
    """
    if config.runtime is not None:
        raise SandboxUnavailable(
            f"kiok.sandbox.runtime is {config.runtime}, but Podman takes no runtime for a single container. Name it as "
            "`runtime` in the containers.conf of Podman, and leave the property empty."
        )
    host_config = dict(options["host_config"])
    limits = config.limits
    masked = host_config.pop("MaskedPaths")
    host_config["SecurityOpt"] = [
        *(_of_podman(option, config) for option in host_config["SecurityOpt"]),
        f"mask={':'.join(masked)}",
    ]
    host_config["Tmpfs"] = {
        # The container's user is not root, who owns these folders.
        "/src": f"rw,{_WALLS},mode=1777,size={limits.src_bytes}",
        "/tmp": f"rw,{_WALLS},mode=1777,size={limits.tmp_bytes}",  # noqa: S108
        **dict.fromkeys(_UNUSED_FOLDERS, f"ro,{_WALLS},mode=0555,size=4096"),
    }
    host_config["Ulimits"] = [
        *host_config["Ulimits"],
        Ulimit(name="nproc", soft=_MAX_PROCESSES_OF_A_USER, hard=_MAX_PROCESSES_OF_A_USER),
    ]
    return {**options, "stop_signal": "SIGKILL", "host_config": host_config}


def _of_podman(option: str, config: SandboxConfig) -> str:
    """Return a security option as Podman takes it. `unconfined` is no profile, and the same for both."""
    if option.startswith(_SECCOMP_OPTION) and option != f"{_SECCOMP_OPTION}unconfined":
        return f"{_SECCOMP_OPTION}{config.podman_seccomp_path}"
    return option


def correct_status(response: Response, *_: object, **__: object) -> None:
    """Give a refusal the status that Docker Engine has for it. A hook of requests.

    Podman answers 500 where it finds only while it works that a name is taken or a container gone.
    """
    if response.status_code == _INTERNAL_ERROR:
        for status, text in _STATUS_BY_TEXT:
            if text.search(response.text):
                response.status_code = status
                return


def remedy(refusal: str) -> str:
    """Return what to do about a refusal of Podman, to append to it; "" where the refusal says it all."""
    if "seccomp profile failed" in refusal:
        return (
            ". Podman reads the profile on its own machine: copy compilers/sandbox/seccomp.json of this version there, "
            f"and set {SECCOMP_PROPERTY} to its path."
        )
    return ""


def weaknesses(info: Mapping[str, Any]) -> list[str]:
    """Return what Podman gives less of than Docker Engine, by its own description (`/info`)."""
    found = ["no limit of the number of files in /tmp and /src, but of their memory"]
    if str(info.get("CgroupVersion", "1")) == "1":
        found.append("the names of the host's control groups can be read in containers")
    return found
