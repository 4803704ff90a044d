"""The search for remains works: otherwise finding none would prove nothing."""

from __future__ import annotations

import subprocess

import docker

from compilers.formats.python import PYTHON
from compilers.sandbox.base import SandboxJob
from compilers.sandbox.config import LABEL_SERVICE, SandboxConfig
from compilers.sandbox.container import start_container
from compilers.sandbox.engine import Engine
from tests.sandbox.leftovers import Watch, watched
from tests.support.trees import MemoryTree
from tests.support.waiting import wait_until


def _kinds(watch: Watch) -> set[str]:
    """Return the first words of the current findings."""
    return {found.split(" ")[0] for seen in watch.seen for found in watch.left_of(seen)}


def test_all_parts_of_a_running_container_are_found_none_of_an_ended_one(
    python_image: str, engine: docker.DockerClient, service: str
) -> None:
    config = SandboxConfig(images={PYTHON: python_image})
    job = SandboxJob(PYTHON, ["a"], [], MemoryTree({}), labels=((LABEL_SERVICE, service),))

    with watched(engine, f"{LABEL_SERVICE}={service}") as watch:
        container = start_container(Engine(config), config, job)

    assert len(watch.seen) == 1
    # Also mounts and folders, if this process may read those of the engine.
    assert _kinds(watch) >= {"container", "process", "control"}
    container.end().result(600)
    assert watch.left() == []


def test_a_process_that_outlives_its_container_is_found(
    python_image: str, engine: docker.DockerClient, service: str
) -> None:
    config = SandboxConfig(images={PYTHON: python_image})
    job = SandboxJob(PYTHON, ["a"], [], MemoryTree({}), labels=((LABEL_SERVICE, service),))
    with watched(engine, f"{LABEL_SERVICE}={service}") as watch:
        start_container(Engine(config), config, job).end().result(600)
    (seen,) = watch.seen
    assert watch.left() == []

    # As if it had escaped: it has the container's id in its arguments, like the engine's helper processes.
    escaped = subprocess.Popen(["sh", "-c", "sleep 3600", f"escaped-{seen.id}"])
    try:
        wait_until(lambda: _kinds(watch), "it is seen")
        assert _kinds(watch) == {"process"}
    finally:
        escaped.kill()
        escaped.wait()
    assert watch.left() == []
