"""Attacks in gVisor's `runsc`, on an engine of the tests' own (gvisor_service.py).

What differs from runc is in gvisor.toml, from which docs/security.md has its table. The suite runs the attacks on Python
whose difference matters, one of each other group, and some that must still be contained. `make attacks-gvisor` runs all
attacks on Python and jars, which takes some minutes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import docker
import pytest

from compilers.formats import python
from compilers.formats.jar import JAVA
from compilers.result import FileStatus, result_of_raw
from compilers.sandbox.base import CompileOutcome, RawResult, SandboxUnavailable
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.language import Language
from compilers.source import DiscoveredFile
from kiok.compiled import decode
from tests.sandbox.attack_runs import without_path_and_time
from tests.sandbox.attacks import JARS, PYTHON, Attack, attacks
from tests.sandbox.conftest import JobOf
from tests.sandbox.gvisor_differences import differences, listed_version
from tests.sandbox.gvisor_runs import config_for, is_jar, path_of, run_jars, run_python
from tests.sandbox.gvisor_service import OwnGvisor, running_gvisor, version
from tests.sandbox.jar_attacks import compiled_classes
from tests.support.images import image_from
from tests.support.waiting import wait_until

DIFFERENCES = differences()
ENDS = {name: re.compile(end, re.DOTALL) for group in DIFFERENCES for name, end in group.ends.items()}
_LIMITS = {name: limit for group in DIFFERENCES for name, limit in group.limits.items()}
# Attacks on the driver, on other sources, on the host and on the network that gVisor must stop as runc does.
STOPPED = (
    "driver_memory",
    "driver_traced",
    "sibling_rewritten",
    "sibling_unreadable",
    "rootfs_fill",
    "network_raw",
)
SELECTED = {
    *STOPPED,
    *(name for group in DIFFERENCES for name in list(group.python)[: None if group.matters else 1]),
}
ALL = os.environ.get("KIOK_TEST_GVISOR") == "all"
ATTACKS = [
    replace(attack, limit=_LIMITS.get(attack.name, attack.limit))
    for attack in (*attacks(PYTHON), *(attacks(JARS) if ALL else ()))
    if ALL or attack.name in SELECTED
]
# gVisor has to read the program that it starts. Under runc the program stays unreadable, and so closed to its children.
_READABLE = "USER 0:0\nRUN chmod 0755 /opt/kiok/bin/driver-python\nUSER 65532:65532"


Results = dict[str, RawResult]


@pytest.fixture(scope="module")
def exact() -> bool:
    """Return whether the list is of the installed version. With another, a listed attack may also end with any error."""
    return version() == listed_version()


@pytest.fixture(scope="module")
def images(python_image: str, request: pytest.FixtureRequest) -> Iterator[dict[Language, str]]:
    """Yield the tags of images that start in gVisor."""
    bases = {python.PYTHON: python_image}
    if ALL:
        bases[JAVA] = request.getfixturevalue("java_image")
    with ExitStack() as stack:
        yield {language: stack.enter_context(image_from(base, _READABLE)) for language, base in bases.items()}


@pytest.fixture(scope="module")
def gvisor(python_image: str, images: dict[Language, str]) -> Iterator[OwnGvisor]:
    with running_gvisor(python_image, *images.values()) as engine:
        yield engine


@pytest.fixture(scope="module")
def config(gvisor: OwnGvisor, images: dict[Language, str]) -> SandboxConfig:
    return config_for(gvisor.url, images)


@pytest.fixture(scope="module")
def results(config: SandboxConfig, request: pytest.FixtureRequest) -> Results:
    """Compile all attacks, and return the results by path."""
    found = run_python(config, [attack for attack in ATTACKS if not is_jar(attack)])
    if jars := [attack for attack in ATTACKS if is_jar(attack)]:
        found |= run_jars(config, jars, compiled_classes(request.getfixturevalue("java_builder_image")))
    return found


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_an_attack_ends_in_gvisor_as_documented(results: Results, attack: Attack, exact: bool) -> None:
    """A difference that is listed and does not exist fails too, so that the list stays true."""
    path = path_of(attack)
    raw = results[path]
    result, _ = result_of_raw(
        DiscoveredFile(path, "jar" if is_jar(attack) else "python", "", 0), raw, text=None, image=""
    )
    error = "\n".join(diagnostic.message for diagnostic in result.diagnostics)
    ends_as_in_runc = (
        raw.outcome is not CompileOutcome.LOST
        and result.status is attack.outcome
        and re.search(attack.expect, error, re.DOTALL) is not None
        and re.search(attack.prints, raw.output, re.DOTALL) is not None
    )
    listed = ENDS.get(attack.name)
    said_of_it = (result.status, error, raw)
    if listed is None:
        assert ends_as_in_runc, said_of_it
        assert not is_jar(attack) or attack.spares == "nothing" or "sound" in [dag.id for dag in result.dags]
    elif exact:
        assert listed.match(f"{result.status.value}: {error}"), said_of_it
        assert not ends_as_in_runc, said_of_it
    elif result.status is not FileStatus.FAILED:
        assert listed.match(f"{result.status.value}: {error}"), said_of_it


def test_the_files_between_the_attacks_are_unharmed(results: Results) -> None:
    innocent = [result for path, result in results.items() if path.startswith("innocent")]
    assert len(innocent) >= 4
    assert {without_path_and_time(result) for result in innocent} == {without_path_and_time(innocent[0])}
    assert [dag.id for dag in decode(innocent[0].payload).dags] == ["innocent"]


@pytest.mark.usefixtures("results")
def test_no_container_and_no_process_of_gvisor_is_left(gvisor: OwnGvisor) -> None:
    client = docker.DockerClient(base_url=gvisor.url)

    def left() -> list[str]:
        return [
            *(name for one in client.api.containers(all=True) for name in one["Names"]),
            *gvisor.processes(),
        ]

    try:
        wait_until(lambda: not left(), lambda: f"nothing is left: {left()}")
    finally:
        client.close()


def test_the_driver_that_gvisor_cannot_read_does_not_start(
    config: SandboxConfig, python_image: str, job_of: JobOf
) -> None:
    unchanged = DockerSandbox(replace(config, images={python.PYTHON: python_image}))
    with pytest.raises(SandboxUnavailable, match=r"driver-python.*permission denied"):
        list(unchanged.run(job_of({"a.py": ""})))


def test_limits_that_gvisor_does_not_show_have_to_be_accepted(config: SandboxConfig, job_of: JobOf) -> None:
    """The engine enforces them on the host, around gVisor, where the driver cannot see them."""
    strict = DockerSandbox(replace(config, require_limits=True))
    with pytest.raises(SandboxUnavailable, match=r"sandbox\.limits to kiok\.allow\.insecure"):
        list(strict.run(job_of({"a.py": ""})))
