"""The compile sandbox: throwaway containers of a Docker engine.

config.py     which images, which engine, which limits
protocol.py   the bytes between host and driver (also laid into the images)
limits.py     what a container, and a file in it, may use
source_tar.py the tree as a tar, vetted
engine.py     the Docker engine: clients, images, what to do when there is none
product.py    which product answers as the engine, and its oldest supported version
podman.py     what Podman is sent and answers differently
container.py  one container: its flags, its birth, its end
pool.py       containers that stand ready, claimed by renaming them
exchange.py   one request and its response over the attached socket
session.py    one job in one container
side_by_side.py  a large job split over containers
docker.py     DockerSandbox: jobs in, results out, retries
seccomp.json  the system calls a container may make, with the reason for each group
check.py      what the engine gives, held against what is promised; probe.py tries it from inside
hints.py      which limit a message is about: its property and its value
reaper.py     removes containers whose sync is no longer alive
fake.py       a sandbox without containers, for unit tests
"""

from compilers.sandbox.config import LABEL_REPOSITORY, LABEL_SERVICE, LABEL_SYNC, SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.reaper import remove_orphans
from compilers.sandbox.source_tar import TreeRefused

__all__ = [
    "LABEL_REPOSITORY",
    "LABEL_SERVICE",
    "LABEL_SYNC",
    "DockerSandbox",
    "SandboxConfig",
    "SandboxLimits",
    "TreeRefused",
    "remove_orphans",
]
