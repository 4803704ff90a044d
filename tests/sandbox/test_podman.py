"""A real Podman, as root, next to the machine's Docker engine: see podman_service.py."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, NotFound

from compilers.formats import python
from compilers.formats.jar import JAVA as JAVA_LANGUAGE
from compilers.result import FileStatus
from compilers.sandbox.base import CompileOutcome, SandboxUnavailable
from compilers.sandbox.config import LABEL_SERVICE, SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.reaper import remove_orphans
from compilers.sandbox.self_check import examine
from tests.sandbox.attack_runs import Battle, contained, without_path_and_time
from tests.sandbox.attacks import PYTHON, Attack, attacks
from tests.sandbox.conftest import JobOf
from tests.sandbox.javac import compile_jar
from tests.sandbox.podman_service import client_of, load_images, running_podman
from tests.sandbox.pool_runs import assert_one_of_them_fills, filling_processes, names
from tests.sandbox.probes import PROBE
from tests.sandbox.profiles import without_landlock
from tests.sandbox.python_attacks import GRACE_SECONDS, LIMIT_SECONDS, battle_of_python, path_of
from tests.support.compilation import compile_tree
from tests.support.processes import manage
from tests.support.trees import MemoryTree
from tests.support.waiting import wait_until

DAG = "from kiok import Dag\ndag = Dag('fine')\ndag.task('t', script='true')\n"
JAVA = """\
import com.cloudcheflabs.kiok.sdk.*;
public class Fine implements KiokDag {
    public Dag define() { Dag dag = new Dag("fine"); dag.task("t").script("true"); return dag; }
}
"""
# Podman does not limit the number of files: one attack continues until its container's memory is full, and a slow one
# until its timeout.
ENDLESS, SLOW = "tmp_inodes", "tmp_nested"
CONTAINED = [
    replace(attack, expect="not done within 2 s and was killed", limit=2.0) if attack.name == SLOW else attack
    for attack in attacks(PYTHON)
    if attack.name != ENDLESS
]


@pytest.fixture(scope="module")
def jar(java_builder_image: str) -> bytes:
    return compile_jar({"Fine.java": JAVA}, image=java_builder_image)


@pytest.fixture(scope="module", autouse=True)
def podman(
    python_image: str, java_image: str, jar: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Yield the address of a Podman that has the sandbox images, with DOCKER_HOST set to it."""
    with running_podman(tmp_path_factory.mktemp("podman")) as url, pytest.MonkeyPatch.context() as patch:
        load_images(url, python_image, java_image)
        patch.setenv("DOCKER_HOST", url)
        yield url


@pytest.fixture
def engine(podman: str) -> Iterator[docker.DockerClient]:
    client = client_of(podman)
    yield client
    client.close()


@pytest.fixture
def config(python_image: str, java_image: str) -> SandboxConfig:
    return SandboxConfig(images={python.PYTHON: python_image, JAVA_LANGUAGE: java_image}, pool_size=1)


def test_every_layer_holds_and_what_is_weaker_is_stated(config: SandboxConfig, service: str) -> None:
    examination = examine(DockerSandbox(config), python.PYTHON, ((LABEL_SERVICE, service),))
    assert [finding for finding in examination.findings if finding.failed] == []
    weaker = {"files in /tmp", "files in /src"}
    if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        weaker.add("control group names")
    assert {finding.name for finding in examination.findings if finding.is_weaker} == weaker
    assert dict(examination.facts)["Engine"].startswith("Podman ")


@pytest.mark.django_db(transaction=True)
def test_the_commands_accept_podman_and_name_what_is_weaker() -> None:
    checked = manage("sandbox_check", "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    findings = json.loads(checked.stdout)["findings"]
    assert ("engine", "Podman 4.3 or later") in {(one["layer"], one["expected"]) for one in findings}
    examined = manage("doctor", "--only", "engine")
    assert examined.returncode == 0, examined.stdout + examined.stderr
    assert "Podman " in examined.stdout
    assert "no limit of the number of files in /tmp and /src" in examined.stdout


def test_python_files_and_a_jar_compile(config: SandboxConfig, jar: bytes) -> None:
    tree = MemoryTree({"fine.py": DAG, "wrong.py": "import kiok\nimport nowhere\n", "fine.jar": jar})
    found = {file.source.path: file for file in compile_tree(tree, sandbox=DockerSandbox(config)).files}
    assert {path: file.status for path, file in found.items()} == {
        "fine.py": FileStatus.COMPILED,
        "fine.jar": FileStatus.COMPILED,
        "wrong.py": FileStatus.FAILED,
    }
    assert "nowhere" in found["wrong.py"].diagnostics[0].message


def test_processes_that_fill_the_pool_together_start_one_container(
    config: SandboxConfig, python_image: str, engine: docker.DockerClient, service: str
) -> None:
    with filling_processes(python_image, service) as processes:
        assert_one_of_them_fills(processes, DockerSandbox(config).pool, engine, service, rounds=5)


def test_a_warm_container_is_claimed_and_orphans_are_removed(
    config: SandboxConfig, engine: docker.DockerClient, service: str, job_of: JobOf
) -> None:
    sandbox = DockerSandbox(config)
    claimed: list[None] = []
    sandbox.pool.on_claim = lambda: claimed.append(None)
    assert sandbox.pool.fill(service, "worker", [python.PYTHON]).ready == 1
    (result,) = sandbox.run(job_of({"a.py": DAG}))
    assert (result.outcome, claimed) == (CompileOutcome.OK, [None])
    # A container that has done its work is removed in the background.
    wait_until(lambda: names(engine, service) == [], "the claimed container is gone")
    assert sandbox.pool.fill(service, "worker", [python.PYTHON]).started == 1
    assert remove_orphans(sandbox.engine, service, lambda owner: owner == "worker") == []
    assert len(remove_orphans(sandbox.engine, service, lambda _owner: False)) == 1
    assert names(engine, service) == []


def test_a_taken_name_and_an_absent_container_are_distinguished(
    config: SandboxConfig, python_image: str, service: str
) -> None:
    client = DockerSandbox(config).engine.client()
    create = {"image": python_image, "name": f"{service}-taken", "labels": {LABEL_SERVICE: service}}
    made = client.create_container(**create)["Id"]
    with pytest.raises(APIError) as raised:
        client.create_container(**create)
    assert raised.value.status_code == 409
    client.remove_container(made, force=True)
    with pytest.raises(NotFound):
        client.remove_container(made, force=True)


def test_a_profile_that_is_not_on_podmans_machine_is_reported(config: SandboxConfig, job_of: JobOf) -> None:
    elsewhere = DockerSandbox(replace(config, podman_seccomp_path="/nowhere/seccomp.json"))
    with pytest.raises(SandboxUnavailable) as raised:
        list(elsewhere.run(job_of({"a.py": DAG})))
    assert "/nowhere/seccomp.json" in str(raised.value)
    assert "kiok.sandbox.podman.seccomp.path" in str(raised.value)


def test_a_configured_runtime_is_refused(config: SandboxConfig, job_of: JobOf) -> None:
    with pytest.raises(SandboxUnavailable, match=r"kiok\.sandbox\.runtime is no-such-runtime"):
        list(DockerSandbox(replace(config, runtime="no-such-runtime")).run(job_of({"a.py": DAG})))


def test_without_landlock_only_src_and_tmp_can_be_written(
    config: SandboxConfig, job_of: JobOf, tmp_path: Path
) -> None:
    """Podman adds writable folders. Landlock would hide whether they are closed."""
    profile = tmp_path / "seccomp.json"
    profile.write_text(without_landlock())
    folders = ("/", "/src", "/tmp", "/run", "/var/tmp", "/var", "/dev", "/dev/shm", "/etc", "/opt", "/home")
    program = f"{PROBE}\nanswer({{path: tried(os.mkdir, path + '/made') for path in {folders}}})\n"
    sandbox = DockerSandbox(replace(config, podman_seccomp_path=str(profile)))
    (result,) = sandbox.run(job_of({"a.py": program}))
    found = json.loads(result.payload)
    assert {path for path, code in found.items() if not code} == {"/src", "/tmp"}
    assert {found["/run"], found["/var/tmp"]} <= {errno.EROFS, errno.EACCES}


def test_a_file_that_makes_files_without_end_fails_alone(python_image: str) -> None:
    """The file may end its container too; the files without a result then run in their own containers."""
    limits = SandboxLimits(file_timeout_seconds=600, memory_bytes=96 << 20)
    sandbox = DockerSandbox(SandboxConfig(images={python.PYTHON: python_image}, limits=limits))
    hostile = (PYTHON / f"{ENDLESS}.py").read_text()
    tree = MemoryTree({"a.py": DAG, "b.py": f"import kiok\n{hostile}", "c.py": DAG.replace("fine", "other")})
    found = {file.source.path: file for file in compile_tree(tree, sandbox=sandbox).files}
    assert {path: file.status for path, file in found.items()} == {
        "a.py": FileStatus.COMPILED,
        "b.py": FileStatus.FAILED,
        "c.py": FileStatus.COMPILED,
    }
    message = found["b.py"].diagnostics[0].message
    assert re.search("memory|Memory|container ended before its last result", message), message


@pytest.fixture(scope="module")
def battle(python_image: str, podman: str) -> Battle:
    return battle_of_python(python_image, CONTAINED)


@pytest.mark.parametrize("attack", CONTAINED, ids=str)
def test_a_hostile_python_file_is_contained(battle: Battle, attack: Attack) -> None:
    contained(
        battle,
        python.PYTHON,
        attack,
        path_of(attack),
        limit_seconds=LIMIT_SECONDS,
        grace_seconds=GRACE_SECONDS,
    )


def test_the_innocent_files_and_the_host_are_unharmed(battle: Battle) -> None:
    for crowd in battle.crowds:
        for path in crowd.order[::2]:
            assert without_path_and_time(crowd.results[path]) == battle.undisturbed_file()
    assert [crowd.containers for crowd in battle.crowds] == [1] * len(battle.crowds)
    assert [crowd.left for crowd in battle.crowds] == [[]] * len(battle.crowds)
