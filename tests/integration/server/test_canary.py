"""Marked secrets in use, by syncs that succeed and syncs that fail; then no trace of them anywhere.

The search itself is tested first: what it does not find where it was planted, it would not find elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import docker
import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django_q.models import OrmQ, Task
from django_q.tasks import async_task

from gitsync import tasks
from gitsync.models import Repository, SourceFile, SyncRun, Trigger
from gitsync.worker import sandbox
from kiok.connections.models import Connection
from tests.integration.conftest import yaml_dag
from tests.support.canary import BREAKS_THE_DATABASE, BREAKS_UNEXPECTEDLY, FAULTY_SERVICE, surfaces
from tests.support.canary.echoing_server import ASKED_REF, EchoingServer
from tests.support.canary.marks import ENCODINGS, KEY_ENCODINGS, Marks, key_lines
from tests.support.canary.processes import NotingPrograms, Sight, Watch
from tests.support.cluster import ROOT, eventually, workers
from tests.support.environment import DATA_DIR
from tests.support.servers.https import Fault
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

pytestmark = pytest.mark.django_db(transaction=True)

SHARED_MEMORY = Path("/dev/shm")
GIT_TIMEOUT_SECONDS = 20  # for what hangs on purpose; the others have to be done by then

APART = "\n--\n"

# Says all it can of where it runs, long enough for the engine to be asked about it.
TELLING_DAG = """
import os, sys, time
from kiok import Dag
for path in ("/proc/self/environ", "/proc/1/environ", "/proc/self/cmdline", "/proc/1/cmdline", "/proc/mounts"):
    try:
        print(path, open(path, "rb").read()[:1500], file=sys.stderr)
    except OSError as exc:
        print(path, exc, file=sys.stderr)
print(dict(os.environ), os.listdir("/"), os.listdir("/tmp"), file=sys.stderr, flush=True)
time.sleep(4)
raise RuntimeError("this is all that is here")
"""

# Whose environment a credential may be in: those of one call of git, and ssh-keygen, which tells after a refused login
# whether the passphrase was the key's. `cat` is the noting programs' own.
MAY_HOLD_A_CREDENTIAL = {
    *("setpriv", "git", "git-remote-http", "ssh", "ssh-keygen", "askpass", "sh", "cat"),
}
OWN = {"masterkey", "signingkey", "databasepassword"}
"""The secrets of the service itself, which are given to it in its environment."""


@pytest.fixture
def marks() -> Marks:
    return Marks()


# The search.


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.rule("credentials.canary")
def test_the_search_finds_a_secret_in_every_encoding(encoding: str, marks: Marks) -> None:
    written = ENCODINGS[encoding](marks.secret("one"))
    assert marks.found_in(f"before {written} after".encode())
    assert marks.found_in(f'{{"a": "{written}"}}'.encode("utf-16-le").replace(b"\0", b""))
    assert not Marks().found_in(f"before {written} after".encode())


@pytest.mark.parametrize("encoding", KEY_ENCODINGS)
@pytest.mark.parametrize("passphrase", ["", "a passphrase"], ids=["plain", "protected"])
def test_the_search_finds_a_private_key_in_every_encoding(
    encoding: str, passphrase: str, marks: Marks, tmp_path: Path
) -> None:
    key, other = make_key(tmp_path / "key", passphrase), make_key(tmp_path / "other", passphrase)
    marks.add_key(key)
    assert marks.found_in(f"before {KEY_ENCODINGS[encoding](key)} after".encode())
    assert not marks.found_in(f"before {KEY_ENCODINGS[encoding](other)} after".encode())


def test_the_search_finds_each_line_of_a_private_key_alone(marks: Marks, tmp_path: Path) -> None:
    key = marks.add_key(make_key(tmp_path / "key"))
    assert len(key_lines(key)) >= 4
    for line in key_lines(key):
        assert marks.found_in(f"before {line} after".encode()), line


def make_key(path: Path, passphrase: str = "") -> str:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "canary", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path.read_text()


# The surfaces: each is given a text, and read as it is read below.


def plant_in_a_table(text: str, client: Client, tmp_path: Path) -> bytes:
    LogEntry.objects.create(user=User.objects.get(), action_flag=CHANGE, object_repr="x", change_message=text)
    return surfaces.database()


def plant_in_the_arguments_of_a_task(text: str, client: Client, tmp_path: Path) -> bytes:
    async_task("operator.add", text, "")
    assert OrmQ.objects.exists()
    return surfaces.database()


def plant_in_the_result_of_a_task(text: str, client: Client, tmp_path: Path) -> bytes:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ")
    Task.objects.create(id="1", name="n", func="f", result=text, started=now, stopped=now, success=False)
    return surfaces.database()


def plant_in_a_session(text: str, client: Client, tmp_path: Path) -> bytes:
    session = client.session
    session["text"] = text
    session.save()
    return surfaces.database()


def plant_in_a_deleted_row(text: str, client: Client, tmp_path: Path) -> bytes:
    for part in text.split(APART):  # long values would be compressed
        plant_in_a_table(part, client, tmp_path)
    LogEntry.objects.all().delete()
    return b"".join(content for _, content in surfaces.database_files())


def plant_in_the_log(text: str, client: Client, tmp_path: Path) -> bytes:
    import logging

    with surfaces.LogCapture() as log:
        # One by one: a "//" in one text and a ":" and "@" in a later one would be taken for a url's password.
        for part in text.split(APART):
            logging.getLogger("gitsync.sync").debug("text: %s", part)
    return log.content()


def plant_on_a_page(text: str, client: Client, tmp_path: Path) -> bytes:
    Connection.objects.create(id="planted", description=text)
    pages = surfaces.crawl(client, start=("/admin/",), most_of_a_kind=5)
    return b"".join(pages.values())


def plant_in_a_file(text: str, client: Client, tmp_path: Path) -> bytes:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(b"\0" * 1000 + text.encode() + b"\0")
    return b"".join(content for _, content in surfaces.files(tmp_path))


def plant_in_a_link(text: str, client: Client, tmp_path: Path) -> bytes:
    (tmp_path / "link").symlink_to(text[:250])
    return b"".join(content for _, content in surfaces.files(tmp_path))


@contextlib.contextmanager
def running(command: list[str], **options: Any) -> Iterator[None]:
    """A program that waits for its standard input, for as long as the block runs."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, **options)
    try:
        yield
    finally:
        process.communicate()


def plant_in_a_command_line(text: str, client: Client, tmp_path: Path) -> bytes:
    with Watch() as watch, running(["sh", "-c", "read nothing", text]):
        watch.sees_all()
    return b"".join(sight.command for sight in watch.sights)


def plant_in_an_environment(text: str, client: Client, tmp_path: Path) -> bytes:
    with Watch() as watch, running(["sh", "-c", "read nothing"], env={"TEXT": text}):
        watch.sees_all()
    return b"".join(sight.environment for sight in watch.sights)


def plant_in_a_call_of_a_moment(text: str, client: Client, tmp_path: Path) -> bytes:
    noting = NotingPrograms(tmp_path, ["true"])
    subprocess.run(
        [noting.directory / "true", text], env={"TEXT": text, "PATH": os.environ["PATH"]}, check=True
    )
    (sight,) = noting.sights()
    assert text.encode() in sight.command
    return sight.environment


def plant_in_a_container(text: str, client: Client, tmp_path: Path) -> bytes:
    engine = docker.from_env()
    with surfaces.ContainerWatch("canary=planted") as watch:
        container = engine.containers.create(
            os.environ.get("KIOK_IMAGE_PYTHON", "kiok-sandbox-python:dev"),
            environment={"TEXT": text},
            labels={"canary": "planted"},
        )
        try:
            eventually(lambda: watch.content(), 20, "the container seen")
        finally:
            container.remove(force=True)
    assert b"kiok" in watch.images()
    return watch.content()


PLANTING: tuple[Callable[[str, Client, Path], bytes], ...] = (
    plant_in_a_table,
    plant_in_the_arguments_of_a_task,
    plant_in_the_result_of_a_task,
    plant_in_a_session,
    plant_in_a_deleted_row,
    plant_in_the_log,
    plant_on_a_page,
    plant_in_a_file,
    plant_in_a_link,
    plant_in_a_command_line,
    plant_in_an_environment,
    plant_in_a_call_of_a_moment,
    plant_in_a_container,
)


@pytest.mark.parametrize("plant", PLANTING, ids=lambda plant: plant.__name__)
def test_a_secret_that_is_planted_somewhere_is_found_there_in_every_encoding(
    plant: Callable[[str, Client, Path], bytes], admin_client: Client, tmp_path: Path
) -> None:
    planted = {encoding: Marks() for encoding in ENCODINGS}
    if plant is plant_in_a_link:
        planted = {"as it is": planted["as it is"]}
    texts = [ENCODINGS[encoding](marks.secret("planted")) for encoding, marks in planted.items()]
    content = plant(APART.join(texts), admin_client, tmp_path)
    missed = [encoding for encoding, marks in planted.items() if not marks.found_in(content)]
    assert missed == []


# The service in use.


@dataclass
class Scene:
    """A repository, its credential, and the reason its syncs come to."""

    url: str
    properties: Mapping[str, str]
    reason: str
    ref: str = "main"


@dataclass
class Stage:
    """Servers, repositories, and where the service keeps its data."""

    marks: Marks
    root: Path
    server: EchoingServer
    scenes: dict[str, Scene] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"


@pytest.fixture
def stage(marks: Marks, ssh_server: SshServer) -> Iterator[Stage]:
    # Not pytest's folder: its long name would stand in every path.
    with tempfile.TemporaryDirectory(prefix="kiok-canary-") as folder:
        root = Path(folder)
        (root / "served").mkdir()
        (root / "tmp").mkdir()
        with EchoingServer(root / "served", root / "https") as server, SshServer(root / "slow-sshd") as slow:
            slow.delay(600)
            stage = Stage(marks, root, server)
            _set_ssh_scenes(stage, ssh_server, slow)
            _set_https_scenes(stage)
            yield stage


def _set_ssh_scenes(stage: Stage, server: SshServer, slow: SshServer) -> None:
    marks = stage.marks
    repo = WorkRepo(stage.root / "served", "over-ssh.git")
    repo.publish({"a.yaml": yaml_dag("a")})

    def add(name: str, reason: str, key: str, at: SshServer = server, **more: str) -> None:
        marks.add_key(key)
        properties = {"privateKey": key, "knownHosts": at.known_hosts, **more}
        stage.scenes[name] = Scene(at.url(repo.bare), properties, reason)

    add("sshkey", "", server.client_key("plain"))
    passphrase = marks.secret("sshpassphrase")
    add("sshpassphrase", "", server.client_key("protected", passphrase=passphrase), passphrase=passphrase)
    add("sshunknownhost", "host_key_unknown", server.client_key("unknown"), knownHosts="")
    add("sshrefused", "authentication_failed", server.client_key("refused", authorize=False))
    wrong = marks.secret("sshwrongpassphrase")
    key = server.client_key("wrong", passphrase="something else")
    add("sshwrongpassphrase", "credential_invalid", key, passphrase=wrong)
    passphrase = marks.secret("sshslow")
    add("sshslow", "timeout", slow.client_key("slow", passphrase=passphrase), slow, passphrase=passphrase)


def _set_https_scenes(stage: Stage) -> None:
    marks, server = stage.marks, stage.server
    repo = WorkRepo(stage.root / "served", "over-https.git")
    repo.publish({"a.yaml": yaml_dag("a"), "telling.py": TELLING_DAG})
    server.faults = {"hangs.git": Fault.HANG, "unavailable.git": Fault.UNAVAILABLE}
    for name in (BREAKS_UNEXPECTEDLY, BREAKS_THE_DATABASE):
        WorkRepo(stage.root / "served", name).publish({"a.yaml": yaml_dag("a")})

    def add(name: str, path: str, reason: str, ref: str = "main") -> None:
        secret = marks.secret(name)
        server.accounts[name] = secret
        stage.scenes[name] = Scene(server.url(path), {"username": name, "password": secret}, reason, ref)

    add("httpspassword", "over-https.git", "files_failed")
    add("httpsmissingref", "over-https.git", "ref_missing", "nosuchbranch")
    add("httpsslow", "hangs.git", "timeout")
    add("httpsunavailable", "unavailable.git", "server_error")
    add("echoforbidden", "echo-403/x.git", "authentication_failed")
    add("echomissing", "echo-404/x.git", "repository_not_found")
    add("echofailure", "echo-500/x.git", "server_error")
    add("echoredirect", "echo-redirect/x.git", "redirect_refused")
    add("echoerror", "echo-error/x.git", "unknown")
    add("echorefs", "echo-refs/x.git", "ref_missing", ASKED_REF)
    add("breaksunexpectedly", BREAKS_UNEXPECTEDLY, "internal")
    add("breaksthedatabase", BREAKS_THE_DATABASE, "")
    add("httpswrong", "over-https.git", "authentication_failed")
    server.accounts["httpswrong"] = "another one"
    token = marks.secret("httpstoken")
    server.accounts["x-access-token"] = token
    stage.scenes["httpstoken"] = Scene(server.url("over-https.git"), {"token": token}, "files_failed")


@pytest.mark.rule("credentials.canary", "credentials.no-containers", "credentials.askpass-only")
def test_no_secret_is_anywhere_but_where_it_belongs(
    stage: Stage, client: Client, admin_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, marks = time.time(), stage.marks
    environment = own_secrets(marks)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)  # for what this process seals, and for the workers it starts
    client.force_login(admin_user)
    for name, scene in stage.scenes.items():
        row = Connection(id=name, type="git")
        row.set_properties(scene.properties)
        Repository.objects.create(name=name, url=scene.url, ref=scene.ref, credential=row)
    use = use_the_service(stage, client, environment)
    pages = surfaces.crawl(client, start=start_pages(), most_of_a_kind=len(stage.scenes) + 5)
    found = {
        **use.found,
        **{f"page {url}": content for url, content in pages.items()},
        **{f"file {path}": content for path, content in left_files(stage, began)},
        **{f"file {path}": content for path, content in surfaces.database_files()},
        "database": surfaces.database(),
        "command lines": b"\n".join(sight.command for sight in use.sights),
    }
    leaks = {place: places for place, content in found.items() if (places := marks.found_in(content))}
    leaks |= held_wrongly(use.sights, marks, use.cluster_pid)
    leaks |= {
        f"{sight}, afterwards": ["still holds a credential"]
        for sight in use.sights_afterwards
        if credentials(sight, marks)
    }
    if leaks:
        told = "\n".join(f"{place}: {' ; '.join(places)}" for place, places in leaks.items())
        pytest.fail(told, pytrace=False)
    everything_was_looked_at(stage, found, use)


@dataclass
class Use:
    """What was seen while the service was in use: outputs by what they are, processes, and when all was done."""

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


def own_secrets(marks: Marks) -> dict[str, str]:
    """The environment's secrets. The embedded server asks for no password, so any will do."""
    url = os.environ["DATABASE_URL"]
    assert "://postgres@" in url
    password = quote(marks.secret("databasepassword"), safe="")
    return {
        "DATABASE_URL": url.replace("://postgres@", f"://postgres:{password}@"),
        "DJANGO_SECRET_KEY": marks.secret("signingkey"),
        "KIOK_MASTER_KEY": marks.secret("masterkey"),
    }


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
    asked = {
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
        forms[f"url {number}"] = (f"{repositories}/add/", {**asked, "url": url})
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
    """What the commands print, on both streams."""
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


def start_pages() -> tuple[str, ...]:
    """Pages no link leads to without a filter or script, and the root."""
    repositories = [repository.pk for repository in Repository.objects.all()]
    return (
        "/admin/",
        "/admin/login/",
        *(
            f"/admin/gitsync/repository/{pk}/{page}"
            for pk in repositories
            for page in ("change/", "history/", "delete/")
        ),
        *(f"/admin/gitsync/repository/{pk}/sync/status/" for pk in repositories),
        *(f"/admin/gitsync/syncrun/{pk}/change/" for pk in SyncRun.objects.values_list("pk", flat=True)),
        *(
            f"/admin/gitsync/sourcefile/{pk}/change/"
            for pk in SourceFile.objects.values_list("pk", flat=True)
        ),
    )


def left_files(stage: Stage, began: float) -> Iterator[tuple[Path, bytes]]:
    """What the service left on disk and in memory: its data, its temporary files, those of the machine."""
    yield from surfaces.files(stage.data)
    yield from surfaces.files(stage.temporary)
    yield from surfaces.files(DATA_DIR, without=[DATA_DIR / "postgres"])
    yield from surfaces.files(SHARED_MEMORY)
    # Other tests' folders, and where this test keeps its servers' keys.
    apart = [*Path("/tmp").glob("pytest-of-*"), *Path("/tmp").glob("kiok-tests-*"), stage.root]
    yield from surfaces.files(Path("/tmp"), without=apart, newer_than=began)


def credentials(sight: Sight, marks: Marks) -> set[str]:
    """The names of the credentials in a process's environment."""
    return names_in(sight.environment, marks) - OWN


def names_in(content: bytes, marks: Marks) -> set[str]:
    return {name.decode() for name in re.findall(marks.mark.encode() + rb"\.([a-z]+)", content)}


def held_wrongly(sights: list[Sight], marks: Marks, cluster_pid: int) -> dict[str, list[str]]:
    """Processes that hold in their environment what they should not.

    The service's own processes hold its own secrets, and no credential. A call of git, a session of its own,
    holds its one credential, and nothing of the service's.
    """
    wrong: dict[str, list[str]] = {}
    for sight in sights:
        own, lent = names_in(sight.environment, marks) & OWN, credentials(sight, marks)
        is_service = b"manage.py" in sight.command.split(b"\0")
        may_borrow = sight.name in MAY_HOLD_A_CREDENTIAL and sight.session != cluster_pid
        if own and not is_service:
            wrong[f"environment of {sight}"] = sorted(own)
        if lent and (is_service or not may_borrow or len(lent) > 1):
            wrong[f"environment of {sight}"] = sorted(lent)
        if not own and not lent and (places := marks.found_in(sight.environment)):
            wrong[f"environment of {sight}"] = places  # encoded, or a key
    return wrong


def everything_was_looked_at(stage: Stage, found: Mapping[str, bytes], use: Use) -> None:
    """Nothing was found; that counts only where there was something to find it in."""
    marks = stage.marks
    assert use.sweeps >= 10
    seen = {name for sight in use.sights if sight not in use.noted for name in credentials(sight, marks)}
    assert {"httpsslow", "sshslow"} <= seen, "the watcher missed credentials that were in use for seconds"
    assert {"git", "ssh", "setpriv"} <= {sight.name for sight in use.noted}
    lent = {name for sight in use.noted for name in credentials(sight, marks)}
    assert {name for name, scene in stage.scenes.items() if "password" in scene.properties} <= lent
    assert any("masterkey" in names_in(sight.environment, marks) for sight in use.sights)
    ways = ("403", "404", "500", "redirect", "error", "refs")
    assert set(stage.server.echoed) == {f"echo-{way}" for way in ways}
    assert "[redacted]" in Repository.objects.get(name="echorefs").message, "no name of a branch was quoted"
    for text in (b"RuntimeError: git", b"OperationalError: git", b"Traceback", b" DEBUG ", b"[redacted]"):
        assert text in found["log of the workers"], text
    assert b"OperationalError" in found["database"]
    assert b"'HOME': '/tmp'" in found["database"], "the DAG that tells of its environment did not run"
    assert b'"Env"' in found["containers"]
    pages = {place: content for place, content in found.items() if place.startswith("page ")}
    assert any(b"&#x27;HOME&#x27;" in content for content in pages.values())
    for model in ("repository", "syncrun", "sourcefile", "delivery"):
        assert sum(place.startswith(f"page /admin/gitsync/{model}/") for place in pages) > 2
    assert any(re.search(r"/connection/echorefs/history/", place) for place in pages)
    outputs = b"".join(content for place, content in found.items() if place.startswith("output"))
    assert b'"echofailure"' in outputs
    assert b"kiok.gitsync.interval.ms" in outputs
    assert (stage.data / "mirrors").is_dir()


@pytest.mark.parametrize("posted", ["https://u:{}@localhost/x.git", "https://u:a/{}@localhost/x.git"])
def test_a_declared_url_with_a_password_stops_the_start_and_the_password_is_not_told(
    posted: str, marks: Marks
) -> None:
    url = posted.format(quote(marks.secret("declared"), safe=""))
    for call in (("properties",), ("gitsync", "--list")):
        ended = subprocess.run(
            [sys.executable, "manage.py", *call],
            env={**os.environ, "KIOK_GITSYNC_REPOS": f"team|{url}|main|"},
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        assert not marks.found_in(ended.stdout + ended.stderr)


def test_the_embedded_database_is_not_given_the_services_secrets(marks: Marks) -> None:
    program = (
        "import sys; from pathlib import Path; from kiok.server import embedded\n"
        "embedded.ensure(Path(sys.argv[1]), durable=False); print('ready', flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, **own_secrets(marks), "PYTHONPATH": str(ROOT)}
    del environment["DATABASE_URL"]
    with tempfile.TemporaryDirectory(prefix="kiok-pg-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", program, f"{folder}/data"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with contextlib.ExitStack() as stack:
            stack.callback(process.communicate, timeout=60)
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            with Watch() as watch:
                watch.sees_all()
    servers = [
        sight
        for sight in watch.sights
        if sight.command.startswith(b"postgres") or folder.encode() in sight.command
    ]
    assert any(b"postgres" in sight.command and sight.pid != process.pid for sight in servers)
    holders = [
        str(sight) for sight in watch.sights if sight.pid != process.pid and marks.found_in(sight.environment)
    ]
    assert holders == []
