"""`manage.py doctor`: the container engine, images, disks and git of a host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from compilers.formats.jar import JAVA
from compilers.formats.python import PYTHON
from compilers.sandbox.config import LABEL_PROTOCOL
from gitsync.models import Repository
from gitsync.monitoring.doctor import engine, host
from gitsync.worker import sandbox
from kiok.checks import CheckStatus
from tests.support.cluster import ROOT
from tests.support.doctor import outcome
from tests.support.images import image_from

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def new_sandbox() -> Iterator[None]:
    """The sandbox of the settings and the environment as the test makes them."""
    sandbox.sandbox.cache_clear()
    yield
    sandbox.sandbox.cache_clear()


# The engine.


def test_a_missing_engine_is_reported(
    new_sandbox: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    status, text = outcome(engine.engine())
    assert status == "fail"
    assert "no Docker engine answers at DOCKER_HOST=" in text
    # What lies behind it is not to blame.
    Repository.objects.create(name="own", images={"python": "team-python:1"})
    for look in (lambda: engine.image(PYTHON), engine.images_of_repositories):
        assert outcome(look()) == ("warn", "unknown while the engine does not respond")


def test_the_engine_of_this_machine_passes_the_check(new_sandbox: None) -> None:
    found = engine.engine()
    assert found.status is not CheckStatus.FAIL
    assert "seccomp" in found.detail


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({}, "warn", "neither rootless nor with user namespaces"),
        ({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}, "ok", "seccomp, rootless"),
        ({"SecurityOptions": None}, "fail", "no seccomp"),
        ({"PidsLimit": False, "SwapLimit": False}, "fail", "it cannot limit swap, processes"),
        # Rootless Podman with cgroup version 1, where no limit is enforced.
        (
            {"SecurityOptions": ["name=seccomp", "name=rootless"], "CgroupVersion": "1"},
            "fail",
            "it cannot limit memory, swap, processes, CPU",
        ),
    ],
)
def test_the_properties_of_an_engine_are_checked(change: dict[str, Any], status: str, message: str) -> None:
    info = {
        **{
            "ServerVersion": "28.0.1",
            "CgroupVersion": "2",
            "SecurityOptions": ["name=seccomp,profile=builtin"],
        },
        **dict.fromkeys(("MemoryLimit", "SwapLimit", "PidsLimit", "CpuCfsQuota"), True),
        **change,
    }
    found = outcome(engine.judged(info, {"Version": "28.0.1"}))
    assert found[0] == status
    assert message in found[1]


@pytest.mark.parametrize(
    ("product", "version", "cgroups", "status", "message"),
    [
        ("Engine", "19.03.15", "2", "fail", "Upgrade the engine to Docker Engine 20.10 or later."),
        ("Engine", "20.10.24", "2", "ok", "20.10.24, cgroup v2, seccomp, userns"),
        ("Podman Engine", "4.2.1", "2", "fail", "Upgrade the engine to Podman 4.3 or later."),
        (
            "Podman Engine",
            "4.3.1",
            "2",
            "ok",
            "Podman 4.3.1, cgroup v2, seccomp, userns; no limit of the number of",
        ),
        ("Podman Engine", "4.3.1", "1", "ok", "containers can read the names of the host's control groups"),
    ],
)
def test_each_engine_is_held_to_its_own_version_and_weaknesses_are_named(
    product: str, version: str, cgroups: str, status: str, message: str
) -> None:
    info = {
        **dict.fromkeys(("MemoryLimit", "SwapLimit", "PidsLimit", "CpuCfsQuota"), True),
        "CgroupVersion": cgroups,
        "SecurityOptions": ["name=seccomp,profile=default", "name=userns"],
    }
    found = engine.judged(info, {"Version": version, "Components": [{"Name": product, "Version": version}]})
    assert found.status.value == status
    assert message in f"{found.detail} {found.remedy}"


def test_missing_images_and_those_of_another_version_are_reported(
    new_sandbox: None, settings: Settings
) -> None:
    assert outcome(engine.images_of_repositories()) == ("ok", "no repository names an image")
    python = settings.KIOK.sandbox_image_python
    settings.KIOK = replace(settings.KIOK, sandbox_image_java="kiok-no-such-image:1")
    status, text = outcome(engine.image(JAVA))
    assert status == "fail"
    assert "'kiok-no-such-image:1'" in text
    assert "is not on the engine" in text
    assert outcome(engine.image(PYTHON))[0] == "ok"
    with image_from(python, f"LABEL {LABEL_PROTOCOL}=0") as old:
        Repository.objects.create(name="old", images={"python": old})
        Repository.objects.create(name="gone", images={"jar": "kiok-no-such-image:2"})
        status, text = outcome(engine.images_of_repositories())
    assert status == "fail"
    assert f"{old} (built for another version)" in text
    assert "kiok-no-such-image:2 (missing)" in text


# The machine.


def test_a_disk_without_free_bytes_or_free_inodes_is_reported(tmp_path: Path) -> None:
    """Fill a small tmpfs in a mount namespace."""
    code = """
import json, subprocess, sys
from pathlib import Path
import django
django.setup()
from gitsync.monitoring.doctor.host import disk
folder, told = Path(sys.argv[1]), []
def look(folder=folder):
    found = disk(folder, "kiok.base.data.dir", 1 << 20)
    told.append([found.status.value, found.detail, found.remedy])
look()
try:
    (folder / "large").write_bytes(b"x" * (64 << 20))
except OSError:
    pass
look()
(folder / "large").unlink()
try:
    for number in range(10_000):
        (folder / str(number)).touch()
except OSError:
    pass
look()
for path in folder.iterdir():
    path.unlink()
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
look()
look(folder / "not" / "there")
print(json.dumps(told))
"""
    mount = 'mount -t tmpfs -o size=20m,nr_inodes=6000 none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount"),
            *("sh", "-c", mount, "sh", str(tmp_path), sys.executable, code),
        ],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "kiok.server.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    empty, full, crowded, locked, none_yet = json.loads(done.stdout.splitlines()[-1])
    assert empty[:2] == ["ok", f"{tmp_path}: 20 MiB, 5999 files free"]
    for found in (full, crowded):
        assert found == [
            "fail",
            f"{tmp_path} is not writable: No space left on device",
            "Free disk space there, or set another folder (kiok.base.data.dir).",
        ]
    assert locked[:2] == ["fail", f"{tmp_path} is not writable: Read-only file system"]
    assert none_yet[:2] == ["fail", f"{tmp_path} is not writable: Read-only file system"]


def test_the_parent_of_a_folder_that_does_not_exist_yet_is_checked(tmp_path: Path) -> None:
    assert outcome(host.disk(tmp_path / "mirrors" / "x", "kiok.base.data.dir", 1))[0] == "ok"
    assert outcome(host.disk(tmp_path, "kiok.base.data.dir", 1 << 60))[0] == "warn"


def test_a_machine_without_git_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert outcome(host.git())[0] == "ok"
    monkeypatch.setenv("PATH", str(tmp_path))
    status, text = outcome(host.git())
    assert (status, text) == ("fail", "git is not installed, or not on the PATH of the service")
    assert outcome(host.signatures())[0] == "ok"
    Repository.objects.create(name="team", verify="commit")
    assert outcome(host.signatures())[0] == "fail"
