"""Private repositories: a real sshd and a real https server, with credentials from the connection store."""

from __future__ import annotations

import base64
import os
import threading
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, connections, transaction

from gitsync.models import Repository
from gitsync.sync import remote
from kiok.connections.models import Connection
from kiok.metadata.models import Dag
from tests.integration.conftest import Sync, yaml_dag
from tests.support.cluster import eventually
from tests.support.servers.https import HttpsServer
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "s3cret-cañary/+ value"


def store(connection_id: str, properties: Mapping[str, str]) -> Connection:
    row = Connection(id=connection_id, type="git")
    row.set_properties(dict(properties))
    row.save()
    return row


@pytest.mark.rule("credentials.key-file")
@pytest.mark.case("auth.ssh-url")
def test_a_private_repository_over_ssh_syncs_with_a_key(
    work_repo: WorkRepo, repository: Repository, ssh_server: SshServer, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    key = ssh_server.client_key()
    repository.url = ssh_server.url(work_repo.bare)
    repository.credential = store("deploy", {"privateKey": key, "knownHosts": ssh_server.known_hosts})
    repository.save()
    assert sync().created == ("team/a.yaml",)
    assert Dag.objects.count() == 1
    assert (
        list(remote.client().secrets_root.glob(f"call-*-{os.getpid()}-*")) == []
    )  # others have keys there, too


@pytest.mark.rule("credentials.unknown-host")
def test_without_a_known_host_the_fingerprint_seen_is_shown(
    work_repo: WorkRepo, repository: Repository, ssh_server: SshServer, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    repository.url = ssh_server.url(work_repo.bare)
    repository.credential = store("deploy", {"privateKey": ssh_server.client_key()})
    repository.save()
    report = sync()
    assert report.reason == "host_key_unknown"
    assert ssh_server.fingerprint in report.message


@pytest.mark.parametrize(
    "properties", [{"username": "robot", "password": SECRET}, {"token": SECRET}], ids=["password", "token"]
)
@pytest.mark.rule("credentials.http-forms")
@pytest.mark.case("auth.right")
def test_a_private_repository_over_https_syncs_with_a_password_or_a_token(
    properties: dict[str, str],
    work_repo: WorkRepo,
    repository: Repository,
    https_server: HttpsServer,
    trusting: None,
    sync: Sync,
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    https_server.accounts = {properties.get("username", "x-access-token"): SECRET}
    repository.url = https_server.url("dags.git")
    repository.save()
    assert sync().reason == "authentication_failed"
    repository.credential = store("robot", properties)
    repository.save()
    assert sync().created == ("team/a.yaml",)


@pytest.mark.rule("credentials.hosts")
def test_a_credential_bound_to_hosts_is_not_sent_to_an_edited_url(
    work_repo: WorkRepo, repository: Repository, https_server: HttpsServer, trusting: None, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    https_server.accounts = {"x-access-token": SECRET}
    row = store("robot", {"token": SECRET, "hosts": f"localhost:{https_server.port} other.example"})
    repository.url, repository.credential = https_server.url("dags.git"), row
    repository.save()
    assert sync().created == ("team/a.yaml",)
    https_server.requests.clear()

    repository.url = https_server.url("dags.git", host="127.0.0.1")
    repository.save()
    report = sync()

    assert report.reason == "credential"
    assert f"'hosts' do not include 127.0.0.1:{https_server.port}" in report.message
    assert https_server.requests == []
    assert Dag.objects.count() == 1


@pytest.mark.rule("credentials.per-sync")
@pytest.mark.case("auth.rotated")
def test_a_rotated_secret_counts_at_the_next_sync(
    work_repo: WorkRepo, repository: Repository, https_server: HttpsServer, trusting: None, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    https_server.accounts = {"robot": "old-secret-value"}
    row = store("robot", {"username": "robot", "password": "old-secret-value"})
    repository.url, repository.credential = https_server.url("dags.git"), row
    repository.save()
    assert sync().state == "in_sync"
    https_server.accounts = {"robot": "new-secret-value"}
    work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
    assert sync().reason == "authentication_failed"
    row.set_properties({"username": "robot", "password": "new-secret-value"})
    assert sync().updated == ("team/a.yaml",)


def test_a_connection_that_cannot_be_decrypted_fails_its_repository_only(
    work_repo: WorkRepo, repository: Repository, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    locked = Repository.objects.create(
        name="locked", url=work_repo.file_url, credential=store("k", {"token": SECRET})
    )
    monkeypatch.setattr(settings, "KIOK_MASTER_KEY", lambda: "another master key, also long enough")
    from gitsync.sync.run import sync_repository

    report = sync_repository(locked.pk)
    assert (report.state, report.reason) == ("failing", "credential")
    assert "'k'" in report.message
    work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
    assert sync().updated == ("team/a.yaml",)


@pytest.fixture
def private(
    work_repo: WorkRepo, repository: Repository, https_server: HttpsServer, trusting: None
) -> Repository:
    """The repository, with a file to sync, on a server that wants the credential it has."""
    work_repo.publish({"a.yaml": yaml_dag("a")})
    https_server.accounts = {"ada": "some-secret"}
    repository.url = https_server.url("dags.git")
    repository.credential = store("ada", {"username": "ada", "password": "some-secret"})
    repository.save()
    return repository


@pytest.mark.case("auth.source-failing", "auth.source-recovering")
def test_a_failed_secret_source_is_reported_and_used_once_it_recovers(
    private: Repository, sync: Sync, monkeypatch: pytest.MonkeyPatch, https_server: HttpsServer
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(settings, "KIOK_MASTER_KEY", lambda: "another master key, also long enough")
        report = sync()
    assert (report.state, report.reason) == ("failing", "credential")
    assert "'ada'" in report.message
    assert https_server.requests == [], "asked without the credential that was configured"
    assert sync().created == ("team/a.yaml",)


@pytest.mark.case("auth.source-slow")
def test_a_source_that_is_slow_is_waited_for(private: Repository, sync: Sync) -> None:
    held = threading.Event()
    waited = []

    def hold() -> None:
        """Lock the table of connections until a sync has waited for it."""
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("LOCK TABLE connections_connection IN ACCESS EXCLUSIVE MODE")
                held.set()
                waited.append(eventually(lambda: _is_wanted("connections_connection"), 20, "a sync waits"))
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(600)
        assert sync().created == ("team/a.yaml",)
    finally:
        holder.join()
    assert waited


def _is_wanted(table: str) -> bool:
    """Return whether a session waits for a lock on it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass", [table])
        return cursor.fetchone() != (0,)


@pytest.mark.rule("credentials.askpass-only")
def test_the_secret_is_not_in_database_mirror_or_command_lines(
    work_repo: WorkRepo, repository: Repository, https_server: HttpsServer, trusting: None, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    https_server.accounts = {"robot": SECRET}
    repository.url = https_server.url("dags.git")
    repository.credential = store("robot", {"username": "robot", "password": SECRET})
    repository.save()
    seen: set[bytes] = set()
    stop = threading.Event()
    watcher = threading.Thread(target=_watch_command_lines, args=(seen, stop))
    watcher.start()
    try:
        assert sync().created == ("team/a.yaml",)
        https_server.accounts = {"robot": "changed"}
        work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
        assert sync().reason == "authentication_failed"
    finally:
        stop.set()
        watcher.join()
    haystacks = {"database": _database_dump(), "command lines": b"\n".join(seen)}
    for path in remote.mirror_of(repository.pk).directory.rglob("*"):
        if path.is_file():
            haystacks[str(path)] = path.read_bytes()
    assert b"git" in haystacks["command lines"]
    forms = [
        SECRET.encode(),
        urllib.parse.quote(SECRET, safe="").encode(),
        urllib.parse.quote_plus(SECRET).encode(),
        base64.b64encode(SECRET.encode()),
        base64.b64encode(f"robot:{SECRET}".encode()),
    ]
    for place, content in haystacks.items():
        assert not [form for form in forms if form in content], place


def _database_dump() -> bytes:
    """Every row of every table as text."""
    parts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            parts += [row[0] for row in cursor.fetchall()]
    return "\n".join(parts).encode()


def _watch_command_lines(seen: set[bytes], stop: threading.Event) -> None:
    while not stop.is_set():
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                seen.add(Path(f"/proc/{pid}/cmdline").read_bytes())
            except OSError:
                continue
