"""The search for marked secrets finds them in every encoding and every place."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django_q.models import OrmQ, Task
from django_q.tasks import async_task

from kiok.connections.models import Connection
from tests.support.canary import surfaces
from tests.support.canary.marks import ENCODINGS, KEY_ENCODINGS, Marks, key_lines
from tests.support.canary.processes import NotingPrograms, Watch
from tests.support.canary.use import running
from tests.support.cluster import eventually

pytestmark = pytest.mark.django_db(transaction=True)

APART = "\n--\n"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.rule("credentials.canary")
def test_the_search_finds_a_secret_in_every_encoding(encoding: str, marks: Marks) -> None:
    written = ENCODINGS[encoding](marks.secret("one"))
    assert marks.found_in(f"before {written} after".encode())
    assert marks.found_in(f'{{"a": "{written}"}}'.encode("utf-16-le").replace(b"\0", b""))
    assert not Marks().found_in(f"before {written} after".encode())
    contents = {"clean": b"\0\xffclean", "holds it": f"before {written} after".encode()}
    assert list(marks.found_among(contents)) == ["holds it"]
    assert Marks().found_among(contents) == {}


@pytest.mark.parametrize("encoding", KEY_ENCODINGS)
@pytest.mark.parametrize("passphrase", ["", "a passphrase"], ids=["plain", "protected"])
def test_the_search_finds_a_private_key_in_every_encoding(
    encoding: str, passphrase: str, marks: Marks, tmp_path: Path
) -> None:
    key, other = make_key(tmp_path / "key", passphrase), make_key(tmp_path / "other", passphrase)
    marks.add_key(key)
    assert marks.found_in(f"before {KEY_ENCODINGS[encoding](key)} after".encode())
    assert not marks.found_in(f"before {KEY_ENCODINGS[encoding](other)} after".encode())
    contents = {
        name: f"before {KEY_ENCODINGS[encoding](text)} after".encode()
        for name, text in (("key", key), ("other", other))
    }
    assert list(marks.found_among(contents)) == ["key"]
    assert marks.found_among({"other": contents["other"]}) == {}


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
def test_a_planted_secret_is_found_in_every_encoding(
    plant: Callable[[str, Client, Path], bytes], admin_client: Client, tmp_path: Path
) -> None:
    planted = {encoding: Marks() for encoding in ENCODINGS}
    if plant is plant_in_a_link:
        planted = {"as it is": planted["as it is"]}
    texts = [ENCODINGS[encoding](marks.secret("planted")) for encoding, marks in planted.items()]
    content = plant(APART.join(texts), admin_client, tmp_path)
    missed = [encoding for encoding, marks in planted.items() if not marks.found_in(content)]
    assert missed == []
