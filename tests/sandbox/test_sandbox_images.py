"""The built images: small, with nothing writable or privileged."""

from __future__ import annotations

import io
import os
import secrets
import subprocess
from pathlib import Path

import docker
import pytest

from compilers.sandbox.protocol import VERSION
from tests.support.images import image_from

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["python", "java"])
def image(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_image")
    return found


def output_of(engine: docker.DockerClient, image: str, script: str) -> str:
    made = engine.containers.run(
        image, ["-c", script], entrypoint="/bin/sh", user="0:0", network_mode="none", remove=True
    )
    return made.decode()


def test_an_image_runs_the_driver_as_an_unprivileged_user(engine: docker.DockerClient, image: str) -> None:
    config = engine.images.get(image).attrs["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"][0] == "/opt/kiok/bin/driver-python"
    assert config["Labels"]["kiok.protocol"] == str(VERSION)


def test_the_drivers_interpreter_cannot_be_read(engine: docker.DockerClient, image: str) -> None:
    assert output_of(engine, image, "stat -c '%a %U %G' /opt/kiok/bin/driver-python") == "711 root root\n"


def test_no_program_of_an_image_gains_privileges(engine: docker.DockerClient, image: str) -> None:
    assert output_of(engine, image, "find / -xdev -type f -perm /6000") == ""


def test_nothing_of_an_image_is_writable_to_its_user(engine: docker.DockerClient, image: str) -> None:
    found = output_of(
        engine, image, "find /opt /usr /etc -xdev ! -type l ! -user root -o -perm /002 ! -type l"
    )
    assert found == ""


def test_an_image_holds_the_sdk_and_nothing_of_the_service(engine: docker.DockerClient, image: str) -> None:
    packages = output_of(
        engine, image, "find /opt/kiok -type d ! -name __pycache__ -printf '%P\\n' | sort"
    ).split()
    assert "python/kiok" in packages
    for absent in ("server", "metadata", "connections"):
        assert f"python/kiok/{absent}" not in packages
    assert output_of(engine, image, "ls /var/lib/apt/lists /var/cache/apt").split() == [
        "/var/cache/apt:",
        "/var/lib/apt/lists:",
    ]


def test_images_that_are_current_are_not_built_again(python_image: str, java_image: str) -> None:
    command = [str(ROOT / "scripts" / "images.sh"), "python", "java"]
    subprocess.run(command, capture_output=True, check=True)
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [
        f"images: {python_image} is current",
        f"images: {java_image} is current",
    ]


def test_a_build_removes_replaced_images_that_are_not_in_use(
    engine: docker.DockerClient, python_image: str
) -> None:
    tag = f"kiok-test-image:{secrets.token_hex(8)}"

    def build() -> None:
        subprocess.run(
            [ROOT / "scripts" / "images.sh", "python"],
            env={**os.environ, "KIOK_IMAGE_PYTHON": tag, "KIOK_REBUILD": "1"},
            capture_output=True,
            check=True,
        )

    with image_from(python_image, f"LABEL of.a.team={tag}") as team:
        others = engine.images.get(team)
        # Like a team's own image that was rebuilt: without a name, and with the labels of its base image.
        engine.images.get(python_image).tag(team)
        recipe = io.BytesIO(f"FROM {python_image}\nLABEL kiok.inputs={tag}\n".encode())
        old, _ = engine.images.build(fileobj=recipe, tag=tag, rm=True)
        user = engine.api.create_container(old.id)
        try:
            build()
            assert engine.images.get(old.id).tags == [], "a container is on it"
        finally:
            engine.api.remove_container(user["Id"])
        try:
            build()
            with pytest.raises(docker.errors.ImageNotFound):
                engine.images.get(old.id)
            assert engine.images.get(others.id).tags == []
        finally:
            engine.images.remove(tag)
