"""Configuration of a `DockerSandbox`, and the labels of its containers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from compilers.sandbox.language import Language
from compilers.sandbox.limits import SandboxLimits

LABEL_SANDBOX = "kiok.sandbox"  # "1" on every container of this project
LABEL_SERVICE = "kiok.service"
LABEL_REPOSITORY = "kiok.repository"
LABEL_SYNC = "kiok.sync"
LABEL_CORRELATION = "kiok.correlation"  # the correlation id in the service's log lines of that sync
LABEL_POOL = "kiok.pool"  # "1" on a warm container
LABEL_KEEPER = "kiok.keeper"  # the process that started the warm container

# Labels of images, written by scripts/images.sh.
LABEL_PROTOCOL = "kiok.protocol"
LABEL_VERSIONS = {"Python": "kiok.python", "Java": "kiok.java"}  # by language


_SECCOMP = resources.files(__package__).joinpath("seccomp.json")


def seccomp_profile() -> str:
    """Return the sandbox's own profile (seccomp.json), in the engine's JSON format."""
    return _SECCOMP.read_text("utf-8")


def seccomp_path() -> str:
    """Return the path of the sandbox's own profile on this machine."""
    return str(_SECCOMP)


@dataclass(frozen=True)
class SandboxConfig:
    """Engine, images and limits of a sandbox.

    - `images`: the image reference of each language that can be compiled
    - `engine_url`: same format as DOCKER_HOST; None uses the environment (DOCKER_HOST, DOCKER_TLS_VERIFY,
      DOCKER_CERT_PATH), then the default socket
    - `runtime`: an OCI runtime known to the engine (such as `runsc`); None is the engine's default
    - `seccomp_profile`: a profile as JSON text, by default seccomp.json; None is the engine's default
    - `podman_seccomp_path`: the file on the engine's machine that Podman reads instead of that text
    - `pool_size`: warm containers per language, if a process maintains the pool (`Pool.fill`)
    - `parallelism`: containers that share one large job
    - `require_limits`: refuse to compile in a container whose memory or processes the engine does not limit
    - `api_timeout_seconds`: timeout of one call to the engine
    - `grace_seconds`: time for creating, starting and unpacking, in addition to the deadline of a container's files
    """

    images: Mapping[Language, str] = field(default_factory=dict)
    limits: SandboxLimits = field(default_factory=SandboxLimits)
    engine_url: str | None = None
    runtime: str | None = None
    seccomp_profile: str | None = field(default_factory=seccomp_profile)
    podman_seccomp_path: str = field(default_factory=seccomp_path)
    pool_size: int = 0
    parallelism: int = 1
    require_limits: bool = True
    api_timeout_seconds: float = 60.0
    grace_seconds: float = 60.0
