"""`manage.py doctor`: each part broken for real, and what is said of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from compilers.formats.jar import JAVA
from compilers.formats.python import PYTHON
from compilers.sandbox.config import LABEL_PROTOCOL
from gitsync.models import QueuedSync, Repository, Trigger
from gitsync.monitoring.doctor import database, engine, host, secrets, web, workers
from gitsync.monitoring.doctor.check import Check, ok
from gitsync.monitoring.doctor.runner import NAMES, examine
from gitsync.tasks import enqueue_sync
from gitsync.worker import sandbox
from kiok.checks import CheckResult, CheckStatus
from kiok.cluster.leader import take_lead
from kiok.cluster.models import LeaderLease, Worker
from kiok.connections.models import Connection
from kiok.notifications.models import Notification, NotificationChannel, NotificationDelivery
from tests.support.cluster import ROOT
from tests.support.images import image_from

pytestmark = pytest.mark.django_db(transaction=True)

DATABASE_PASSWORD = "a-password-of-the-database"


@pytest.fixture
def well() -> None:
    """A leader, a worker, nothing in the queue."""
    LeaderLease.objects.update_or_create(pk=1, defaults={"holder": "", "expires_at": None})
    OrmQ.objects.all().delete()
    assert take_lead()
    Worker.objects.create(name="ant/boot/1/2/3", started_at=timezone.now(), seen_at=Now())


@pytest.fixture
def new_sandbox() -> Iterator[None]:
    """The sandbox of the settings and the environment as the test makes them."""
    sandbox.sandbox.cache_clear()
    yield
    sandbox.sandbox.cache_clear()


def told(found: CheckResult) -> tuple[str, str]:
    """Status and text; what is not well always comes with what to do."""
    assert bool(found.remedy) == (found.status is not CheckStatus.OK)
    return found.status.value, found.detail


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit status and what it prints."""
    status = 0
    try:
        call_command("doctor", *arguments)
    except SystemExit as exc:
        status = int(str(exc.code))
    return status, capsys.readouterr().out


# The command.


def test_a_well_installation_has_a_line_for_each_part_and_status_0(
    well: None, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = doctor(capsys, "--json")
    found = json.loads(printed)
    assert [item["name"] for item in found["checks"]] == list(NAMES)
    failed = [item for item in found["checks"] if item["status"] == "fail"]
    assert (failed, status, found["ok"]) == ([], 0, True)
    status, printed = doctor(capsys)
    lines = printed.splitlines()
    assert (status, len(lines)) == (0, len(NAMES))
    for name, line in zip(NAMES, lines, strict=True):
        assert line.split()[:2] in ([word, name] for word in ("ok", "warn")), line
        assert line.startswith("ok") or " → " in line, line
    assert "\x1b" not in printed  # it is no terminal


def test_what_failed_is_told_with_what_to_do_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    Worker.objects.all().delete()
    status, printed = doctor(capsys, "--only", "workers", "--only", "database", "--skip", "database")
    assert status == 1
    assert printed.startswith("fail  workers  no worker heartbeat in the last 15 s → Start `manage.py run`")
    with pytest.raises(CommandError, match="invalid choice: 'disc'"):
        call_command("doctor", "--only", "disc")


def test_a_check_that_hangs_and_one_that_breaks_stop_no_other() -> None:
    released = threading.Event()

    def hang() -> CheckResult:
        released.wait(600)
        return ok("too late")

    def broken() -> CheckResult:
        raise ZeroDivisionError("by\n\x1b[2Jnought")

    checks = [Check("hangs", hang), Check("breaks", broken), Check("works", lambda: ok("fine"))]
    try:
        hanging, breaking, working = results = examine(checks, limit_seconds=0.5)
    finally:
        released.set()
    assert [result.name for result in results] == ["hangs", "breaks", "works"]
    assert told(hanging) == ("fail", "no result within 0.5 s")
    assert told(breaking) == ("fail", "the check itself failed: ZeroDivisionError: by [2Jnought")
    assert told(working) == ("ok", "fine")


@pytest.mark.parametrize("kind", ["refuses", "is silent", "is of another version"])
def test_without_a_database_the_other_parts_are_told_nevertheless(kind: str, tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))  # takes connections, and never says anything
    port = 1 if kind == "refuses" else listener.getsockname()[1]
    url = f"postgresql://kiok:{DATABASE_PASSWORD}@127.0.0.1:{port}/kiok?connect_timeout=2"
    where = "given by DATABASE_URL"
    if kind == "is of another version":  # the embedded one, which does not start
        (tmp_path / "postgres").mkdir(mode=0o700)
        (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
        url, where = "", "embedded"
    skip = [argument for name in ("engine", "image-python", "image-jar") for argument in ("--skip", name)]
    with listener:
        done = subprocess.run(
            [sys.executable, "manage.py", "doctor", "--json", *skip],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url, "KIOK_BASE_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    found = {item["name"]: item for item in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert found["database"]["status"] == "fail"
    assert f"the database ({where}) does not respond" in found["database"]["found"]
    assert found["database"]["remedy"]
    for name in ("migrations", "clock", "leader", "workers", "queue", "syncs", "images-of-repositories"):
        assert found[name]["found"] == "unknown while the database does not respond", found[name]
    for name in ("git", "disk-data", "secret-files", "web"):
        assert found[name]["status"] in ("ok", "warn"), found[name]
    assert DATABASE_PASSWORD not in done.stdout + done.stderr
    assert ("was created by PostgreSQL 9" in done.stderr) == (where == "embedded")


# The store.


def test_tables_of_another_version_are_seen() -> None:
    assert told(database.migrations()) == ("ok", "all migrations are applied")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, name FROM django_migrations WHERE app = 'gitsync' ORDER BY name DESC LIMIT 1"
        )
        number, name = cursor.fetchone()
        try:
            cursor.execute("UPDATE django_migrations SET name = '9999_later' WHERE id = %s", [number])
            behind = database.migrations()
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('gitsync', %s, now())", [name]
            )
            ahead = database.migrations()
        finally:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'gitsync' AND name = %s", [name])
            cursor.execute("UPDATE django_migrations SET name = %s WHERE id = %s", [name, number])
    assert told(behind) == ("fail", f"1 migrations are not applied, the first is gitsync.{name}")
    assert told(ahead) == ("fail", "the database belongs to a newer version: gitsync.9999_later")


def test_a_table_that_is_missing_is_told_at_each_part_that_needs_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE gitsync_leadership RENAME TO gone")
        try:
            [leader] = examine([Check("leader", workers.leader, needs_database=True)])
        finally:
            cursor.execute("ALTER TABLE gone RENAME TO gitsync_leadership")
    assert told(leader) == ("warn", 'unknown: relation "gitsync_leadership" does not exist')


@pytest.mark.parametrize(
    ("ahead_seconds", "status", "says"),
    [
        (0.02, "ok", "20 ms difference"),
        (-3.0, "warn", "3.0 s behind"),
        (40.0, "fail", "40.0 s ahead of"),
    ],
)
def test_a_clock_that_is_off_is_told(ahead_seconds: float, status: str, says: str) -> None:
    found = told(database.judged_clock(ahead_seconds))
    assert found[0] == status
    assert says in found[1]
    assert database.clock().status is CheckStatus.OK


# Who works.


def test_a_task_that_waits_for_long_is_told(well: None) -> None:
    assert told(workers.queue()) == ("ok", "0 waiting, 0 running")
    enqueue_sync(Repository.objects.create(name="team").pk, Trigger.ADMIN)
    assert told(workers.queue())[0] == "ok"
    OrmQ.objects.update(lock=Now() - timedelta(hours=1))
    status, text = told(workers.queue())
    assert (status, text[:23]) == ("warn", "1 waiting, 0 running, o")
    assert "for 3600 s" in text


def test_a_sync_that_waits_for_long_is_told_whatever_wakes_workers(well: None) -> None:
    assert told(workers.syncs()) == ("ok", "0 queued, 0 running")
    enqueue_sync(Repository.objects.create(name="team").pk, Trigger.ADMIN)
    OrmQ.objects.all().delete()
    assert told(workers.syncs())[0] == "ok"
    QueuedSync.objects.update(requested_at=Now() - timedelta(hours=2))
    assert told(workers.syncs()) == ("warn", "1 queued, 0 running, the oldest queued for 7200 s")


def test_who_leads_and_since_when_is_told_and_that_nobody_does(well: None) -> None:
    status, text = told(workers.leader())
    assert status == "ok"
    assert f"process {os.getpid()}, since {timezone.now():%Y-%m-%d}" in text
    LeaderLease.objects.update(expires_at=Now())
    assert told(workers.leader())[0] == "fail"


def test_a_worker_without_an_engine_is_told_with_its_machine(well: None) -> None:
    assert told(workers.workers()) == ("ok", "1 alive on ant")
    Worker.objects.update(engine="no Docker engine answers")
    assert told(workers.workers()) == (
        "fail",
        "1 alive on ant; 1 without a usable engine, on ant: no Docker engine answers",
    )


def test_receivers_that_cannot_be_told_are_told_of(settings: Settings) -> None:
    assert told(workers.notifications()) == ("ok", "no notification channel is configured")
    hook = NotificationChannel.objects.create(name="hook", url="https://x.invalid/")
    assert told(workers.notifications()) == ("warn", "1 channel; notifications have no links")
    settings.KIOK = replace(settings.KIOK, web_public_url="https://kiok.example.com")
    assert told(workers.notifications())[0] == "ok"
    hook.failures = 2
    hook.save()
    assert told(workers.notifications()) == ("warn", "1 channel; the last attempt failed: hook")
    NotificationChannel.objects.create(name="mail", kind="email", addresses="ada@example.com")
    assert told(workers.notifications())[0] == "fail"


def test_notices_that_wait_for_long_or_were_given_up_are_told_of(settings: Settings) -> None:
    settings.KIOK = replace(settings.KIOK, web_public_url="https://kiok.example.com")
    hook = NotificationChannel.objects.create(name="hook", url="https://x.invalid/")

    def notification(state: str, age: timedelta) -> NotificationDelivery:
        made = Notification.objects.create(event="test", at=Now())
        at = timezone.now() - age
        return NotificationDelivery.objects.create(
            notification=made, channel=hook, state=state, created_at=at, attempted_at=at
        )

    notification("sent", timedelta(days=30))
    notification("given_up", timedelta(days=2))
    waiting = notification("waiting", timedelta(minutes=1))
    assert told(workers.notifications()) == ("ok", "1 channel")
    NotificationDelivery.objects.filter(pk=waiting.pk).update(created_at=Now() - timedelta(hours=2))
    status, text = told(workers.notifications())
    assert (status, text.replace("\xa0", " ")) == ("warn", "1 channel; a notification has waited for 2 hours")
    notification("given_up", timedelta(hours=1))
    assert told(workers.notifications()) == ("warn", "1 channel; given up within the last day: 1 to hook")


# The engine.


def test_an_engine_that_is_not_there_is_told(
    new_sandbox: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    status, text = told(engine.engine())
    assert status == "fail"
    assert "no Docker engine answers at DOCKER_HOST=" in text
    # What lies behind it is not to blame.
    Repository.objects.create(name="own", images={"python": "team-python:1"})
    for look in (lambda: engine.image(PYTHON), engine.images_of_repositories):
        assert told(look()) == ("warn", "unknown while the engine does not respond")


def test_the_engine_of_this_machine_serves(new_sandbox: None) -> None:
    found = engine.engine()
    assert found.status is not CheckStatus.FAIL
    assert "seccomp" in found.detail


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({}, "warn", "neither rootless nor with user namespaces"),
        ({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}, "ok", "seccomp, rootless"),
        ({"SecurityOptions": None}, "fail", "no seccomp"),
        ({"PidsLimit": False, "SwapLimit": False}, "fail", "it cannot limit swap, processes"),
        # What rootless Podman says under version 1, where no limit holds.
        (
            {"SecurityOptions": ["name=seccomp", "name=rootless"], "CgroupVersion": "1"},
            "fail",
            "it cannot limit memory, swap, processes, CPU",
        ),
    ],
)
def test_what_an_engine_says_of_itself_is_judged(change: dict[str, Any], status: str, says: str) -> None:
    info = {
        **{
            "ServerVersion": "28.0.1",
            "CgroupVersion": "2",
            "SecurityOptions": ["name=seccomp,profile=builtin"],
        },
        **dict.fromkeys(("MemoryLimit", "SwapLimit", "PidsLimit", "CpuCfsQuota"), True),
        **change,
    }
    found = told(engine.judged(info, {"Version": "28.0.1"}))
    assert found[0] == status
    assert says in found[1]


@pytest.mark.parametrize(
    ("product", "version", "cgroups", "status", "says"),
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
    product: str, version: str, cgroups: str, status: str, says: str
) -> None:
    info = {
        **dict.fromkeys(("MemoryLimit", "SwapLimit", "PidsLimit", "CpuCfsQuota"), True),
        "CgroupVersion": cgroups,
        "SecurityOptions": ["name=seccomp,profile=default", "name=userns"],
    }
    found = engine.judged(info, {"Version": version, "Components": [{"Name": product, "Version": version}]})
    assert found.status.value == status
    assert says in f"{found.detail} {found.remedy}"


def test_images_that_are_missing_or_of_another_version_are_told(
    new_sandbox: None, settings: Settings
) -> None:
    assert told(engine.images_of_repositories()) == ("ok", "no repository names an image")
    python = settings.KIOK.sandbox_image_python
    settings.KIOK = replace(settings.KIOK, sandbox_image_java="kiok-no-such-image:1")
    status, text = told(engine.image(JAVA))
    assert status == "fail"
    assert "'kiok-no-such-image:1'" in text
    assert "is not on the engine" in text
    assert told(engine.image(PYTHON))[0] == "ok"
    with image_from(python, f"LABEL {LABEL_PROTOCOL}=0") as old:
        Repository.objects.create(name="old", images={"python": old})
        Repository.objects.create(name="gone", images={"jar": "kiok-no-such-image:2"})
        status, text = told(engine.images_of_repositories())
    assert status == "fail"
    assert f"{old} (built for another version)" in text
    assert "kiok-no-such-image:2 (missing)" in text


# The machine.


def test_a_disk_that_is_full_is_told_be_it_of_bytes_or_of_files(tmp_path: Path) -> None:
    """A small tmpfs of a mount namespace of its own, filled."""
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


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above(tmp_path: Path) -> None:
    assert told(host.disk(tmp_path / "mirrors" / "x", "kiok.base.data.dir", 1))[0] == "ok"
    assert told(host.disk(tmp_path, "kiok.base.data.dir", 1 << 60))[0] == "warn"


def test_a_machine_without_git_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert told(host.git())[0] == "ok"
    monkeypatch.setenv("PATH", str(tmp_path))
    status, text = told(host.git())
    assert (status, text) == ("fail", "git is not installed, or not on the PATH of the service")
    assert told(host.signatures())[0] == "ok"
    Repository.objects.create(name="team", verify="commit")
    assert told(host.signatures())[0] == "fail"


# Secrets and the door.


def test_a_wrong_master_key_and_a_damaged_connection_are_told(settings: Settings) -> None:
    for number in range(3):
        Connection.objects.create(id=f"c{number}").set_properties({"token": "a-token-of-somebody"})
    assert told(secrets.master_key())[1].endswith("data keys and all 3 connections")
    broken = Connection.objects.get(pk="c1")
    broken.sealed["token"]["c"] = broken.sealed["token"]["c"][::-1]
    broken.save()
    status, text = told(secrets.master_key())
    assert status == "fail"
    assert text.startswith("1 of 3 connections cannot be decrypted: c1: ")
    settings.KIOK_MASTER_KEY = lambda: "another master key, which opens nothing"
    status, text = told(secrets.master_key())
    assert status == "fail"
    assert "does not decrypt data key" in text


def test_of_many_connections_a_sample_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    Connection.objects.bulk_create(Connection(id=f"c{number}") for number in range(5))
    monkeypatch.setattr(secrets, "SAMPLE", 2)
    assert told(secrets.master_key())[1].endswith("2 of 5 connections")


def test_looking_makes_no_master_key_and_one_that_is_gone_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Connection.objects.create(id="c").set_properties({"token": "a-token-of-somebody"})
    monkeypatch.delenv("KIOK_MASTER_KEY")
    settings.KIOK_EMBEDDED = True
    settings.KIOK = replace(settings.KIOK, base_data_dir=tmp_path)
    status, text = told(secrets.master_key())
    assert (status, text) == (
        "fail",
        "the generated master key is missing, and stored connections are encrypted with it",
    )
    assert list(tmp_path.iterdir()) == []


def test_secrets_that_others_can_read_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    settings.KIOK = replace(settings.KIOK, base_data_dir=data_dir)
    key = data_dir / "master.key"
    key.touch(0o600)
    assert told(secrets.files()) == ("ok", "2 files checked, none readable by others")
    key.chmod(0o640)
    assert told(secrets.files()) == ("fail", f"readable by others: {key} is 0640")
    key.chmod(0o600)
    given = Path("/dev/shm") / f"kiok-doctor-{os.getpid()}"
    given.touch(0o644)
    try:
        given.chmod(0o644)
        monkeypatch.setenv("KIOK_MAIL_PASSWORD_FILE", str(given))
        assert told(secrets.files()) == ("warn", f"readable by everyone: {given} is 0644")
    finally:
        given.unlink()


@pytest.mark.parametrize(
    ("properties", "status", "says"),
    [
        ({}, "ok", "reachable only from this machine"),
        ({"web_allowed_hosts": ("*",)}, "warn", "accepts any host name"),
        ({"web_host": "0.0.0.0"}, "warn", "without TLS"),
        ({"web_allowed_hosts": ("kiok.example.com",)}, "warn", "without TLS"),
        (
            {"web_allowed_hosts": ("kiok.example.com",), "web_tls": True},
            "ok",
            "reached as kiok.example.com, with TLS",
        ),
        ({"web_tls": True}, "fail", "only local host names are accepted"),
        (
            {
                "web_allowed_hosts": ("k.example",),
                "web_tls": True,
                "web_trusted_origins": ("http://k.example",),
            },
            "warn",
            "forms are accepted from http://k.example, without TLS",
        ),
    ],
)
def test_how_the_service_is_reached_is_judged(
    properties: dict[str, Any], status: str, says: str, settings: Settings
) -> None:
    settings.KIOK = replace(settings.KIOK, **properties)
    found = told(web.web())
    assert found[0] == status
    assert says in found[1]
