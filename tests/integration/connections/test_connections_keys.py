"""The keys of connections: rotation that is killed, a new master key, and what happens without the right one."""

from __future__ import annotations

import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from gitsync.models import Repository
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.connections.errors import MasterKeyWrong, Tampered
from kiok.connections.models import Connection, DataKey
from kiok.connections.rotation import rewrap
from tests.integration.conftest import yaml_dag
from tests.support.connection_rows import make
from tests.support.processes import ROOT, environment, manage
from tests.support.servers.repositories import WorkRepo
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

OLD = "a master key that only the tests use"
NEW = "another master key, for after the rotation"
# Runs a management command in a process that kills itself with SIGKILL in the n-th call of a method.
KILLED = """
import os, signal, sys
import django
django.setup()
from django.core.management import call_command
from kiok.connections import models

name, method, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
owner = getattr(models, method.split(".")[0])
real = getattr(owner, method.split(".")[1])
calls = 0

def counted(self, *arguments, **options):
    global calls
    calls += 1
    if calls == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, *arguments, **options)

setattr(owner, method.split(".")[1], counted)
call_command(name, *sys.argv[4:])
"""


def properties_of(connection_id: str) -> dict[str, str]:
    return Connection.objects.get(pk=connection_id).properties()


def versions() -> dict[str, set[int]]:
    return {row.pk: {value["v"] for value in row.sealed.values()} for row in Connection.objects.all()}


def killed(command: str, method: str, number: int, *arguments: str, **more: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, command, method, str(number), *arguments],
        env=environment(**more), cwd=ROOT, capture_output=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]


def rotate_key(*arguments: str) -> str:
    output = StringIO()
    call_command("rotate_key", *arguments, stdout=output, stderr=output)
    return output.getvalue()


def rotate_master_key(new: str | None = NEW, old: str | None = OLD) -> str:
    output = StringIO()
    with override_settings(KIOK_MASTER_KEY=lambda: old, KIOK_NEW_MASTER_KEY=lambda: new):
        call_command("rotate_master_key", stdout=output, stderr=output)
    return output.getvalue()


# The data key.


def test_a_reencryption_killed_midway_keeps_whole_batches_and_is_resumed() -> None:
    for number in range(120):
        make(f"c{number:03}", token=f"token {number}")
    killed("rotate_key", "Connection.reencrypt", 75, "--reencrypt")

    between = versions()
    assert {pk for pk, found in between.items() if found == {2}} == {f"c{n:03}" for n in range(50)}
    assert all(found in ({1}, {2}) for found in between.values())
    assert properties_of("c010") == {"token": "token 10"}
    assert properties_of("c110") == {"token": "token 110"}
    # Edits continue under the active key.
    Connection.objects.get(pk="c110").update_properties({"token": "edited"})
    Connection.objects.get(pk="c111").update_properties({"added": "x"})

    output = rotate_key("--reencrypt-only")

    assert "69 connections re-encrypted, 51 were already current" in output
    assert set(map(frozenset, versions().values())) == {frozenset({2})}
    DataKey.objects.filter(version=1).delete()
    expected = {f"c{n:03}": {"token": f"token {n}"} for n in range(120)}
    expected |= {"c110": {"token": "edited"}, "c111": {"token": "token 111", "added": "x"}}
    assert {row.pk: row.properties() for row in Connection.objects.all()} == expected


def swapped(part: str, stored: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """`stored` with one part, or all, of `other`."""
    return dict(other) if part == "all" else {**stored, part: other[part]}


@pytest.mark.parametrize("part", ["all", "n", "c", "v"])
@pytest.mark.parametrize(
    "source", ["same name elsewhere", "other name elsewhere", "other name here", "former value"]
)
def test_nothing_stored_can_take_the_place_of_something_else(source: str, part: str) -> None:
    for connection_id in ("one", "two"):
        make(connection_id, password=f"{connection_id} password", token=f"{connection_id} token")
    former = Connection.objects.get(pk="one").sealed["token"]
    DataKey.rotate()
    Connection.objects.get(pk="one").update_properties({"token": "one token"})
    one, two = Connection.objects.get(pk="one"), Connection.objects.get(pk="two")
    other = {
        "same name elsewhere": two.sealed["token"],
        "other name elsewhere": two.sealed["password"],
        "other name here": one.sealed["password"],
        "former value": former | {"v": 2} if part == "all" else former,
    }[source]
    assert other["v"] != one.sealed["token"]["v"] or source == "former value"
    one.sealed["token"] = swapped(part, one.sealed["token"], other)
    one.save()

    with pytest.raises(Tampered, match="connection 'one': the stored property 'token' was altered"):
        properties_of("one")
    assert properties_of("two") == {"password": "two password", "token": "two token"}


@pytest.mark.parametrize("change", ["row", "id"])
def test_the_properties_of_one_connection_open_under_no_other_id(change: str) -> None:
    one, _two = make("one", token="1"), make("two", token="2")
    if change == "id":
        Connection.objects.filter(pk="two").delete()
        Connection.objects.filter(pk="one").update(id="two")
    else:
        Connection.objects.filter(pk="two").update(sealed=one.sealed)
    with pytest.raises(Tampered, match="connection 'two': the stored property 'token'"):
        properties_of("two")


def test_a_wrapped_data_key_is_bound_to_its_version() -> None:
    make("one", token="x")
    DataKey.rotate()
    _first, second = DataKey.objects.order_by("version")
    DataKey.objects.filter(version=1).update(salt=second.salt, nonce=second.nonce, wrapped=second.wrapped)
    with pytest.raises(MasterKeyWrong, match="does not decrypt data key 1"):
        properties_of("one")


# The master key.


def test_a_new_master_key_opens_everything_and_the_old_one_nothing() -> None:
    make("one", token="1")
    DataKey.rotate()
    make("two", token="2")
    sealed = {row.pk: row.sealed for row in Connection.objects.all()}

    output = rotate_master_key()

    assert "2 data keys rewrapped, 0 were already current" in output
    assert "set KIOK_MASTER_KEY" in output
    assert "KIOK_NEW_MASTER_KEY" in output
    assert NEW not in output
    with override_settings(KIOK_MASTER_KEY=lambda: NEW):
        assert (properties_of("one"), properties_of("two")) == ({"token": "1"}, {"token": "2"})
        make("three", token="3")
        DataKey.rotate()
    with pytest.raises(MasterKeyWrong, match="does not decrypt data key 1"):
        properties_of("one")
    assert {row.pk: row.sealed for row in Connection.objects.exclude(pk="three")} == sealed


def test_the_command_reads_both_keys_from_the_environment_or_from_files(tmp_path: Path) -> None:
    make("one", token="1")
    file = tmp_path / "new.key"
    file.write_text(NEW + "\n")
    done = manage("rotate_master_key", KIOK_NEW_MASTER_KEY_FILE=str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 data keys rewrapped" in done.stdout
    assert "unknown" not in done.stdout, "the variable is known"
    again = manage(
        "rotate_master_key", KIOK_MASTER_KEY=NEW, KIOK_NEW_MASTER_KEY="yet another master key of that length"
    )
    assert again.returncode == 0, again.stderr
    with override_settings(KIOK_MASTER_KEY=lambda: "yet another master key of that length"):
        assert properties_of("one") == {"token": "1"}
    absent = manage("rotate_master_key", KIOK_NEW_MASTER_KEY_FILE=str(tmp_path / "none"))
    assert absent.returncode == 1
    assert "KIOK_NEW_MASTER_KEY_FILE: cannot read" in absent.stderr
    assert "Traceback" not in absent.stderr


def test_a_killed_rotation_leaves_all_keys_under_the_old_one() -> None:
    make("one", token="1")
    for _ in range(3):
        DataKey.rotate()
    make("two", token="2")
    before = list(DataKey.objects.order_by("version").values())

    killed("rotate_master_key", "DataKey.save", 3, KIOK_NEW_MASTER_KEY=NEW)

    assert list(DataKey.objects.order_by("version").values()) == before
    assert (properties_of("one"), properties_of("two")) == ({"token": "1"}, {"token": "2"})
    assert "4 data keys rewrapped" in rotate_master_key()
    assert "0 data keys rewrapped, 4 were already current" in rotate_master_key()
    with override_settings(KIOK_MASTER_KEY=lambda: NEW):
        assert (properties_of("one"), properties_of("two")) == ({"token": "1"}, {"token": "2"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (OLD, None, "no new master key: set the environment variable KIOK_NEW_MASTER_KEY"),
        (OLD, "x" * 31, "KIOK_NEW_MASTER_KEY has 31 characters; it needs 32"),
        (OLD, OLD, "KIOK_NEW_MASTER_KEY is the same as KIOK_MASTER_KEY"),
        (None, NEW, "no master key: set the environment variable KIOK_MASTER_KEY "),
        ("x" * 31, NEW, "KIOK_MASTER_KEY has 31 characters"),
        ("not the key of these connections at all", NEW, "KIOK_MASTER_KEY does not decrypt data key 1"),
    ],
)
def test_unusable_master_keys_change_nothing_and_are_distinguished(
    old: str | None, new: str | None, message: str
) -> None:
    make("one", token="1")
    before = list(DataKey.objects.order_by("pk").values())
    with pytest.raises(CommandError) as caught:
        rotate_master_key(new, old)
    assert message in str(caught.value)
    assert "Nothing has changed" in str(caught.value)
    assert list(DataKey.objects.order_by("pk").values()) == before
    for key in (old, new):
        assert key is None or key not in str(caught.value)


def test_after_the_loss_of_the_master_key_connections_can_be_reentered() -> None:
    make("git", username="deploy", password="old password")
    make("hook", secret="old secret")
    rotate_key()
    with override_settings(KIOK_MASTER_KEY=lambda: NEW):
        with pytest.raises(MasterKeyWrong):
            Connection.objects.get(pk="git").update_properties({"password": "new password"})
        output = rotate_key("--master-key-lost")
        assert "2 data keys discarded, data key 3 is active" in output
        assert "enter the properties of git again\nenter the properties of hook again\n" in output
        with pytest.raises(Tampered, match="enter it again"):
            properties_of("hook")
        Connection.objects.get(pk="git").update_properties({"username": "deploy", "password": "new password"})
        assert properties_of("git") == {"username": "deploy", "password": "new password"}
        assert "nothing is lost" in rotate_key("--master-key-lost")
    assert "1 data keys rewrapped" in rotate_master_key(new=OLD, old=NEW)
    assert properties_of("git")["password"] == "new password"


def test_with_the_right_master_key_no_value_is_discarded() -> None:
    make("one", token="1")
    assert "nothing was changed" in rotate_key("--master-key-lost")
    assert (versions(), properties_of("one")) == ({"one": {1}}, {"token": "1"})


def test_a_process_with_the_old_master_key_cannot_make_a_data_key() -> None:
    make("one", token="1")
    rotate_master_key()
    with pytest.raises(CommandError, match="does not decrypt data key 1"):
        rotate_key()
    assert DataKey.objects.count() == 1


def test_a_data_key_made_during_a_rotation_is_under_the_new_master_key() -> None:
    make("one", token="1")
    refused: list[MasterKeyWrong] = []

    def rotate(number: int) -> None:
        try:
            rewrap(OLD, NEW) if number == 2 else DataKey.rotate()
        except MasterKeyWrong as error:
            refused.append(error)

    at_once(5, rotate)

    assert DataKey.objects.count() + len(refused) == 5
    for key in DataKey.objects.all():
        assert len(key.unwrap_with(NEW)) == 32
    with override_settings(KIOK_MASTER_KEY=lambda: NEW):
        assert properties_of("one") == {"token": "1"}


# Syncs without the right master key.


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, "no master key: set the environment variable KIOK_MASTER_KEY"),
        ("short", "KIOK_MASTER_KEY has 5 characters"),
        ("another master key, also long enough", "KIOK_MASTER_KEY does not decrypt data key 1"),
    ],
    ids=["missing", "too short", "wrong"],
)
def test_without_the_right_master_key_only_credentialed_repositories_fail(
    key: str | None,
    message: str,
    work_repo: WorkRepo,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    locked = Repository.objects.create(
        name="locked",
        url="https://127.0.0.1:9/dags.git",
        credential=make("deploy", token="hunter2secret"),
    )
    monkeypatch.setattr(settings, "KIOK_MASTER_KEY", lambda: key)

    failed = sync_repository(locked.pk, SyncOptions(wait=True))
    good = sync_repository(repository.pk, SyncOptions(wait=True))

    assert (good.state, good.created) == ("in_sync", ("team/a.yaml",))
    assert (failed.state, failed.reason) == ("failing", "credential")
    assert "'deploy'" in failed.message
    assert message in failed.message

    monkeypatch.setattr(settings, "KIOK_MASTER_KEY", lambda: OLD)
    assert sync_repository(locked.pk, SyncOptions(wait=True)).reason != "credential"
