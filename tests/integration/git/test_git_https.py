"""Fetching over a real https server with passwords."""

from __future__ import annotations

import base64
import socket
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.credentials import HttpCredential, credential_from_properties
from gitsync.git.errors import GitError, GitPersonError, GitReason, GitTransientError
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.url import RemoteUrl, parse_url
from tests.support.servers.https import HttpsServer
from tests.support.servers.process_list import watch_process_list
from tests.support.servers.repositories import WorkRepo

MAIN = parse_ref("main")
PASSWORD = "canary p@ss/wörd+42%"


@pytest.fixture
def settings(tmp_path: Path, https_server: HttpsServer) -> GitSettings:
    return GitSettings(
        home=tmp_path / "home",
        allow_private_hosts=frozenset({"localhost", "127.0.0.0/8"}),
        ssl_ca_info=str(https_server.ca_file),
        kill_after_seconds=1.0,
    )


@pytest.fixture
def mirror(tmp_path: Path, settings: GitSettings) -> Mirror:
    return Mirror(tmp_path / "mirrors" / "1", GitClient(settings))


@pytest.fixture
def commit(work_repo: WorkRepo) -> str:
    return work_repo.publish({"a.yaml": "dag: {id: a}\n"})


@pytest.fixture
def url(https_server: HttpsServer, commit: str) -> RemoteUrl:
    return parse_url(https_server.url("dags.git"))


def _spellings(secret: str) -> list[str]:
    return [secret, quote(secret, safe=""), base64.b64encode(f"ada:{secret}".encode()).decode()]


def test_a_public_repository_needs_no_credential(mirror: Mirror, url: RemoteUrl, commit: str) -> None:
    assert mirror.probe(url, MAIN, None) == commit
    assert mirror.fetch(url, MAIN, None) == commit


@pytest.mark.rule("credentials.http-forms")
@pytest.mark.case("auth.right")
def test_a_private_repository_is_fetched_with_user_name_and_password(
    https_server: HttpsServer, mirror: Mirror, url: RemoteUrl, commit: str
) -> None:
    https_server.accounts = {"ada": PASSWORD}
    credential = credential_from_properties({"username": "ada", "password": PASSWORD}, url)
    assert mirror.fetch(url, MAIN, credential) == commit


@pytest.mark.rule("credentials.http-forms")
def test_a_private_repository_is_fetched_with_a_token(
    https_server: HttpsServer, mirror: Mirror, url: RemoteUrl, commit: str
) -> None:
    https_server.accounts = {"x-access-token": "tok-123"}
    credential = credential_from_properties({"token": "tok-123"}, url)
    assert mirror.fetch(url, MAIN, credential) == commit


def test_the_user_in_the_url_is_used_and_not_handed_to_git(
    https_server: HttpsServer, mirror: Mirror, url: RemoteUrl, commit: str
) -> None:
    https_server.accounts = {"ada": PASSWORD}
    named = parse_url(https_server.url("dags.git").replace("https://", "https://ada@"))
    assert named.fetch_url == url.fetch_url
    assert mirror.probe(named, MAIN, credential_from_properties({"password": PASSWORD}, named)) == commit


@pytest.mark.parametrize("user", ["user@example.com", "CORP\\ada", "jürgen"])
def test_a_percent_encoded_user_in_the_url_is_sent_decoded_as_git_does(
    https_server: HttpsServer, mirror: Mirror, url: RemoteUrl, commit: str, user: str
) -> None:
    https_server.accounts = {user: PASSWORD}
    named = parse_url(https_server.url("dags.git").replace("https://", f"https://{quote(user, safe='')}@"))
    assert mirror.probe(named, MAIN, credential_from_properties({"password": PASSWORD}, named)) == commit


def test_a_percent_encoded_path_is_the_servers_to_decode(
    tmp_path: Path, https_server: HttpsServer, mirror: Mirror
) -> None:
    commit = WorkRepo(tmp_path / "served", "my dags%.git").publish({"a.yaml": "dag: {id: a}\n"})
    assert mirror.fetch(parse_url(https_server.url("my%20dags%25.git")), MAIN, None) == commit


@pytest.mark.parametrize(("user", "password"), [("ada", "wrong-secret"), ("bob", "wrong-secret")])
@pytest.mark.rule("running.redaction", "failure.classified")
@pytest.mark.case("auth.wrong-user", "auth.wrong-password")
def test_a_wrong_password_is_an_authentication_failure_without_secret(
    https_server: HttpsServer, mirror: Mirror, url: RemoteUrl, user: str, password: str
) -> None:
    https_server.accounts = {"ada": PASSWORD}
    with pytest.raises(GitPersonError) as caught:
        mirror.fetch(url, MAIN, HttpCredential(user, password))
    assert caught.value.reason is GitReason.AUTHENTICATION_FAILED
    assert not any(form in str(caught.value) for form in _spellings(password))


def test_a_private_repository_without_credential_fails_authentication(
    https_server: HttpsServer, mirror: Mirror, url: RemoteUrl
) -> None:
    https_server.accounts = {"ada": PASSWORD}
    with pytest.raises(GitPersonError) as caught:
        mirror.probe(url, MAIN, None)
    assert caught.value.reason is GitReason.AUTHENTICATION_FAILED


@pytest.mark.rule("credentials.per-sync")
@pytest.mark.case("auth.rotated")
def test_a_rotated_password_is_used_at_the_next_call(
    https_server: HttpsServer, mirror: Mirror, url: RemoteUrl, commit: str
) -> None:
    https_server.accounts = {"ada": "old-secret"}
    assert mirror.probe(url, MAIN, HttpCredential("ada", "old-secret")) == commit
    https_server.accounts = {"ada": "new-secret"}
    with pytest.raises(GitPersonError):
        mirror.probe(url, MAIN, HttpCredential("ada", "old-secret"))
    assert mirror.probe(url, MAIN, HttpCredential("ada", "new-secret")) == commit


def test_a_missing_repository_is_not_found(https_server: HttpsServer, mirror: Mirror) -> None:
    with pytest.raises(GitPersonError) as caught:
        mirror.probe(parse_url(https_server.url("none.git")), MAIN, None)
    assert caught.value.reason is GitReason.REPOSITORY_NOT_FOUND


@pytest.mark.rule("running.redirects")
def test_a_redirect_is_refused_and_the_other_host_sees_nothing(
    tmp_path: Path, https_server: HttpsServer, mirror: Mirror, url: RemoteUrl
) -> None:
    with HttpsServer(tmp_path / "served", tmp_path / "other", {"ada": PASSWORD}) as other:
        https_server.redirect_to = f"https://localhost:{other.port}"
        with pytest.raises(GitPersonError) as caught:
            mirror.fetch(url, MAIN, HttpCredential("ada", PASSWORD))
        assert caught.value.reason is GitReason.REDIRECT_REFUSED
        assert other.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused_by_git(tmp_path: Path, url: RemoteUrl) -> None:
    client = GitClient(GitSettings(home=tmp_path / "h", allow_private_hosts=frozenset({"localhost"})))
    with pytest.raises(GitPersonError) as caught:
        Mirror(tmp_path / "m", client).probe(url, MAIN, None)
    assert caught.value.reason is GitReason.CERTIFICATE_REFUSED


def test_a_server_that_is_down_is_transient(mirror: Mirror) -> None:
    with pytest.raises(GitTransientError) as caught:
        mirror.probe(parse_url("https://localhost:9/dags.git"), MAIN, None)
    assert caught.value.reason is GitReason.NETWORK


def test_a_slow_server_runs_into_the_limit_and_works_with_a_longer_one(
    tmp_path: Path, settings: GitSettings, https_server: HttpsServer, url: RemoteUrl, commit: str
) -> None:
    https_server.delay_seconds = 4.0
    hasty = GitClient(
        GitSettings(
            home=settings.home,
            allow_private_hosts=settings.allow_private_hosts,
            ssl_ca_info=settings.ssl_ca_info,
            timeout_seconds=0.5,
            kill_after_seconds=1.0,
        )
    )
    mirror = Mirror(tmp_path / "mirrors" / "1", hasty)
    with pytest.raises(GitTransientError) as caught:
        mirror.probe(url, MAIN, None)
    assert caught.value.reason is GitReason.TIMEOUT
    https_server.delay_seconds = 1.0
    assert Mirror(tmp_path / "mirrors" / "1", GitClient(settings)).probe(url, MAIN, None) == commit


@pytest.mark.rule("paths.checked-twice")
def test_the_connection_goes_to_the_address_that_was_checked(
    tmp_path: Path, settings: GitSettings, https_server: HttpsServer, url: RemoteUrl
) -> None:
    """A name that resolves to one address for the check and to another for git gains nothing."""
    elsewhere = socket.getaddrinfo("127.0.0.2", https_server.port, type=socket.SOCK_STREAM)
    client = GitClient(settings, resolve=lambda *_, **__: elsewhere)
    with pytest.raises(GitTransientError, match=r"Failed to connect|refused"):
        Mirror(tmp_path / "m", client).probe(url, MAIN, None)
    assert https_server.requests == []


@pytest.mark.rule("credentials.askpass-only")
def test_no_secret_is_seen_in_the_process_list_or_the_mirror(
    https_server: HttpsServer, mirror: Mirror, url: RemoteUrl, commit: str
) -> None:
    https_server.accounts = {"ada": PASSWORD}
    https_server.delay_seconds = 0.3
    done = threading.Event()
    seen: list[str] = []
    watcher = threading.Thread(target=watch_process_list, args=(done, seen))
    watcher.start()
    try:
        assert mirror.fetch(url, MAIN, HttpCredential("ada", PASSWORD)) == commit
    finally:
        done.set()
        watcher.join()
    command_lines = "\n".join(seen)
    assert "remote-https" in command_lines
    stored = b"\n".join(path.read_bytes() for path in mirror.directory.rglob("*") if path.is_file())
    for form in _spellings(PASSWORD):
        assert form not in command_lines
        assert form.encode() not in stored


@pytest.mark.rule("running.redaction")
def test_a_secret_a_server_echoes_is_not_in_the_error(
    https_server: HttpsServer, mirror: Mirror, commit: str
) -> None:
    secret = "echoed-secret-value"
    with pytest.raises(GitError) as caught:
        mirror.probe(parse_url(https_server.url(f"{secret}.git")), MAIN, HttpCredential("ada", secret))
    assert "[redacted]" in str(caught.value)
    assert secret not in str(caught.value).replace(https_server.url(f"{secret}.git"), "")
