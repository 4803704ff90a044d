""" "Test connection": what is said of real servers, and the acceptance of a first host key."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection as database

from gitsync import remote
from gitsync.models import Repository
from gitsync.remote_check import SHOWN_REFS, HostKeyNotAccepted, RemoteCheck, accept_host_key, check
from kiok.connections.models import Connection
from tests.integration.conftest import Sync, yaml_dag
from tests.servers.https import HttpsServer
from tests.servers.repositories import WorkRepo
from tests.servers.ssh import SshServer

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


@pytest.fixture
def trusting(https_server: HttpsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if kiok.gitsync.ssl.ca.info named the server's CA."""
    with_git(monkeypatch, gitsync_ssl_ca_info=https_server.ca_file)
    yield
    remote.client.cache_clear()


def with_git(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setattr(settings, "KIOK", replace(settings.KIOK, **changes))
    remote.client.cache_clear()


def known_hosts(connection_id: str = "deploy") -> str:
    return Connection.objects.get(pk=connection_id).properties().get("knownHosts", "")


# What is found.


def test_branches_tags_and_the_default_branch_are_named_and_counted(
    work_repo: WorkRepo, repository: Repository
) -> None:
    commit = work_repo.publish({"a.yaml": yaml_dag("a")})
    work_repo.tag("v1", annotated=True)
    for number in range(SHOWN_REFS + 5):
        work_repo.git("update-ref", f"refs/heads/b{number:02}", "HEAD")
    work_repo.push("refs/heads/*:refs/heads/*")

    found = check(repository)

    assert found.reason == ""
    assert found.message == f"The server answers, and has branch 'main' at {commit[:10]}."
    assert (found.n_branches, found.n_tags, found.default_branch) == (SHOWN_REFS + 6, 1, "main")
    assert found.branches == ("main", *(f"b{number:02}" for number in range(SHOWN_REFS - 1)))
    assert (found.tags, found.commit) == (("v1",), commit)
    assert found.config == repository.config_hash
    assert 0 < found.seconds < 60
    assert RemoteCheck.from_json(found.to_json()) == found

    Repository.objects.update(ref="tag:v1")
    assert (
        check(Repository.objects.get()).message == f"The server answers, and has tag 'v1' at {commit[:10]}."
    )


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("mian", "no branch 'mian'; did you mean 'main'?"),
        ("quite-different", "no branch 'quite-different'; its default branch is 'main'"),
        ("v1.0", "no branch 'v1.0', only a tag of that name: write tag:v1.0"),
        ("tag:main", "no tag 'main', only a branch of that name: write main"),
        ("tag:v1.1", "no tag 'v1.1'; did you mean 'v1.0'?"),
    ],
)
def test_a_ref_that_is_not_there_is_said_with_what_may_be_meant(
    work_repo: WorkRepo, repository: Repository, ref: str, says: str
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    work_repo.tag("v1.0")
    Repository.objects.update(ref=ref)
    found = check(Repository.objects.get())
    assert (found.reason, found.commit) == ("ref_missing", "")
    assert says in found.message
    assert (found.branches, found.tags) == (("main",), ("v1.0",))


def test_ranges_and_commits_are_told_too(work_repo: WorkRepo, repository: Repository) -> None:
    def found(ref: str) -> tuple[str, str, str]:
        Repository.objects.update(ref=ref)
        answer = check(Repository.objects.get())
        return answer.reason, answer.commit, answer.message

    first = work_repo.publish({"a.yaml": yaml_dag("a")})
    work_repo.tag("v1.2.0", annotated=True)
    second = work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
    work_repo.tag("v2.0.0")
    last = work_repo.publish({"a.yaml": yaml_dag("a", "echo 3")})

    assert found("semver:^1")[:2] == ("", first)
    assert "'v1.2.0'" in found("semver:^1")[2]
    assert found("semver:>=1")[:2] == ("", second)
    assert found("semver:^3")[:2] == ("ref_missing", "")
    assert "no tag is in the range '^3': its highest versions are 'v2.0.0', 'v1.2.0'" in found("semver:^3")[2]
    assert found(f"commit:{last}") == (
        "",
        last,
        f"The server answers. Commit {last[:10]} is that of branch 'main'.",
    )
    assert "the next sync tells" in found(f"commit:{'0' * 40}")[2]


def test_an_empty_repository_is_said_to_be_empty(repository: Repository) -> None:
    found = check(repository)
    assert found.reason == "ref_missing"
    assert "is empty" in found.message


def test_the_subpath_is_told_as_far_as_syncs_have_seen_it(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    def subpath() -> tuple[str, bool | None, str]:
        found = check(Repository.objects.get())
        return found.reason, found.subpath_found, found.subpath_message

    commit = work_repo.publish({"dags/a.yaml": yaml_dag("a")})
    assert subpath()[1:] == (True, "The whole repository is synced.")
    Repository.objects.update(subpath="dags")
    assert subpath() == ("", None, "The next sync tells whether there is a folder 'dags'.")
    sync()
    assert subpath() == ("", True, "The last sync found 'dags' in this commit.")
    work_repo.publish({"dags/b.yaml": yaml_dag("b")})
    assert subpath() == ("", None, f"'dags' was there at commit {commit[:10]}; the next sync looks again.")
    Repository.objects.update(subpath="gads")
    sync()
    assert subpath() == ("subpath_missing", False, "The last sync found no folder 'gads' in this commit.")


def test_a_test_changes_nothing_of_the_repository(work_repo: WorkRepo, repository: Repository) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    before = Repository.objects.values().get()
    check(repository)
    assert Repository.objects.values().get() == before
    assert not remote.mirror_of(repository.pk).directory.exists()


# Why there is no answer.


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"url": "gopher://x/y"}, "url_invalid"),
        ({"url": "https://10.1.2.3/x.git"}, "host_not_allowed"),
        ({"url": "http://127.0.0.1/x.git"}, "protocol_not_allowed"),
        ({"url": "https://127.0.0.1:9/x.git"}, "network"),
        ({"url": "ssh://git@127.0.0.1:9/x.git"}, "credential_invalid"),
        ({"url": "file:///nowhere/at/all.git"}, "repository_not_found"),
        ({"ref": "a..b"}, "ref_invalid"),
        ({"subpath": "../up"}, "subpath_invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_is_wrong_is_the_answers_reason(
    repository: Repository, values: dict[str, str], reason: str
) -> None:
    Repository.objects.update(**values)
    found = check(Repository.objects.get())
    assert found.reason == reason
    assert len(found.message) > 20
    assert not found.acceptable


def test_credentials_are_used_and_refused_ones_are_said_without_them(
    work_repo: WorkRepo, repository: Repository, https_server: HttpsServer, trusting: None
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    https_server.accounts = {"robot": "hunter2secret"}
    row = Connection(id="robot", type="git")
    row.set_properties({"username": "robot", "password": "hunter2secret"})
    Repository.objects.update(url=https_server.url("dags.git"), credential=row)
    assert check(Repository.objects.get()).branches == ("main",)

    row.set_properties({"username": "robot", "password": "wrong-secret"})
    found = check(Repository.objects.get())
    assert found.reason == "authentication_failed"
    assert "secret" not in str(found.to_json())

    row.set_properties({"username": "robot"})
    found = check(Repository.objects.get())
    assert (found.reason, found.host) == ("credential", "")
    assert "neither 'password' nor 'token'" in found.message


def test_a_server_that_hangs_is_given_up_after_the_time_limit_of_git(
    repository: Repository, https_server: HttpsServer, trusting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_git(monkeypatch, gitsync_git_timeout_ms=1000)
    https_server.delay_seconds = 30
    Repository.objects.update(url=https_server.url("dags.git"))
    began = time.monotonic()
    found = check(Repository.objects.get())
    assert found.reason == "timeout"
    assert time.monotonic() - began < 10


# Host keys.


@pytest.mark.rule("credentials.unknown-host")
def test_an_unknown_host_key_is_shown_and_accepted_and_then_the_repository_syncs(
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


def test_two_who_accept_at_once_write_one_line(
    deploy: Connection, repository: Repository, ssh_server: SshServer
) -> None:
    key = check(repository).presented_key

    def accept() -> None:
        accept_host_key(Repository.objects.get(), key)
        database.close()

    threads = [threading.Thread(target=accept) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
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
    with pytest.raises(HostKeyNotAccepted, match="A click accepts a first key only"):
        accept_host_key(Repository.objects.get(), found.presented_key)
    assert known_hosts() == before


def test_where_the_host_has_a_key_of_another_type_none_is_accepted(
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
def test_where_no_key_can_be_accepted_the_refusal_says_why(
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
