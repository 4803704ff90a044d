"""The sandbox check: it compares what the engine provides with what is required, as a command and in the admin."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from io import StringIO
from typing import Any

import docker
import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.signing import SignedPackage

from compilers.formats.python import PYTHON
from compilers.sandbox.base import SandboxUnavailable
from compilers.sandbox.config import LABEL_SERVICE
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.self_check import Examination, LayerResult, examine
from gitsync.management import terminal
from gitsync.monitoring import sandbox_check
from gitsync.worker import sandbox as worker_sandbox
from kiok.checks import CheckStatus
from tests.support.processes import manage

PAGE = "/admin/gitsync/system/"

pytestmark = pytest.mark.django_db(transaction=True)


def wanting(examination: Examination) -> dict[str, str]:
    """Return the findings that provide less than required, by layer."""
    return {finding.name: finding.detail for finding in examination.findings if finding.failed}


def checked(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return manage("sandbox_check", *arguments, **more)


def test_this_host_gives_all_that_is_promised(
    sandbox: DockerSandbox, engine: docker.DockerClient, service: str
) -> None:
    examination = examine(sandbox, PYTHON, ((LABEL_SERVICE, service),))

    assert wanting(examination) == {}
    layers = [finding.name for finding in examination.findings]
    assert len(layers) == len(set(layers))
    assert {"seccomp", "Landlock", "memory", "processes", "network", "the driver"} <= set(layers)
    assert Examination.from_json(json.loads(json.dumps(examination.to_json()))) == examination
    digests = [engine.images.get(name).id for name in sandbox.config.images.values()]
    assert all(any(str(digest) in text for _, text in examination.facts) for digest in digests)
    facts = dict(examination.facts)
    assert re.search(r", Python 3\.\d+\.\d+\)$", facts["Image for python"])
    assert re.search(r", Python 3\.\d+\.\d+, Java \d+\.\d+\.\d+\)$", facts["Image for jar"])


def test_a_missing_filter_and_permitted_calls_are_found(sandbox: DockerSandbox) -> None:
    found = wanting(examine(DockerSandbox(replace(sandbox.config, seccomp_profile="unconfined")), PYTHON))

    assert set(found) == {"seccomp", "system calls", "the driver"}
    assert "io_uring_setup" in found["system calls"]
    assert "socket AF_VSOCK" in found["system calls"]
    assert "its limits" in found["the driver"]


def test_limits_that_do_not_hold_are_found(sandbox: DockerSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The containers get these limits, and are checked against narrower ones."""
    wide = SandboxLimits(
        pids=70,
        memory_bytes=600 << 20,
        tmp_bytes=20 << 20,
        tmp_inodes=3000,
        src_inodes=30_000,
        max_open_files=300,
    )

    class Laxer(DockerSandbox):
        """An engine with weaker limits than requested."""

        def run(self, job: Any) -> Any:
            return DockerSandbox(replace(sandbox.config, limits=wide)).run(job)

    assert set(wanting(examine(Laxer(sandbox.config), PYTHON))) == {
        "memory",
        "processes",
        "size of /tmp",
        "files in /tmp",
        "files in /src",
        "open files",
    }


def test_the_command_reports_success_with_status_0(sandbox: DockerSandbox) -> None:
    done = checked()

    assert done.returncode == 0, done.stdout + done.stderr
    assert "all as expected" in done.stdout
    assert "Landlock" in done.stdout
    assert "✗" not in done.stdout


def test_the_command_gives_one_json_object_and_nothing_else(sandbox: DockerSandbox) -> None:
    done = checked("--json")

    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert value["ok"] is True
    assert {"layer", "expected", "found", "ok", "weaker"} == set(value["findings"][0])


def test_without_an_engine_the_command_fails_with_status_1() -> None:
    done = checked("--json", DOCKER_HOST="unix:///nowhere/docker.sock")

    assert done.returncode == 1
    assert "no Docker engine answers" in done.stderr
    assert json.loads(done.stdout)["ok"] is False
    assert "Traceback" not in done.stderr


@pytest.fixture
def weak(sandbox: DockerSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the service's sandbox by one without a filter of system calls."""
    filterless = DockerSandbox(replace(sandbox.config, seccomp_profile="unconfined"))
    monkeypatch.setattr(worker_sandbox, "sandbox", lambda: filterless)


def test_less_than_promised_is_status_1(weak: None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        call_command("sandbox_check")
    assert raised.value.code == 1
    assert "3 of them not as expected" in " ".join(capsys.readouterr().out.split())

    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("sandbox_check", "--json", stdout=out)
    assert json.loads(out.getvalue())["ok"] is False


# The admin's page.


@pytest.fixture
def browser(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada", password="x"))
    return client


def work() -> None:
    """Run the only queued task and record its end, as django-q2's worker and monitor do."""
    row = OrmQ.objects.get()
    task = SignedPackage.loads(row.payload)
    assert task["func"] == sandbox_check.TASK
    Task.objects.create(
        id=task["id"], name=task["name"], func=task["func"], group=task["group"],
        result=sandbox_check.check(), started=task["started"], stopped=timezone.now(), success=True,
    )  # fmt: skip
    row.delete()


def status(browser: Client) -> dict[str, Any]:
    shown: dict[str, Any] = browser.get(f"{PAGE}status/").json()
    return shown


def test_the_page_shows_the_workers_result_and_settings_link_to_it(
    browser: Client, sandbox: DockerSandbox, engine: docker.DockerClient
) -> None:
    assert f'href="{PAGE}"' in browser.get("/admin/connections/connection/").content.decode()
    assert "No check has run yet" in browser.get(PAGE).content.decode()

    assert browser.post(f"{PAGE}check/").headers["Location"] == PAGE
    assert status(browser)["settled"] is False
    work()

    shown = status(browser)
    assert shown["settled"] is True
    assert "As expected" in shown["parts"]["line"]
    assert "Landlock" in shown["parts"]["body"]
    for name in worker_sandbox.sandbox().config.images.values():
        assert str(engine.images.get(name).id) in shown["parts"]["body"]
    assert shown["parts"]["body"] in browser.get(PAGE).content.decode()


def test_the_page_shows_missing_guarantees(browser: Client, weak: None) -> None:
    browser.post(f"{PAGE}check/")
    work()
    shown = status(browser)
    assert "Not as expected" in shown["parts"]["line"]
    assert "io_uring_setup" in shown["parts"]["body"]


def test_the_page_and_the_command_show_weaknesses_of_an_engine(
    browser: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    good = LayerResult("network", CheckStatus.OK, "none", expected="none")
    weaker = LayerResult("files in /tmp", CheckStatus.WARN, "no limit with Podman", expected="2000")
    examination = Examination((good, weaker), (), 1.0)
    assert examination.ok
    now = timezone.now()
    Task.objects.create(
        id="0" * 32, name="check", func=sandbox_check.TASK, started=now, stopped=now, success=True,
        result={"error": "", "examination": examination.to_json()},
    )  # fmt: skip
    shown = status(browser)["parts"]
    assert "2 of 2 isolation layers are as expected. 1 of them is weaker with this engine." in shown["line"]
    assert shown["body"].count("kiok-warn") == 1
    terminal.show_examination(examination)
    printed = " ".join(capsys.readouterr().out.split())
    assert "2 layers, all as expected, 1 of them weaker with this engine (!)" in printed
    assert "! no limit with Podman" in printed


def test_the_page_shows_that_there_is_no_engine(
    browser: Client, sandbox: DockerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = DockerSandbox(replace(sandbox.config, engine_url="unix:///nowhere/docker.sock"))
    monkeypatch.setattr(worker_sandbox, "sandbox", lambda: nowhere)
    with pytest.raises(SandboxUnavailable):
        sandbox_check.examination()
    browser.post(f"{PAGE}check/")
    work()
    assert "no Docker engine answers" in status(browser)["parts"]["line"]


def test_viewers_of_repositories_see_the_page_and_changers_check() -> None:
    viewer = User.objects.create_user("vic", password="x", is_staff=True)
    client = Client()
    client.force_login(viewer)
    assert client.get(PAGE).status_code == 403
    assert PAGE not in client.get("/admin/", follow=True).content.decode()

    viewer.user_permissions.add(Permission.objects.get(codename="view_repository"))
    assert f"{PAGE}check/" not in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}check/").status_code == 403
    assert OrmQ.objects.count() == 0

    viewer.user_permissions.add(Permission.objects.get(codename="change_repository"))
    assert f"{PAGE}check/" in client.get(PAGE).content.decode()
    assert client.get(f"{PAGE}check/").status_code == 405
    assert client.post(f"{PAGE}check/").status_code == 302
    assert OrmQ.objects.count() == 1
    assert Client().get(PAGE).status_code == 302
