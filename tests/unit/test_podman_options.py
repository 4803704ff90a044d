"""Podman's differences from Docker Engine: detection, options, and parsing of its responses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError, NotFound
from requests import Response

from compilers.formats.python import PYTHON
from compilers.sandbox import podman
from compilers.sandbox.base import SandboxUnavailable
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.container import MASKED_PATHS, container_options
from compilers.sandbox.engine import Engine
from compilers.sandbox.product import Product

PODMAN = {"Version": "4.3.1", "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}]}
DOCKER = {"Version": "20.10.24+dfsg1", "Components": [{"Name": "Engine", "Version": "20.10.24+dfsg1"}]}


class Known(Engine):
    """An engine whose answer to `/version` is known, so that no connection is needed."""

    def __init__(self, config: SandboxConfig, answer: dict[str, Any]) -> None:
        super().__init__(config)
        self._answer = answer

    @property
    def product(self) -> Product:
        return Product.of(self._answer)


def options_for(answer: dict[str, Any], config: SandboxConfig | None = None) -> dict[str, Any]:
    config = config or SandboxConfig()
    return container_options(Known(config, answer), config, PYTHON, {}, wait_seconds=1, uid=20_000)


@pytest.mark.parametrize(
    ("answer", "name", "is_supported"),
    [
        (DOCKER, "Docker Engine 20.10.24+dfsg1", True),
        ({"Version": "28.0.1"}, "Docker Engine 28.0.1", True),
        ({"Version": "19.03.15"}, "Docker Engine 19.03.15", False),
        ({}, "Docker Engine unknown", False),
        (PODMAN, "Podman 4.3.1", True),
        ({"Components": [{"Name": "Podman Engine", "Version": "5.4.2"}]}, "Podman 5.4.2", True),
        ({"Components": [{"Name": "Podman Engine", "Version": "4.10.0-rc1"}]}, "Podman 4.10.0-rc1", True),
        ({"Components": [{"Name": "Podman Engine", "Version": "4.2.9"}]}, "Podman 4.2.9", False),
        ({"Components": [{"Name": "Podman Engine"}]}, "Podman unknown", False),
    ],
)
def test_each_engine_has_its_own_oldest_version(
    answer: dict[str, Any], name: str, is_supported: bool
) -> None:
    product = Product.of(answer)
    assert str(product) == name
    assert product.is_supported is is_supported
    assert product.required.startswith(f"{product.name} ")


def test_podman_gets_the_same_options_except_unsupported_ones() -> None:
    docker, for_podman = options_for(DOCKER), options_for(PODMAN)
    ours, theirs = docker.pop("host_config"), for_podman.pop("host_config")
    # Else a removal by force waits for a process that ignores SIGTERM.
    assert for_podman == {**docker, "stop_signal": "SIGKILL"}
    assert set(ours) - set(theirs) == {"MaskedPaths"}
    assert set(theirs) <= set(ours)
    changed = {name for name in theirs if theirs[name] != ours[name]}
    assert changed == {"SecurityOpt", "Tmpfs", "Ulimits"}
    assert theirs["Ulimits"][: len(ours["Ulimits"])] == ours["Ulimits"]
    assert [limit.name for limit in theirs["Ulimits"][len(ours["Ulimits"]) :]] == ["nproc"]


def test_podman_gets_the_path_of_the_profile_and_masked_paths() -> None:
    options = options_for(PODMAN)["host_config"]["SecurityOpt"]
    privileges, profile, masked = options
    assert privileges == "no-new-privileges"
    assert Path(profile.removeprefix("seccomp=")).read_text() == SandboxConfig().seccomp_profile
    assert masked.removeprefix("mask=").split(":") == list(MASKED_PATHS)
    remote = options_for(PODMAN, SandboxConfig(podman_seccomp_path="/etc/kiok/seccomp.json"))
    assert "seccomp=/etc/kiok/seccomp.json" in remote["host_config"]["SecurityOpt"]


@pytest.mark.parametrize(("profile", "sent"), [("unconfined", ["seccomp=unconfined"]), (None, [])])
def test_podman_gets_no_path_without_a_profile(profile: str | None, sent: list[str]) -> None:
    options = options_for(PODMAN, SandboxConfig(seccomp_profile=profile))["host_config"]["SecurityOpt"]
    assert [option for option in options if option.startswith("seccomp")] == sent


def test_tmpfs_folders_keep_their_size_and_podmans_are_read_only() -> None:
    config = SandboxConfig()
    tmpfs = {path: set(text.split(",")) for path, text in options_for(PODMAN)["host_config"]["Tmpfs"].items()}
    assert set(tmpfs) == {"/src", "/tmp", "/run", "/var/tmp"}
    assert {path for path, given in tmpfs.items() if "ro" in given} == {"/run", "/var/tmp"}
    assert f"size={config.limits.src_bytes}" in tmpfs["/src"]
    assert f"size={config.limits.tmp_bytes}" in tmpfs["/tmp"]
    for given in tmpfs.values():
        assert given >= {"noexec", "nosuid", "nodev", "notmpcopyup"}
        assert not {name.partition("=")[0] for name in given} & {"nr_inodes", "uid", "gid"}


def test_runtime_is_refused_since_podman_ignores_it() -> None:
    with pytest.raises(SandboxUnavailable, match=r"kiok\.sandbox\.runtime is runsc.*containers\.conf"):
        options_for(PODMAN, SandboxConfig(runtime="runsc"))
    assert options_for(DOCKER, SandboxConfig(runtime="runsc"))["host_config"]["Runtime"] == "runsc"


def response(status: int, message: str) -> Response:
    made = Response()
    made.status_code = status
    made._content = message.encode()
    return made


# As Podman 4.3.1 and 5.4.2 say it.
TAKEN = (
    'container create: creating container storage: the container name "p-making" is already in use by 1f2e. '
    "You have to remove that container to be able to reuse that name: that name is already in use"
)
RENAMED = 'name "p" is in use: container already exists'
RACED = (
    "renaming container 3f1d: updating container config table with new configuration for container 3f1d: "
    "UNIQUE constraint failed: ContainerConfig.Name"
)
ENDING = (
    "cannot remove container 1f2e as it could not be stopped: sending SIGKILL to container 1f2e: "
    "container state improper: stopped"
)
GONE = "container 1f2e does not exist in database: no such container"


@pytest.mark.parametrize(
    ("status", "message", "read_as"),
    [
        (500, TAKEN, 409),
        (500, RENAMED, 409),
        (500, RACED, 409),
        (500, ENDING, 409),
        (500, GONE, 404),
        (500, "container create: opening seccomp profile failed: open /x: no such file or directory", 500),
        (500, "crun: setrlimit RLIMIT_NPROC: Operation not permitted", 500),
        (404, "no such container", 404),
        (200, TAKEN, 200),
    ],
)
def test_status_500_is_read_as_conflict_or_container_missing(status: int, message: str, read_as: int) -> None:
    answer = response(status, message)
    podman.correct_status(answer)
    assert answer.status_code == read_as


def test_profile_that_podman_cannot_open_names_the_property() -> None:
    output = "container create: opening seccomp profile failed: open /x: no such file or directory"
    with pytest.raises(SandboxUnavailable) as raised, Engine(SandboxConfig()).answering():
        raise APIError("", response(500, output), output)
    assert "copy compilers/sandbox/seccomp.json of this version there" in str(raised.value)
    assert "kiok.sandbox.podman.seccomp.path" in str(raised.value)
    with pytest.raises(SandboxUnavailable) as raised, Engine(SandboxConfig()).answering():
        raise APIError("", response(500, "out of order"), "out of order")
    assert str(raised.value).endswith("refused the request: out of order")
    with pytest.raises(NotFound), Engine(SandboxConfig()).answering():
        raise NotFound("")


def test_weaknesses_depend_on_the_control_group_version() -> None:
    (inodes,) = podman.weaknesses({"CgroupVersion": "2"})
    assert "number of files in /tmp" in inodes
    assert podman.weaknesses({"CgroupVersion": "1"})[0] == inodes
    assert "control groups" in podman.weaknesses({"CgroupVersion": "1"})[1]
