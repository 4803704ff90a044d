"""docker-compose.yml: the permissions of each service."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kiok.properties.risk import Risk
from kiok.server import deployment_checks, properties

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EVERY = pytest.mark.parametrize("name", SERVICES)


def users_of(volume: str) -> set[str]:
    return {name for name, service in SERVICES.items() if f"{volume}:" in str(service.get("volumes"))}


def test_services_are_those_of_the_guide() -> None:
    assert set(SERVICES) == {"db", "engine", "migrate", "web", "worker"}


@EVERY
def test_services_drop_capabilities_and_have_read_only_roots(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert not {"pid", "ipc", "network_mode", "userns_mode", "devices"} & service.keys()


def test_only_the_engine_is_root_or_has_capabilities() -> None:
    for name, service in SERVICES.items():
        special = name == "engine"
        assert ("cap_add" in service) == special, name
        assert ("user" not in service) == special, name
        assert ("seccomp=unconfined" in service["security_opt"]) == special, name


@EVERY
def test_services_mount_no_engine_socket_and_only_images_of_the_host(
    name: str,
) -> None:
    images = "${KIOK_COMPOSE_DIR:-./.kiok/compose}/images:/images:ro"
    mounts = [mount for mount in SERVICES[name].get("volumes", []) if mount != images or name != "engine"]
    assert {mount.partition(":")[0] for mount in mounts} <= COMPOSE["volumes"].keys()
    assert "docker.sock" not in str(SERVICES[name].get("volumes"))


def test_only_the_worker_reaches_the_engine_with_a_certificate() -> None:
    on_its_network = {name for name, service in SERVICES.items() if "engine" in service.get("networks", [])}
    assert on_its_network == {"engine", "worker"}
    assert users_of("certificates") == {"engine", "worker"}
    assert "certificates:/certificates:ro" in SERVICES["worker"]["volumes"]
    environment = SERVICES["worker"]["environment"]
    assert environment["DOCKER_HOST"].startswith("tcp://engine:")
    assert environment["DOCKER_TLS_VERIFY"] == "1"
    assert "secrets" not in SERVICES["engine"]


def test_only_the_web_server_publishes_a_port() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"web"}
    assert SERVICES["web"]["ports"] == ["${KIOK_PUBLISH:-127.0.0.1:8000}:8000"]
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside == {"web", "worker"}
    for network in ("database", "engine"):
        assert COMPOSE["networks"][network]["internal"] is True
        assert COMPOSE["networks"][network]["driver_opts"] == {
            "com.docker.network.bridge.inhibit_ipv4": "true"
        }


@EVERY
def test_secrets_are_passed_as_files_only(name: str) -> None:
    for variable in SERVICES[name].get("environment", {}):
        if re.search(r"KEY|PASSWORD|DATABASE_URL|TOKEN", variable):
            assert variable.endswith("_FILE"), variable
    assert not {"ca", "pip"} & set(SERVICES[name].get("secrets", []))


@EVERY
def test_long_running_services_have_health_checks_and_tagged_images(name: str) -> None:
    service = SERVICES[name]
    assert service["image"].endswith(":${KIOK_TAG:-dev}")
    if name == "migrate":
        assert service["restart"] == "no"
    else:
        assert service["healthcheck"]
        assert service["restart"] == "unless-stopped"
    for needed in service.get("depends_on", {}).values():
        assert needed["condition"] in {"service_healthy", "service_completed_successfully"}


def test_each_image_is_built_by_one_service_and_never_pulled() -> None:
    builders = {
        service["image"]: service["build"]["target"] for service in SERVICES.values() if "build" in service
    }
    assert sorted(builders.values()) == ["database", "engine", "service"]
    assert len([name for name, service in SERVICES.items() if "build" in service]) == len(builders)
    for name, service in SERVICES.items():
        assert service["image"] in builders, name
        assert "build" in service or service["pull_policy"] == "never", name


def test_stack_uses_the_files_of_its_script_and_accepts_one_risk(tmp_path: Path) -> None:
    folder = tmp_path / "compose"
    subprocess.run(
        [ROOT / "scripts" / "compose-secrets.sh"],
        env={**os.environ, "KIOK_COMPOSE_DIR": str(folder)},
        capture_output=True,
        check=True,
    )
    environ = {"KIOK_WEB_HOST": "0.0.0.0", "KIOK_CONFIG": str(folder / "kiok.properties")}
    for name, file in SERVICES["web"]["environment"].items():
        if name.endswith("_FILE"):
            source = COMPOSE["secrets"][file.removeprefix("/run/secrets/")]["file"]
            environ[name] = str(folder / source.rpartition("/")[2])
    for variable in ("DOCKER_HOST", "DOCKER_TLS_VERIFY"):
        environ[variable] = SERVICES["worker"]["environment"][variable]
    assert len(environ) == 8
    found = deployment_checks.judge(properties.load(environ), environ)
    assert [one.name for one in found] == [Risk.DATABASE_TLS]
    assert found[0].detail.startswith("DATABASE_URL points to db ")


def test_health_check_of_the_worker_is_that_of_the_service() -> None:
    from kiok.cluster.heartbeat import ALIVE_SECONDS
    from kiok.server import worker_health

    assert worker_health.ALIVE_SECONDS == ALIVE_SECONDS
    assert SERVICES["worker"]["healthcheck"]["test"][-1] == worker_health.__name__
