"""The differences between Podman and Docker Engine behind their common API.

`adapted` changes the options for creating a container, `correct_status` the responses. All differences were observed
with Podman 4.3.1 and 5.4.2. The remaining weaknesses are in `weaknesses`.

| Docker Engine | Podman |
|---|---|
| takes a seccomp profile as JSON text | takes the path of a file on its own machine |
| limits the inodes of a tmpfs, and sets its owner | supports neither option |
| mounts a tmpfs empty | copies the image's folder into it, unless `notmpcopyup` is set |
| masks the paths in `MaskedPaths` | ignores them; the security option `mask` does the same |
| has no writable folders other than the requested ones | mounts `/run` and `/var/tmp` writable, unless they are requested |
| takes a runtime for each container | ignores it |
| kills a container to remove it by force | since version 5 stops it first, and the driver ignores all but SIGKILL |
| answers 409 for a taken name, 404 for a missing container | answers 500 if it notices late |
| removes a container that ends at this moment | answers 500, and removes it when it has ended |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from docker.types import Ulimit
from requests import Response

from compilers.sandbox.base import SandboxUnavailable
from compilers.sandbox.config import SandboxConfig

SECCOMP_PROPERTY = "kiok.sandbox.podman.seccomp.path"

# If other limits are set and this one is not, Podman sets it to the kernel's maximum, which requires CAP_SYS_RESOURCE.
# The kernel counts it per user over the whole machine, so it is far above the processes of all containers of one user.
_MAX_PROCESSES_OF_A_USER = 16_384
_WALLS = "noexec,nosuid,nodev,notmpcopyup"
_UNUSED_FOLDERS = ("/run", "/var/tmp")  # noqa: S108
_SECCOMP_OPTION = "seccomp="

_INTERNAL_ERROR = 500
_STATUS_BY_TEXT = (
    # The second is its database's error, when two containers get one name at the same moment.
    (409, re.compile(r"name .* is (?:already )?in use|UNIQUE constraint failed: \w+\.Name")),
    # The container ended while it was killed.
    (409, re.compile(r"cannot remove container .*container state improper")),
    (404, re.compile(r"no such container")),
)


def adapted(options: Mapping[str, Any], config: SandboxConfig) -> dict[str, Any]:
    """Return the options that make Podman create the container that Docker Engine would create from `options`.

    Raises SandboxUnavailable for a configuration that Podman would ignore.
    """
    if config.runtime is not None:
        raise SandboxUnavailable(
            f"kiok.sandbox.runtime is {config.runtime}, but Podman does not take a runtime per container. Set it as "
            "`runtime` in Podman's containers.conf, and leave the property empty."
        )
    host_config = dict(options["host_config"])
    limits = config.limits
    masked = host_config.pop("MaskedPaths")
    host_config["SecurityOpt"] = [
        *(_of_podman(option, config) for option in host_config["SecurityOpt"]),
        f"mask={':'.join(masked)}",
    ]
    host_config["Tmpfs"] = {
        # The container's user is not root, but root owns these folders.
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
    """Return a security option in Podman's form. `unconfined` means no profile, as in Docker."""
    if option.startswith(_SECCOMP_OPTION) and option != f"{_SECCOMP_OPTION}unconfined":
        return f"{_SECCOMP_OPTION}{config.podman_seccomp_path}"
    return option


def correct_status(response: Response, *_: object, **__: object) -> None:
    """Give a refusal the status that Docker Engine uses for it. A response hook of requests.

    Podman answers 500 if it notices only during the operation that a name is taken or a container gone.
    """
    if response.status_code == _INTERNAL_ERROR:
        for status, text in _STATUS_BY_TEXT:
            if text.search(response.text):
                response.status_code = status
                return


def remedy(refusal: str) -> str:
    """Return the remedy for a refusal by Podman, to append to it; "" if the refusal is clear by itself."""
    if "seccomp profile failed" in refusal:
        return (
            ". Podman reads the profile on its own machine: copy compilers/sandbox/seccomp.json of this version there, "
            f"and set {SECCOMP_PROPERTY} to its path."
        )
    return ""


def weaknesses(info: Mapping[str, Any]) -> list[str]:
    """Return the weaknesses of Podman compared with Docker Engine, from its own description (`/info`)."""
    found = ["no limit of the number of files in /tmp and /src, only of their memory"]
    if str(info.get("CgroupVersion", "1")) == "1":
        found.append("containers can read the names of the host's control groups")
    return found
