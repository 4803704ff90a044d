"""After syncs that succeed and syncs that fail, no marked secret is left anywhere."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client

from gitsync.models import Repository
from kiok.connections.models import Connection
from tests.support.canary import surfaces
from tests.support.canary.credentials import credentials, names_in, own_secrets
from tests.support.canary.echoing_server import EchoingServer
from tests.support.canary.marks import Marks
from tests.support.canary.processes import Watch
from tests.support.canary.scenes import Stage, set_https_scenes, set_ssh_scenes
from tests.support.canary.traces import held_wrongly, left_files, start_pages
from tests.support.canary.use import Use, use_the_service
from tests.support.cluster import ROOT
from tests.support.servers.ssh import SshServer

pytestmark = pytest.mark.django_db(transaction=True)


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
            set_ssh_scenes(stage, ssh_server, slow)
            set_https_scenes(stage)
            yield stage


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
    leaks = marks.found_among(found)
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


def everything_was_looked_at(stage: Stage, found: Mapping[str, bytes], use: Use) -> None:
    """Nothing was found; that counts only where there was something to find it in."""
    marks = stage.marks
    assert use.sweeps >= 10
    noted = set(use.noted)
    seen = {name for sight in use.sights if sight not in noted for name in credentials(sight, marks)}
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
def test_a_declared_url_with_a_password_stops_the_start_without_showing_it(posted: str, marks: Marks) -> None:
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
