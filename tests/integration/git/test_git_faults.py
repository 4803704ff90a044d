"""Servers that fail in different ways: messages, time limits, and leftovers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.credentials import HttpCredential, SshCredential
from gitsync.git.errors import GitError, GitReason
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.url import RemoteUrl, parse_url
from tests.support.servers.daemon import GitDaemon
from tests.support.servers.https import Fault, HttpsServer
from tests.support.servers.proxy import FaultProxy
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

MAIN = parse_ref("main")
MEGABYTE = 1024 * 1024
ALL = frozenset({"https", "ssh", "git"})


@pytest.fixture
def settings(tmp_path: Path, https_server: HttpsServer) -> GitSettings:
    return GitSettings(
        home=tmp_path / "home",
        timeout_seconds=120.0,
        kill_after_seconds=1.0,
        allow_protocols=ALL,
        allow_private_hosts=frozenset({"localhost", "127.0.0.0/8"}),
        ssl_ca_info=str(https_server.ca_file),
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "mirrors" / "1"


@pytest.fixture
def commit(work_repo: WorkRepo) -> str:
    """A commit whose pack is about 200 kB and cannot be compressed."""
    return work_repo.publish({"a.yaml": "dag: {id: a}\n", "data.bin": os.urandom(200_000)})


@pytest.fixture
def url(https_server: HttpsServer, commit: str) -> RemoteUrl:
    return parse_url(https_server.url("dags.git"))


def _mirror(directory: Path, settings: GitSettings, **changed: object) -> Mirror:
    return Mirror(directory, GitClient(replace(settings, **changed)))  # type: ignore[arg-type]


def _failing(mirror: Mirror, url: RemoteUrl, credential: SshCredential | HttpCredential | None) -> GitError:
    with pytest.raises(GitError) as caught:
        mirror.fetch(url, MAIN, credential)
    assert str(url.host) in str(caught.value), "the message does not name the server"
    assert "Traceback" not in str(caught.value)
    assert str(caught.value).isprintable()
    return caught.value


@pytest.mark.parametrize(
    ("fault", "reason", "message"),
    [
        (Fault.TOO_MANY_REQUESTS, GitReason.SERVER_ERROR, "429"),
        (Fault.UNAVAILABLE, GitReason.SERVER_ERROR, "503"),
        (Fault.REDIRECT, GitReason.REDIRECT_REFUSED, "redirect"),
        (Fault.CUT, GitReason.NETWORK, "broke"),
        (Fault.GARBAGE, GitReason.NOT_GIT, "not git"),
        (Fault.PAGE, GitReason.WEB_PAGE, "web page"),
        (Fault.GARBLED_PACK, GitReason.CONTENT_REFUSED, "malformed"),
    ],
)
@pytest.mark.rule("failure.classified")
def test_each_failure_has_its_reason_and_a_recovered_server_is_fetched(
    fault: Fault,
    reason: GitReason,
    message: str,
    settings: GitSettings,
    directory: Path,
    https_server: HttpsServer,
    url: RemoteUrl,
    commit: str,
) -> None:
    mirror = _mirror(directory, settings)
    https_server.faults["dags.git"] = fault
    error = _failing(mirror, url, None)
    assert (error.reason, message in str(error)) == (reason, True), str(error)
    https_server.faults.clear()
    assert mirror.fetch(url, MAIN, None) == commit
    assert {entry.path for entry in mirror.tree(commit).entries} == {"a.yaml", "data.bin"}


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DRIP, Fault.ENDLESS, Fault.ENDLESS_PACK])
@pytest.mark.rule("running.time-limit")
@pytest.mark.case("recovery.garbage")
def test_an_endless_response_is_ended_by_the_time_limit_and_leaves_nothing(
    fault: Fault,
    settings: GitSettings,
    directory: Path,
    https_server: HttpsServer,
    url: RemoteUrl,
    commit: str,
) -> None:
    https_server.faults["dags.git"] = fault
    https_server.drip_seconds = 0.2
    mirror = _mirror(directory, settings, timeout_seconds=1.5)
    error = _failing(mirror, url, None)
    assert error.reason is GitReason.TIMEOUT
    assert "1.5 s" in str(error)
    https_server.faults.clear()
    assert _mirror(directory, settings).fetch(url, MAIN, None) == commit
    assert [path.name for path in directory.rglob("*") if "tmp_" in path.name or path.suffix == ".lock"] == []


@pytest.mark.rule("running.low-speed")
def test_a_dripping_server_is_abandoned_before_the_time_limit(
    settings: GitSettings, directory: Path, https_server: HttpsServer, url: RemoteUrl
) -> None:
    https_server.faults["dags.git"] = Fault.DRIP
    mirror = _mirror(directory, settings, low_speed_bytes=1000, low_speed_seconds=1)
    error = _failing(mirror, url, None)
    # Not for the time limit: that has another reason.
    assert error.reason is GitReason.NETWORK
    assert "too slow" in str(error)


@pytest.mark.rule("running.kernel-limits")
def test_a_server_that_sends_refs_for_ever_cannot_take_the_machines_memory(
    settings: GitSettings, directory: Path, https_server: HttpsServer, url: RemoteUrl
) -> None:
    https_server.faults["dags.git"] = Fault.ENDLESS
    mirror = _mirror(directory, settings, max_memory_bytes=128 * MEGABYTE)
    assert _failing(mirror, url, None).reason is GitReason.OUTPUT_TOO_LARGE


@pytest.mark.rule("running.kernel-limits", "content.disk-bounded")
def test_a_server_that_sends_a_pack_for_ever_cannot_fill_the_disk(
    settings: GitSettings, directory: Path, https_server: HttpsServer, url: RemoteUrl, commit: str
) -> None:
    https_server.faults["dags.git"] = Fault.ENDLESS_PACK
    mirror = _mirror(directory, settings, max_pack_bytes=5 * MEGABYTE)
    error = _failing(mirror, url, None)
    assert error.reason is GitReason.TREE_TOO_LARGE
    assert not error.transient
    https_server.faults.clear()
    assert mirror.fetch(url, MAIN, None) == commit
    assert sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()) < MEGABYTE


@pytest.mark.rule("running.redirects")
def test_a_redirect_to_another_host_carries_no_credential_there(
    tmp_path: Path, settings: GitSettings, directory: Path, https_server: HttpsServer, url: RemoteUrl
) -> None:
    secret = "secret-of-the-first-host"
    with HttpsServer(tmp_path / "served", tmp_path / "other", {"ada": secret}) as other:
        https_server.elsewhere = f"https://127.0.0.1:{other.port}"
        https_server.faults["dags.git"] = Fault.REDIRECT
        error = _failing(_mirror(directory, settings), url, HttpCredential("ada", secret))
        assert error.reason is GitReason.REDIRECT_REFUSED
        assert other.requests == []
        assert secret not in str(error)


class TestBelowTheProtocol:
    """ssh through a proxy that breaks connections."""

    @pytest.fixture
    def proxy(self, ssh_server: SshServer) -> Iterator[FaultProxy]:
        with FaultProxy(ssh_server.port) as proxy:
            yield proxy

    @pytest.fixture
    def through(self, ssh_server: SshServer, proxy: FaultProxy, work_repo: WorkRepo) -> RemoteUrl:
        return parse_url(f"ssh://{ssh_server.user}@127.0.0.1:{proxy.port}{work_repo.bare}")

    @pytest.fixture
    def credential(self, ssh_server: SshServer, proxy: FaultProxy) -> SshCredential:
        hosts = ssh_server.known_hosts.replace(str(ssh_server.port), str(proxy.port), 1)
        return SshCredential(ssh_server.client_key(), hosts)

    @pytest.mark.parametrize("where", [0, 500, 50_000], ids=["at once", "in the handshake", "in the pack"])
    @pytest.mark.rule("failure.classified")
    def test_a_cut_connection_is_transient_and_the_next_fetch_works(
        self,
        where: int,
        proxy: FaultProxy,
        through: RemoteUrl,
        credential: SshCredential,
        settings: GitSettings,
        directory: Path,
        commit: str,
    ) -> None:
        mirror = _mirror(directory, settings)
        proxy.cut_after_bytes = where
        error = _failing(mirror, through, credential)
        assert (error.reason, error.transient) == (GitReason.NETWORK, True), str(error)
        assert proxy.connections == 1, "it was tried again at once"
        proxy.cut_after_bytes = None
        assert mirror.fetch(through, MAIN, credential) == commit

    def test_a_connection_that_stalls_in_the_pack_runs_into_the_limit(
        self,
        proxy: FaultProxy,
        through: RemoteUrl,
        credential: SshCredential,
        settings: GitSettings,
        directory: Path,
        commit: str,
    ) -> None:
        mirror = _mirror(directory, settings, timeout_seconds=2.0)
        proxy.stall_after_bytes = 50_000
        assert _failing(mirror, through, credential).reason is GitReason.TIMEOUT
        proxy.stall_after_bytes = None
        assert _mirror(directory, settings).fetch(through, MAIN, credential) == commit


class TestGitDaemon:
    """The git:// protocol, where an operator allows it."""

    @pytest.fixture
    def daemon(self, work_repo: WorkRepo, commit: str) -> Iterator[GitDaemon]:
        with GitDaemon(work_repo.bare.parent) as daemon:
            yield daemon

    def test_a_repository_is_fetched(
        self, daemon: GitDaemon, settings: GitSettings, directory: Path, commit: str
    ) -> None:
        url = parse_url(daemon.url("dags.git"), allow_protocols=ALL)
        mirror = _mirror(directory, settings)
        assert mirror.probe(url, MAIN, None) == commit
        assert mirror.fetch(url, MAIN, None) == commit

    def test_a_missing_repository_is_not_found(
        self, daemon: GitDaemon, settings: GitSettings, directory: Path
    ) -> None:
        url = parse_url(daemon.url("none.git"), allow_protocols=ALL)
        assert _failing(_mirror(directory, settings), url, None).reason is GitReason.REPOSITORY_NOT_FOUND

    def test_a_daemon_that_is_down_is_transient(
        self, daemon: GitDaemon, settings: GitSettings, directory: Path
    ) -> None:
        daemon.stop()
        url = parse_url(daemon.url("dags.git"), allow_protocols=ALL)
        error = _failing(_mirror(directory, settings), url, None)
        assert (error.reason, error.transient) == (GitReason.NETWORK, True)

    @pytest.mark.rule("running.protocols")
    def test_without_permission_nothing_connects(
        self, daemon: GitDaemon, settings: GitSettings, directory: Path
    ) -> None:
        with FaultProxy(daemon.port) as proxy:
            url = parse_url(f"git://127.0.0.1:{proxy.port}/dags.git", allow_protocols=ALL)
            mirror = _mirror(directory, settings, allow_protocols=frozenset({"https"}))
            with pytest.raises(GitError) as caught:
                mirror.fetch(url, MAIN, None)
            assert caught.value.reason is GitReason.PROTOCOL_NOT_ALLOWED
            assert proxy.connections == 0
