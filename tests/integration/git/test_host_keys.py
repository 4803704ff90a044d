"""The first key of an ssh host: shown, accepted by a click, and never another after it."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User

from gitsync.models import Repository
from gitsync.repositories.connection_test import HostKeyNotAccepted, accept_host_key, check
from kiok.connections.models import Connection
from tests.integration.conftest import Sync, yaml_dag
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

OTHER_HOST = (
    "other.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINwkZMCvxm5MBQTqDJbVjPlHZS6jTpRKG7S9u2eS9vqb\n"
)


@pytest.fixture
def deploy(work_repo: WorkRepo, repository: Repository, ssh_server: SshServer) -> Connection:
    """The connection of `repository`, which is reached over ssh; no host is known yet."""
    work_repo.publish({"a.yaml": yaml_dag("a")})
    row = Connection(id="deploy", type="git")
    row.set_properties({"privateKey": ssh_server.client_key()})
    repository.url = ssh_server.url(work_repo.bare)
    repository.credential = row
    repository.save()
    return row


def known_hosts(connection_id: str = "deploy") -> str:
    return Connection.objects.get(pk=connection_id).properties().get("knownHosts", "")


@pytest.mark.rule("credentials.unknown-host")
def test_an_unknown_host_key_is_shown_accepted_and_then_synced(
    deploy: Connection, repository: Repository, ssh_server: SshServer, sync: Sync
) -> None:
    ada = User.objects.create_superuser("ada", password="x")
    deploy.update_properties({"knownHosts": OTHER_HOST.strip()})
    assert sync().reason == "host_key_unknown"
    found = check(Repository.objects.get())
    assert found.reason == "host_key_unknown"
    assert found.presented_key == f"ssh-ed25519 {ssh_server.fingerprint}"
    assert (found.host, found.known_keys) == (f"[127.0.0.1]:{ssh_server.port}", ())
    assert found.acceptable

    accept_host_key(repository, found.presented_key, user_id=ada.pk)

    assert known_hosts() == OTHER_HOST + ssh_server.known_hosts
    after = check(Repository.objects.get())
    assert (after.reason, after.branches) == ("", ("main",))
    assert (after.known_keys, after.acceptable) == ((found.presented_key,), False)
    assert Repository.objects.get().consecutive_failures == 0
    entry = LogEntry.objects.get(object_id="deploy")
    assert (entry.object_id, entry.user_id) == ("deploy", ada.pk)
    assert ssh_server.fingerprint in entry.get_change_message()
    assert sync().created == ("team/a.yaml",)


def test_accepting_the_same_key_twice_is_accepting_it_once(
    deploy: Connection, repository: Repository, ssh_server: SshServer
) -> None:
    key = check(repository).presented_key
    accept_host_key(repository, key)
    accept_host_key(repository, key)
    assert known_hosts() == ssh_server.known_hosts


def test_two_concurrent_acceptances_write_one_line(
    deploy: Connection, repository: Repository, ssh_server: SshServer
) -> None:
    key = check(repository).presented_key

    at_once(3, lambda _number: accept_host_key(Repository.objects.get(), key))
    assert known_hosts() == ssh_server.known_hosts


def test_a_key_that_changes_between_showing_and_accepting_is_refused(
    deploy: Connection, repository: Repository, ssh_server: SshServer
) -> None:
    shown = check(repository).presented_key
    ssh_server.change_host_key()
    with pytest.raises(HostKeyNotAccepted) as caught:
        accept_host_key(repository, shown)
    assert shown in str(caught.value)
    assert ssh_server.fingerprint in str(caught.value)
    assert known_hosts() == ""


def test_a_changed_host_key_is_shown_with_the_known_one_and_never_accepted(
    deploy: Connection, repository: Repository, ssh_server: SshServer
) -> None:
    before, old = ssh_server.known_hosts, ssh_server.fingerprint
    deploy.update_properties({"knownHosts": before})
    ssh_server.change_host_key()

    found = check(Repository.objects.get())

    assert found.reason == "host_key_changed"
    assert found.known_keys == (f"ssh-ed25519 {old}",)
    assert found.presented_key == f"ssh-ed25519 {ssh_server.fingerprint}"
    assert not found.acceptable
    with pytest.raises(HostKeyNotAccepted, match="Only a first key can be accepted here"):
        accept_host_key(Repository.objects.get(), found.presented_key)
    assert known_hosts() == before


def test_no_key_is_accepted_for_a_host_with_a_key_of_another_type(
    deploy: Connection, repository: Repository, ssh_server: SshServer
) -> None:
    rsa = f"[127.0.0.1]:{ssh_server.port} ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7\n"
    deploy.update_properties({"knownHosts": rsa})
    found = check(Repository.objects.get())
    assert found.reason in ("host_key_unknown", "host_key_changed")
    assert found.presented_key
    assert not found.acceptable
    with pytest.raises(HostKeyNotAccepted):
        accept_host_key(Repository.objects.get(), found.presented_key)
    assert known_hosts() == rsa


@pytest.mark.parametrize("what", ["no ssh", "no connection", "no server", "no master key"])
def test_the_refusal_names_the_reason_why_no_key_can_be_accepted(
    what: str,
    deploy: Connection,
    repository: Repository,
    work_repo: WorkRepo,
    ssh_server: SshServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = check(repository).presented_key
    if what == "no ssh":
        Repository.objects.update(url=work_repo.file_url, credential=None)
    elif what == "no connection":
        Repository.objects.update(credential=None)
    elif what == "no server":
        ssh_server.stop()
    else:
        monkeypatch.setattr(settings, "KIOK_MASTER_KEY", lambda: None)
    with pytest.raises(HostKeyNotAccepted, match="No host key was accepted") as caught:
        accept_host_key(Repository.objects.get(), key)
    assert len(str(caught.value)) > 50
