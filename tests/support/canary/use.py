"""The service in use: syncs, forms, webhooks and commands, and what they print."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django_q.models import OrmQ, Task

from gitsync import tasks
from gitsync.models import Repository, Trigger
from gitsync.worker import sandbox
from kiok.connections.models import Connection
from tests.support.canary import FAULTY_SERVICE, surfaces
from tests.support.canary.credentials import credentials
from tests.support.canary.marks import Marks
from tests.support.canary.processes import NotingPrograms, Sight, Watch
from tests.support.canary.scenes import Stage
from tests.support.cluster import ROOT, eventually, workers

GIT_TIMEOUT_SECONDS = 20  # for what hangs on purpose; the others have to be done by then


@contextlib.contextmanager
def running(command: list[str], **options: Any) -> Iterator[None]:
    """A program that waits for its standard input, for as long as the block runs."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, **options)
    try:
        yield
    finally:
        process.communicate()


@dataclass
class Use:
    """Observations while the service was in use: outputs by name, processes, and the time of the end."""

    found: dict[str, bytes]
    sights: list[Sight]
    sights_afterwards: list[Sight]
    sweeps: int
    noted: list[Sight]
    cluster_pid: int


def use_the_service(stage: Stage, client: Client, secrets: Mapping[str, str]) -> Use:
    """Sync every scene with real workers; post forms and run commands meanwhile."""
    noting = NotingPrograms(stage.root / "noting", ["git", "ssh", "setpriv"])
    environment = {
        **secrets,
        "KIOK_BASE_DATA_DIR": str(stage.data),
        "KIOK_GITSYNC_GIT_TIMEOUT_MS": str(GIT_TIMEOUT_SECONDS * 1000),
        "KIOK_GITSYNC_INTERVAL_MS": "600000",
        "KIOK_GITSYNC_SSL_CA_INFO": str(stage.server.ca_file),
        "KIOK_LOG_LEVEL": "DEBUG",
        "KIOK_WORKERS": "4",
        "PATH": f"{noting.directory}:{os.environ['PATH']}",
        "TMPDIR": str(stage.temporary),
    }
    found: dict[str, bytes] = {}
    log_file = stage.root / "workers.log"
    with (
        surfaces.LogCapture() as own_log,
        surfaces.ContainerWatch(f"kiok.service={sandbox.service()}") as container_watch,
        Watch() as watch,
    ):
        for repository in Repository.objects.all():
            tasks.enqueue_sync(repository.pk, Trigger.ADMIN, requested_by="admin")
        found["waiting tasks"] = surfaces.database()
        with workers(environment, log_file=log_file, settings=FAULTY_SERVICE) as cluster:
            wait_for_the_reasons(stage)
            found |= {f"posted {name}": content for name, content in post_secrets(client, stage.marks)}
            found |= commands(environment)
            # What fails is polled again and again, and the polls of those that hang hold credentials.
            Repository.objects.update(enabled=False)
            eventually(lambda: not OrmQ.objects.exists(), 20, "all tasks done")
            afterwards = sights_at_rest(stage.marks)
    found["log of the workers"] = log_file.read_bytes()
    found["log of the web server"] = own_log.content()
    found["containers"] = container_watch.content()
    found["images"] = container_watch.images()
    noted = noting.sights()
    return Use(found, [*watch.sights, *noted], afterwards, watch.sweeps, noted, cluster.pid)


def sights_at_rest(marks: Marks) -> list[Sight]:
    """Every process, once none holds a credential; as they are where one goes on holding it."""
    sights: list[Sight] = []

    def is_at_rest() -> bool:
        with Watch() as watch:
            watch.sees_all()
        sights[:] = watch.sights
        return not any(credentials(sight, marks) for sight in sights)

    with contextlib.suppress(AssertionError):  # the caller says which
        eventually(is_at_rest, 2 * GIT_TIMEOUT_SECONDS, "no credential is held")
    return sights


def wait_for_the_reasons(stage: Stage) -> None:
    """Until each sync came to what it was set up for, and the one that breaks the database broke its task."""
    wanted = {name: scene.reason for name, scene in stage.scenes.items() if name != "breaksthedatabase"}

    def reasons() -> dict[str, str]:
        rows = Repository.objects.exclude(state="never").exclude(name="breaksthedatabase")
        return dict(rows.values_list("name", "reason"))

    try:
        eventually(lambda: reasons() == wanted, 40, "the syncs")
    except AssertionError:
        rows = Repository.objects.values_list("name", "state", "reason", "message")
        pytest.fail("\n".join(str(row) for row in rows if row[2] != wanted.get(row[0])), pytrace=False)
    eventually(lambda: Task.objects.filter(success=False), 10, "the broken task")


def post_secrets(client: Client, marks: Marks) -> Iterator[tuple[str, bytes]]:
    """Forms with secrets in them: taken, and refused. Gives what the server answers."""
    secret = marks.secret("posted")
    connections, repositories = "/admin/connections/connection", "/admin/gitsync/repository"
    fields = {"id": "posted", "type": "git", "description": ""}
    taken = f"username=u\npassword={secret}\n"
    requested = {
        "name": "posted",
        "ref": "main",
        "subpath": "",
        "credential": "",
        "allow_empty": "on",
        "enabled": "on",
        "interval_ms": "",
    }
    forms: dict[str, tuple[str, dict[str, str]]] = {
        "connection": (f"{connections}/add/", {**fields, "changes": taken}),
        "connection again": (f"{connections}/add/", {**fields, "changes": taken}),
        "edit": (f"{connections}/posted/change/", {**fields, "changes": f"token={secret}"}),
        "bad id": (f"{connections}/add/", {**fields, "id": "bad id", "changes": taken}),
        "bad line": (f"{connections}/add/", {**fields, "id": "n", "changes": f"password={secret}\n{secret}"}),
        "bad name": (f"{connections}/add/", {**fields, "id": "n", "changes": f"{secret}={secret}"}),
        "no end": (f"{connections}/add/", {**fields, "id": "n", "changes": f"a=<<END\n{secret}"}),
        "wrong removal": (
            f"{connections}/posted/change/",
            {**fields, "changes": f"token={secret}\n-nothing"},
        ),
        "login": ("/admin/login/", {"username": "nobody", "password": secret}),
    }
    encoded = quote(secret, safe="")
    urls = (f"https://u:{encoded}@localhost/x.git", f"https://u:{secret}@localhost/x.git")
    urls += (
        f"ssh://u:{encoded}@localhost/x.git",
        f"u:{encoded}@localhost:x.git",
        f"https://u:a/{encoded}@localhost/x",
    )
    for number, url in enumerate(urls):
        forms[f"url {number}"] = (f"{repositories}/add/", {**requested, "url": url})
    for name, (path, data) in forms.items():
        poster = Client() if name == "login" else client
        answer = poster.post(path, data)
        assert answer.status_code == (302 if name in ("connection", "edit") else 200), (name, answer.content)
        yield name, answer.content
    for repository in Repository.objects.all():
        status = f"{repositories}/{repository.pk}/sync/status/"
        yield f"status {repository.name}", client.get(status).content
    yield from deliver_webhooks(marks)
    action = {
        "action": "sync_now",
        "_selected_action": [r.pk for r in Repository.objects.filter(name="echoerror")],
    }
    assert client.post(f"{repositories}/", action).status_code == 302
    yield "asked", client.get(f"{repositories}/asked/status/").content


def deliver_webhooks(marks: Marks) -> Iterator[tuple[str, bytes]]:
    """Webhooks that bring the secret itself, as GitLab's do: taken, and refused. Gives what the server answers."""
    secrets = {"secret": marks.secret("hook"), "previousSecret": marks.secret("formerhook")}
    row = Connection(id="hook", type="secret")
    row.set_properties(secrets)
    Repository.objects.filter(name="sshkey").update(webhook_secret=row)
    for name, secret in secrets.items():
        for token, status in ((secret, 202), (f"{secret}?", 404)):
            # As a server hands the header's bytes over.
            headers = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": token.encode().decode("latin-1")}
            body = {"ref": "refs/heads/main"}
            answer = Client().post("/hooks/sshkey/", body, content_type="application/json", headers=headers)
            assert answer.status_code == status, answer.content
            yield f"webhook {name} {status}", answer.content


def commands(environment: Mapping[str, str]) -> dict[str, bytes]:
    """Return the output of the commands, on both streams."""
    calls = (
        ("gitsync", "--list"),
        ("gitsync", "--list", "--json"),
        ("gitsync", "--now", "--json", "-v3", "--repo=echofailure", "--repo=echorefs", "--repo=httpstoken"),
        (
            "gitsync",
            "--now",
            "--full",
            "-v3",
            "--repo=breaksunexpectedly",
            "--repo=echoerror",
            "--repo=sshrefused",
        ),
        ("properties",),
        ("properties", "--json"),
    )
    full = {**os.environ, **environment, "DJANGO_SETTINGS_MODULE": FAULTY_SERVICE}
    full["TEST_DATABASE_NAME"] = str(connection.settings_dict["NAME"])
    running = {
        call: subprocess.Popen(
            [sys.executable, "manage.py", *call],
            env=full,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for call in calls
    }
    return {
        f"output of {' '.join(call)}": process.communicate(timeout=600)[0]
        for call, process in running.items()
    }
