"""Real containers of a real engine. Without an engine the tests fail: nothing here is skipped."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from compilers.formats.jar import JAVA
from compilers.formats.python import PYTHON
from compilers.sandbox.base import SandboxJob
from compilers.sandbox.config import LABEL_SERVICE, SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from tests.support.trees import MemoryTree
from tests.support.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
# Building the images for the first time takes longer than any test.
BUILD_SECONDS = 1500
# Containers are removed in the background.
GONE_SECONDS = 180


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS + 180))


def _build(*images: str) -> None:
    run = subprocess.run(
        [ROOT / "scripts" / "images.sh", *images],
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    if run.returncode:
        pytest.fail(f"the sandbox images could not be built:\n{run.stdout}{run.stderr}", pytrace=False)


@pytest.fixture(scope="session")
def python_image() -> str:
    """Return the Python image, built from the current sources."""
    _build("python")
    return os.environ.get("KIOK_IMAGE_PYTHON", "kiok-sandbox-python:dev")


@pytest.fixture(scope="session")
def java_image() -> str:
    """Return the image for jars, built from the current sources."""
    _build("java")
    return os.environ.get("KIOK_IMAGE_JAVA", "kiok-sandbox-java:dev")


@pytest.fixture(scope="session")
def java_builder_image() -> str:
    """Return the image with the JDK, the SDK's sources and their compiled form (/out)."""
    _build("java-builder")
    return os.environ.get("KIOK_IMAGE_JAVA_BUILDER", "kiok-java-builder:dev")


@pytest.fixture(scope="session")
def sandbox(python_image: str, java_image: str) -> DockerSandbox:
    """Return a sandbox configured as in the service, for Python and jars."""
    return DockerSandbox(SandboxConfig(images={PYTHON: python_image, JAVA: java_image}))


@pytest.fixture(scope="session")
def impatient_config(python_image: str) -> SandboxConfig:
    """Return a configuration for Python only, with a time limit short enough for tests of hangs."""
    return SandboxConfig(images={PYTHON: python_image}, limits=SandboxLimits(file_timeout_seconds=6))


@pytest.fixture(scope="session")
def impatient(impatient_config: SandboxConfig) -> DockerSandbox:
    return DockerSandbox(impatient_config)


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def service(engine: docker.DockerClient) -> Iterator[str]:
    """Return a label value that only this test's containers have. Fail a test that leaves one behind."""
    name = f"test-{secrets.token_hex(8)}"
    yield name
    until = time.monotonic() + GONE_SECONDS
    while left := engine.api.containers(all=True, filters={"label": f"{LABEL_SERVICE}={name}"}):
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    for container in left:
        engine.api.remove_container(container["Id"], force=True)
    assert not left, f"containers left behind: {[container['Names'] for container in left]}"


@pytest.fixture(scope="session", autouse=True)
def patience_with_drivers() -> Iterator[None]:
    """Give a driver as much time as on a busy machine: the tests use containers that have just been started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("compilers.sandbox.session._GREETING_SECONDS", PATIENCE_SECONDS)
        yield


JobOf = Callable[[dict[str, str]], SandboxJob]


@pytest.fixture
def job_of(service: str) -> JobOf:
    """Return a factory of jobs that compile all given Python sources in the given order."""

    def make(files: dict[str, str]) -> SandboxJob:
        tree = MemoryTree(files)
        return SandboxJob(
            language=PYTHON,
            files=list(files),
            entries=tree.entries,
            tree=tree,
            labels=((LABEL_SERVICE, service), ("kiok.sync", "1")),
        )

    return make
