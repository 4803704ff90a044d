"""Fetching over a real OpenSSH server."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.credentials import SshCredential, credential_from_properties
from gitsync.git.errors import GitError, GitPersonError, GitReason, GitTransientError
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.url import RemoteUrl, parse_url
from tests.support.servers.process_list import command_lines, watch_process_list
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer
from tests.support.waiting import wait_until
from tests.unit.key_text import key_text

MAIN = parse_ref("main")


@pytest.fixture
def client(tmp_path: Path) -> GitClient:
    return GitClient(GitSettings(home=tmp_path / "home", allow_private_hosts=frozenset({"127.0.0.1"})))


@pytest.fixture
def mirror(tmp_path: Path, client: GitClient) -> Mirror:
    return Mirror(tmp_path / "mirrors" / "1", client)


@pytest.fixture
def commit(work_repo: WorkRepo) -> str:
    return work_repo.publish({"a.yaml": "dag: {id: a}\n"})


@pytest.fixture
def url(ssh_server: SshServer, work_repo: WorkRepo, commit: str) -> RemoteUrl:
    return parse_url(ssh_server.url(work_repo.bare))


@pytest.fixture(autouse=True)
def _no_secret_is_left_behind(client: GitClient) -> Iterator[None]:
    yield
    mine = [path for path in client.secrets_root.iterdir() if f"-{os.getpid()}-" in path.name]
    assert mine == []


@pytest.mark.rule("credentials.ssh-options")
@pytest.mark.case("auth.ssh-url")
def test_a_private_repository_is_fetched_with_key_and_known_hosts(
    ssh_server: SshServer, mirror: Mirror, url: RemoteUrl, commit: str
) -> None:
    properties = {"privateKey": ssh_server.client_key(), "knownHosts": ssh_server.known_hosts}
    credential = credential_from_properties(properties, url)
    assert mirror.probe(url, MAIN, credential) == commit
    assert mirror.fetch(url, MAIN, credential) == commit


def test_a_key_pasted_with_crlf_and_without_final_line_break_works(
    ssh_server: SshServer, mirror: Mirror, url: RemoteUrl, commit: str
) -> None:
    key = ssh_server.client_key().strip().replace("\n", "\r\n")
    properties = {"privateKey": key, "knownHosts": ssh_server.known_hosts.replace("\n", "\r\n")}
    assert mirror.probe(url, MAIN, credential_from_properties(properties, url)) == commit


@pytest.mark.rule("credentials.passphrase")
def test_a_key_with_a_passphrase_is_unlocked(
    ssh_server: SshServer, mirror: Mirror, url: RemoteUrl, commit: str
) -> None:
    key = ssh_server.client_key(passphrase='it\'s $HOME "quoted"')
    properties = {
        "privateKey": key,
        "knownHosts": ssh_server.known_hosts,
        "passphrase": 'it\'s $HOME "quoted"',
    }
    assert mirror.fetch(url, MAIN, credential_from_properties(properties, url)) == commit


@pytest.mark.parametrize("form", ["openssh", "pem", "pkcs8"])
def test_a_wrong_passphrase_is_reported_and_not_shown(
    ssh_server: SshServer, tmp_path: Path, mirror: Mirror, url: RemoteUrl, form: str
) -> None:
    path = tmp_path / "key"
    arguments = ["-t", "ed25519"] if form == "openssh" else ["-t", "rsa", "-b", "2048", "-m", form.upper()]
    subprocess.run(["ssh-keygen", "-q", *arguments, "-N", "right-passphrase", "-f", str(path)], check=True)
    properties = {"privateKey": path.read_text(), "knownHosts": ssh_server.known_hosts}
    credential = credential_from_properties({**properties, "passphrase": "wrong-passphrase"}, url)
    with pytest.raises(GitPersonError) as caught:
        mirror.fetch(url, MAIN, credential)
    assert caught.value.reason is GitReason.CREDENTIAL_INVALID, str(caught.value)
    assert "wrong-passphrase" not in str(caught.value)
    assert "'passphrase' does not open the connection's privateKey" in str(caught.value)
    assert "call-" not in str(caught.value)


def test_a_locked_key_unknown_to_the_server_is_an_authentication_failure(
    ssh_server: SshServer, mirror: Mirror, url: RemoteUrl
) -> None:
    key = ssh_server.client_key(passphrase="right-passphrase", authorize=False)
    with pytest.raises(GitPersonError) as caught:
        mirror.probe(url, MAIN, SshCredential(key, ssh_server.known_hosts, "right-passphrase"))
    assert caught.value.reason is GitReason.AUTHENTICATION_FAILED


def test_a_key_that_ssh_cannot_read_is_an_invalid_credential(
    ssh_server: SshServer, mirror: Mirror, url: RemoteUrl
) -> None:
    """The key has the right form and an invalid private part."""
    properties = {"privateKey": key_text(b"x" * 64), "knownHosts": ssh_server.known_hosts}
    with pytest.raises(GitPersonError, match="ssh cannot read the connection's privateKey") as caught:
        mirror.probe(url, MAIN, credential_from_properties(properties, url))
    assert caught.value.reason is GitReason.CREDENTIAL_INVALID


def _pasted(key: str) -> dict[str, str]:
    return {
        "as it is": key,
        "Windows line ends": key.replace("\n", "\r\n"),
        "old Mac line ends": key.replace("\n", "\r"),
        "no last line break": key.rstrip("\n"),
        "byte order mark": f"\ufeff{key}",
        "blank lines around": f"\n\n  \n{key}\n\n",
        "blanks at line ends": key.replace("\n", "  \n"),
    }


@pytest.mark.parametrize("form", ["openssh", "pem", "pkcs8", "ecdsa"])
def test_a_key_works_however_its_lines_end(
    ssh_server: SshServer, tmp_path: Path, mirror: Mirror, url: RemoteUrl, commit: str, form: str
) -> None:
    path = tmp_path / "key"
    arguments = {
        "openssh": ["-t", "ed25519"],
        "ecdsa": ["-t", "ecdsa", "-m", "PEM"],
    }.get(form, ["-t", "rsa", "-b", "2048", "-m", form.upper()])
    subprocess.run(["ssh-keygen", "-q", *arguments, "-N", "", "-f", str(path)], check=True)
    with ssh_server.authorized_keys.open("a") as file:
        file.write(path.with_suffix(".pub").read_text())
    for name, key in _pasted(path.read_text()).items():
        credential = credential_from_properties(
            {"privateKey": key, "knownHosts": ssh_server.known_hosts}, url
        )
        assert mirror.probe(url, MAIN, credential) == commit, name


def test_a_key_the_server_does_not_know_is_an_authentication_failure(
    ssh_server: SshServer, mirror: Mirror, url: RemoteUrl
) -> None:
    credential = SshCredential(ssh_server.client_key(authorize=False), ssh_server.known_hosts)
    with pytest.raises(GitPersonError, match="Permission denied") as caught:
        mirror.probe(url, MAIN, credential)
    assert caught.value.reason is GitReason.AUTHENTICATION_FAILED


@pytest.mark.rule("credentials.unknown-host")
def test_an_unknown_host_key_is_refused_with_the_way_to_accept_it(
    ssh_server: SshServer, mirror: Mirror, url: RemoteUrl, commit: str
) -> None:
    key = ssh_server.client_key()
    with pytest.raises(GitPersonError) as caught:
        mirror.probe(url, MAIN, SshCredential(key))
    assert caught.value.reason is GitReason.HOST_KEY_UNKNOWN
    message = str(caught.value)
    assert ssh_server.fingerprint in message
    # The line it names is the one that makes it work.
    line = message.rpartition("knownHosts: ")[2].strip("'")
    assert mirror.probe(url, MAIN, SshCredential(key, line + "\n")) == commit


def test_a_changed_host_key_is_refused_unlike_an_unknown_one(
    ssh_server: SshServer, mirror: Mirror, url: RemoteUrl
) -> None:
    credential = SshCredential(ssh_server.client_key(), ssh_server.known_hosts)
    ssh_server.change_host_key()
    with pytest.raises(GitPersonError) as caught:
        mirror.probe(url, MAIN, credential)
    assert caught.value.reason is GitReason.HOST_KEY_CHANGED
    assert ssh_server.fingerprint in str(caught.value)


@pytest.mark.rule("credentials.per-sync")
@pytest.mark.case("auth.rotated")
def test_a_rotated_key_is_used_at_the_next_call(
    ssh_server: SshServer, mirror: Mirror, url: RemoteUrl, commit: str
) -> None:
    old = SshCredential(ssh_server.client_key("old"), ssh_server.known_hosts)
    assert mirror.fetch(url, MAIN, old) == commit
    ssh_server.revoke_all()
    new = SshCredential(ssh_server.client_key("new"), ssh_server.known_hosts)
    with pytest.raises(GitPersonError):
        mirror.fetch(url, MAIN, old)
    assert mirror.fetch(url, MAIN, new) == commit


def test_git_decodes_user_and_path_of_an_ssh_url(
    ssh_server: SshServer, tmp_path: Path, mirror: Mirror, commit: str
) -> None:
    work = WorkRepo(tmp_path / "served", "my dags%.git")
    commit = work.publish({"a.yaml": "dag: {id: b}\n"})
    credential = SshCredential(ssh_server.client_key(), ssh_server.known_hosts)
    user = "".join(f"%{byte:02x}" for byte in ssh_server.user.encode())
    text = ssh_server.url(quote(str(work.bare))).replace(f"{ssh_server.user}@", f"{user}@")
    assert user in text
    assert mirror.fetch(parse_url(text), MAIN, credential) == commit


def test_a_missing_repository_is_not_found(ssh_server: SshServer, mirror: Mirror) -> None:
    credential = SshCredential(ssh_server.client_key(), ssh_server.known_hosts)
    with pytest.raises(GitPersonError) as caught:
        mirror.probe(parse_url(ssh_server.url("/no/such/repository.git")), MAIN, credential)
    assert caught.value.reason is GitReason.REPOSITORY_NOT_FOUND


def test_a_server_that_is_down_is_transient(ssh_server: SshServer, mirror: Mirror, url: RemoteUrl) -> None:
    credential = SshCredential(ssh_server.client_key(), ssh_server.known_hosts)
    ssh_server.stop()
    with pytest.raises(GitTransientError) as caught:
        mirror.probe(url, MAIN, credential)
    assert caught.value.reason is GitReason.NETWORK


def test_a_login_named_by_the_connection_is_used_when_the_url_names_none(
    ssh_server: SshServer, work_repo: WorkRepo, mirror: Mirror, commit: str
) -> None:
    bare = parse_url(ssh_server.url(work_repo.bare).replace(f"{ssh_server.user}@", ""))
    assert bare.user is None
    properties = {
        "privateKey": ssh_server.client_key(),
        "knownHosts": ssh_server.known_hosts,
        "username": ssh_server.user,
    }
    assert mirror.probe(bare, MAIN, credential_from_properties(properties, bare)) == commit


def test_an_ssh_url_without_credential_is_refused_with_a_remedy(mirror: Mirror, url: RemoteUrl) -> None:
    with pytest.raises(GitPersonError, match="privateKey") as caught:
        mirror.probe(url, MAIN, None)
    assert caught.value.reason is GitReason.CREDENTIAL_INVALID


@pytest.mark.rule("running.time-limit")
def test_a_server_that_hangs_runs_into_the_limit_and_no_ssh_is_left(
    ssh_server: SshServer, tmp_path: Path, url: RemoteUrl, commit: str
) -> None:
    settings = GitSettings(
        home=tmp_path / "hasty",
        allow_private_hosts=frozenset({"127.0.0.1"}),
        timeout_seconds=1.0,
        kill_after_seconds=1.0,
    )
    mirror = Mirror(tmp_path / "mirrors" / "2", GitClient(settings))
    credential = SshCredential(ssh_server.client_key(), ssh_server.known_hosts)
    ssh_server.delay(600)
    for call in (mirror.probe, mirror.fetch):
        with pytest.raises(GitTransientError) as caught:
            call(url, MAIN, credential)
        assert caught.value.reason is GitReason.TIMEOUT
    # Killed is not yet gone: the kernel takes its time with the last of a group.
    ours = f"HostKeyAlias=[127.0.0.1]:{ssh_server.port}"
    wait_until(lambda: not [line for line in command_lines() if ours in line], "no ssh is left")
    ssh_server.delay(0)
    patient = GitClient(replace(settings, timeout_seconds=120.0))
    assert Mirror(mirror.directory, patient).fetch(url, MAIN, credential) == commit


def test_no_secret_is_seen_in_the_process_list_or_the_mirror(
    ssh_server: SshServer, mirror: Mirror, url: RemoteUrl, commit: str
) -> None:
    passphrase = "canary-passphrase-8731"
    key = ssh_server.client_key(passphrase=passphrase)
    body = key.splitlines()[1]
    credential = SshCredential(key, ssh_server.known_hosts, passphrase)
    ssh_server.delay(0.5)
    done = threading.Event()
    seen: list[str] = []
    watcher = threading.Thread(target=watch_process_list, args=(done, seen))
    watcher.start()
    try:
        assert mirror.fetch(url, MAIN, credential) == commit
    finally:
        done.set()
        watcher.join()
    lines = "\n".join(seen)
    assert f"HostKeyAlias=[127.0.0.1]:{ssh_server.port}" in lines
    assert "fetch" in lines
    stored = b"\n".join(path.read_bytes() for path in mirror.directory.rglob("*") if path.is_file())
    for secret in (passphrase, body):
        assert secret not in lines
        assert secret.encode() not in stored
    assert str(url.fetch_url).encode() not in stored


@pytest.mark.rule("paths.checked-twice")
def test_an_address_that_is_not_allowed_is_refused_before_connecting(
    ssh_server: SshServer, tmp_path: Path, url: RemoteUrl
) -> None:
    mirror = Mirror(tmp_path / "m", GitClient(GitSettings(home=tmp_path / "home2")))
    credential = SshCredential(ssh_server.client_key(), ssh_server.known_hosts)
    with pytest.raises(GitError) as caught:
        mirror.probe(url, MAIN, credential)
    assert caught.value.reason is GitReason.HOST_NOT_ALLOWED
