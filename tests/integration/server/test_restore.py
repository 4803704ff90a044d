"""Backup and restore: all that is lost comes back from one file and the master key."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import StringIO, TextIOWrapper
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from gitsync.models import Repository
from gitsync.sync import remote
from gitsync.sync.run import SyncOptions, Trigger, sync_repository
from kiok.connections.errors import MasterKeyWrong
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagRun, DagVersion
from kiok.server import embedded
from kiok.server.backup import BackupError, dump
from tests.integration.conftest import Sync, yaml_dag
from tests.support.admin_rows import Amounts, fill
from tests.support.cluster import eventually
from tests.support.fresh_database import all_rows, fresh_database
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[3]
WRONG = "another master key than the backup's"


@pytest.fixture
def installation(
    work_repo: WorkRepo, repository: Repository, ssh_server: SshServer, sync: Sync
) -> Repository:
    """A private repository that was synced, with a DAG at version 2 that ran, one that is gone, and rows of every kind."""
    fill(Amounts())
    credential = Connection(id="deploy", type="git")
    credential.set_properties({"privateKey": ssh_server.client_key(), "knownHosts": ssh_server.known_hosts})
    Repository.objects.filter(pk=repository.pk).update(
        url=ssh_server.url(work_repo.bare), credential=credential
    )
    repository.groups.add(Group.objects.create(name="data-team"))
    User.objects.create_user("ada", password="a password of a test")
    work_repo.publish({"a.yaml": yaml_dag("a"), "gone.yaml": yaml_dag("gone")})
    assert sync().ok
    DagRun.objects.create(uid="team/a.yaml", version=1, trigger="manual", state="SUCCESS")
    DagRun.objects.create(uid="team/gone.yaml", version=1, trigger="manual", state="FAILED")
    work_repo.git("rm", "-q", "gone.yaml")
    work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
    assert sync().pruned == ("team/gone.yaml",)
    repository.refresh_from_db()
    return repository


def backup(file: Path) -> str:
    output = StringIO()
    call_command("backup", str(file), stdout=output)
    return output.getvalue()


def restore(file: Path) -> str:
    output = StringIO()
    call_command("restore", str(file), stdout=output)
    return output.getvalue()


@pytest.fixture
def another_machine(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A data folder where nothing is yet, and the environment of a service on it, without the tests' database."""
    folder = tmp_path / "another machine"
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    yield folder, environment | {"KIOK_BASE_DATA_DIR": str(folder)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", "")
        embedded.release(folder)


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_lost_machine_is_restored_from_the_file_and_the_master_key(
    installation: Repository,
    work_repo: WorkRepo,
    another_machine: tuple[Path, dict[str, str]],
    tmp_path: Path,
) -> None:
    file = tmp_path / "kiok.dump"
    output = backup(file)
    assert "KIOK_MASTER_KEY" in output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = all_rows()
    assert all(before[table] for table in ("connections_connection", "metadata_dagrun", "gitsync_delivery"))
    call_command("flush", interactive=False, verbosity=0)
    shutil.rmtree(remote.mirror_of(installation.pk).directory)

    folder, environment = another_machine
    with pytest.MonkeyPatch.context() as patch:  # it starts once for all that follows
        patch.setenv("DATABASE_URL", "")
        url = embedded.ensure(folder, durable=False)
    assert "the master key decrypts it" in manage(environment, "restore", str(file))
    with psycopg.connect(url) as there:
        assert all_rows(at=there.cursor()) == before

    commit = work_repo.publish({"a.yaml": yaml_dag("a", "echo 3"), "gone.yaml": yaml_dag("gone", "echo 2")})
    done = json.loads(manage(environment, "gitsync", "--now", "--repo", "team", "--json"))
    report = done["repositories"][0]
    assert (report["state"], report["updated"]) == ("in_sync", ["team/a.yaml"])
    with psycopg.connect(url) as there:
        versions = there.execute(
            "SELECT uid, version, commit_sha FROM metadata_dag WHERE repository = 'team' ORDER BY uid"
        )
        assert versions.fetchall() == [("team/a.yaml", 3, commit), ("team/gone.yaml", 2, commit)]
        runs = there.execute(
            "SELECT uid, version, state FROM metadata_dagrun WHERE repository = 'team' ORDER BY uid"
        )
        assert runs.fetchall() == [("team/a.yaml", 1, "SUCCESS"), ("team/gone.yaml", 1, "FAILED")]


def test_without_the_right_master_key_all_is_restored_with_a_warning(
    installation: Repository, work_repo: WorkRepo, tmp_path: Path
) -> None:
    file = tmp_path / "kiok.dump"
    backup(file)
    before = all_rows()
    with fresh_database():
        with override_settings(KIOK_MASTER_KEY=lambda: WRONG):
            with pytest.raises(
                CommandError, match=r"(?s)restored completely.*Nothing is lost.*KIOK_MASTER_KEY"
            ):
                restore(file)
            with pytest.raises(MasterKeyWrong):
                Connection.objects.get(pk="deploy").set_properties({"token": "stored under the wrong key"})
            work_repo.publish({"a.yaml": yaml_dag("a", "echo 3")})
            failed = sync_repository(installation.pk, SyncOptions(trigger=Trigger.COMMAND, wait=True))
            assert failed.reason == "credential"
            assert Dag.objects.get(uid="team/a.yaml").version == 2, "what was registered serves on"
        unchanged = ("connections_connection", "connections_datakey", "metadata_dag", "metadata_dagrun")
        after = all_rows()
        assert {table: after[table] for table in unchanged} == {table: before[table] for table in unchanged}
        assert sync_repository(installation.pk, SyncOptions(trigger=Trigger.COMMAND, wait=True)).ok
        assert Dag.objects.get(uid="team/a.yaml").version == 3


def test_a_lost_mirror_costs_a_fetch(repository: Repository, work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    shutil.rmtree(remote.mirror_of(repository.pk).directory.parent)
    assert sync().ok
    assert sync(full=True).unchanged == 1
    assert DagVersion.objects.count() == 1
    work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
    assert sync().updated == ("team/a.yaml",)


@pytest.mark.parametrize("is_older", [False, True], ids=["this server", "a server before PostgreSQL 17"])
def test_restore_overwrites_no_data_and_is_never_partial(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_older: bool
) -> None:
    if is_older:  # what is done for one works on a newer one, too
        monkeypatch.setattr("kiok.server.backup._TRANSACTION_TIMEOUT_SINCE", 1_000_000)
    file = tmp_path / "kiok.dump"
    backup(file)
    with pytest.raises(CommandError, match="exists already; choose another"):
        backup(file)
    before = all_rows()
    with pytest.raises(CommandError, match=r"already has \d+ tables; restore into an empty one"):
        restore(file)
    assert all_rows() == before
    torn = tmp_path / "torn.dump"
    torn.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with fresh_database():
        for wrong, output in (
            (torn, "pg_restore failed"),
            (tmp_path / "none", "cannot be read: No such file"),
        ):
            with pytest.raises(CommandError, match=output):
                restore(wrong)
            assert connection.introspection.table_names() == []
        restore(file)
        assert Repository.objects.get().name == "team"


def test_a_backup_that_cannot_be_made_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "there_is_none")
    with pytest.raises(CommandError, match=r'(?s)pg_dump failed.*"there_is_none" does not exist'):
        backup(tmp_path / "kiok.dump")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        backup(tmp_path / "nowhere" / "kiok.dump")


def test_a_backup_does_not_replace_a_file_created_while_it_runs(
    repository: Repository, tmp_path: Path
) -> None:
    file = tmp_path / "kiok.dump"
    (tmp_path / ".kiok.dump.killed.part").write_bytes(b"what one that was killed has left")
    given = connection.settings_dict
    with psycopg.connect(host=given["HOST"], user=given["USER"], dbname=given["NAME"]) as other:
        other.execute("LOCK TABLE gitsync_repository IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as thread:
            dumped = thread.submit(dump, file)
            eventually(lambda: len(list(tmp_path.glob(".kiok.dump.*.part"))) == 2, 20, "it is written")
            (part,) = (path for path in tmp_path.glob(".*.part") if "killed" not in path.name)
            assert stat.S_IMODE(part.stat().st_mode) == 0o600
            file.write_bytes(b"another's")
            other.rollback()
            with pytest.raises(BackupError, match="exists already; choose another"):
                dumped.result(600)
    assert file.read_bytes() == b"another's"
    assert not part.exists()
    file.unlink()
    backup(file)
    assert file.read_bytes().startswith(b"PGDMP")


def test_a_terminated_backup_leaves_no_partial_file_and_no_pg_dump(
    repository: Repository, tmp_path: Path
) -> None:
    given, folder = connection.settings_dict, tmp_path / "backups"
    folder.mkdir()
    url = os.environ["DATABASE_URL"].replace(f"/{embedded.DATABASE}?", f"/{given['NAME']}?")
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE gitsync_repository IN ACCESS EXCLUSIVE MODE")
        process = subprocess.Popen(
            [sys.executable, "manage.py", "backup", str(folder / "kiok.dump")],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        waits = (
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'gitsync_repository'::regclass"
        )
        eventually(lambda: other.execute(waits).fetchone() == (1,), 30, "pg_dump waits for the table")
        process.terminate()
        assert process.wait(600) == 128 + signal.SIGTERM
        assert list(folder.iterdir()) == []
        assert not [process for process in Path("/proc").glob("[0-9]*") if writes_into(process, folder)]


def writes_into(process: Path, folder: Path) -> bool:
    """Return whether a process has a file of that folder open, which may be deleted."""
    with suppress(OSError):
        return any(os.readlink(one).startswith(str(folder)) for one in (process / "fd").iterdir())
    return False


def test_a_backup_goes_through_pipes(
    repository: Repository, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    call_command("backup", "-")
    written = capfdbinary.readouterr().out
    with fresh_database(), tempfile.TemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        file.write(written)
        file.seek(0)
        patch.setattr(sys, "stdin", TextIOWrapper(file))
        call_command("restore", "-")
        assert Repository.objects.get().name == "team"


def test_a_backup_of_a_newer_version_is_refused_with_a_message(
    repository: Repository, tmp_path: Path
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('gitsync', '9999_of_tomorrow', now())"
        )
    try:
        backup(tmp_path / "kiok.dump")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE name = '9999_of_tomorrow'")
    with (
        fresh_database(),
        pytest.raises(CommandError, match=r"a newer version wrote it \(gitsync\.9999_of_tomorrow"),
    ):
        restore(tmp_path / "kiok.dump")
