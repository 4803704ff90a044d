"""The git client: environment, limits, process groups, injections."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from gitsync.git.client import MINIMUM_GIT_VERSION, GitClient, GitSettings
from gitsync.git.environment import CONFIG
from gitsync.git.errors import GitError, GitPersonError, GitReason, GitTransientError
from gitsync.git.mirror import Mirror
from gitsync.git.process import GitProcess
from gitsync.git.ref import Ref, RefKind
from gitsync.git.url import RemoteUrl, parse_url
from tests.support.servers.process_list import group_members
from tests.support.servers.repositories import WorkRepo
from tests.support.waiting import wait_until, wait_until_ended

FILE = frozenset({"file"})


@pytest.fixture
def client(tmp_path: Path) -> GitClient:
    return GitClient(GitSettings(home=tmp_path / "home", kill_after_seconds=0.5, allow_protocols=FILE))


def _shell(script: str) -> list[str]:
    """Return a git command that runs a shell, to read the environment of git's children."""
    return ["-c", f"alias.look=!{script}", "look"]


@pytest.mark.rule("running.environment", "running.allow-lists")
def test_git_gets_a_clean_environment(client: GitClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_SSH_COMMAND", "GIT_CONFIG_PARAMETERS", "GIT_TRACE", "LD_PRELOAD", "X=Y"[:1]):
        monkeypatch.setenv(name, "/canary")
    monkeypatch.setenv("KIOK_MASTER_KEY", "canary-master-key")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/canary/agent")
    printed = client.run(_shell("env")).decode()
    assert "canary" not in printed
    names = {line.partition("=")[0] for line in printed.splitlines()}
    assert {"HOME", "PATH", "GIT_CONFIG_NOSYSTEM", "GIT_TERMINAL_PROMPT"} <= names
    assert f"HOME={client.settings.home}\n" in printed
    assert "GIT_ALLOW_PROTOCOL=none\n" in printed


@pytest.mark.rule("running.environment", "running.config")
def test_configuration_of_the_machine_is_not_read(client: GitClient) -> None:
    (client.settings.home / ".gitconfig").write_text("[user]\n\tname = canary\n")
    listed = client.run(["config", "--list", "--show-origin"]).decode()
    assert "canary" not in listed
    assert {line.partition("\t")[0] for line in listed.splitlines()} == {"command line:"}
    for setting in ("core.hookspath=/dev/null", "core.fsmonitor=false", "http.followredirects=false"):
        assert setting in listed


def test_the_version_is_known_and_new_enough(client: GitClient) -> None:
    assert client.git_version() >= MINIMUM_GIT_VERSION


def test_a_missing_git_is_reported(client: GitClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(GitPersonError, match="not installed") as caught:
        client.git_version()
    assert caught.value.reason is GitReason.GIT_MISSING


def test_standard_input_of_any_size_goes_through(client: GitClient) -> None:
    data = os.urandom(3_000_000)
    assert client.run(_shell("cat"), stdin=data) == data
    assert client.run(_shell("true"), stdin=data) == b""


@pytest.mark.rule("running.output-cap")
def test_output_is_capped_while_it_is_read(client: GitClient) -> None:
    with pytest.raises(GitPersonError, match="more than 1000 bytes") as caught:
        client.run(_shell("yes"), max_output_bytes=1000)
    assert caught.value.reason is GitReason.OUTPUT_TOO_LARGE


def test_a_flood_of_error_output_is_cut(client: GitClient) -> None:
    with pytest.raises(GitError) as caught:
        client.run(_shell("seq 1 200000 >&2; echo the end >&2; exit 3"))
    assert "the end" in str(caught.value)
    assert len(str(caught.value)) < 3000


@pytest.mark.rule("running.time-limit")
def test_the_time_limit_ends_the_whole_process_group(client: GitClient, tmp_path: Path) -> None:
    script = f"echo $$ >{tmp_path}/pid; sleep 3600 & sleep 3600"
    with pytest.raises(GitTransientError, match=r"stopped after 5 s") as caught:
        client.run(_shell(script), timeout_seconds=5)
    assert caught.value.reason is GitReason.TIMEOUT
    wait_until_ended(int((tmp_path / "pid").read_text()))


@pytest.mark.rule("running.time-limit")
def test_a_process_that_ignores_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 3600 & sleep 3600"
    process = GitProcess(
        ["/bin/sh", "-c", script],
        directory=tmp_path,
        environment={"PATH": os.environ["PATH"]},
        kill_after_seconds=0.3,
    )
    wait_until(lambda: len(group_members(process.pid)) == 3, "all three run")
    assert process.stop() == -signal.SIGKILL
    wait_until(lambda: group_members(process.pid) == [], "all are gone")


def test_children_that_git_leaves_behind_delay_nothing(client: GitClient) -> None:
    # Waiting for the child would be a time-out.
    assert client.run(_shell("sleep 3600 & echo done")) == b"done\n"


@pytest.mark.parametrize(
    ("fetch_url", "ref"),
    [
        ("--upload-pack=touch {mark};", "refs/heads/main"),
        ("ext::sh -c touch% {mark}", "refs/heads/main"),
        ("ssh://-oProxyCommand=touch {mark}/x", "refs/heads/main"),
        ("file:///nowhere", "--upload-pack=touch {mark};"),
    ],
)
@pytest.mark.rule("running.separator")
def test_even_an_unparsed_url_or_ref_runs_nothing(
    tmp_path: Path, client: GitClient, fetch_url: str, ref: str
) -> None:
    """Values that the parsers refuse are also refused by the way git is called."""
    mark = tmp_path / "mark"

    class Evil(RemoteUrl):
        __slots__ = ()

        @property
        def fetch_url(self) -> str:
            return evil_url

    evil_url = fetch_url.format(mark=mark)
    url = Evil("file", "", None, None, "/x")

    class EvilRef(Ref):
        __slots__ = ()

        @property
        def full_name(self) -> str:
            return ref.format(mark=mark)

    mirror = Mirror(tmp_path / "m", client)
    for call in (mirror.probe, mirror.fetch):
        with pytest.raises(GitError):
            call(url, EvilRef(RefKind.BRANCH, "x"), None)
        assert not mark.exists()


@pytest.mark.rule("running.separator")
def test_without_the_separator_the_same_injection_would_run(tmp_path: Path, work_repo: WorkRepo) -> None:
    """Shows that the test above can fail."""
    mark = tmp_path / "mark"
    work_repo.publish({"a": "1"})
    subprocess.run(
        ["git", "ls-remote", f"--upload-pack=touch {mark};", str(work_repo.bare)],
        capture_output=True,
        check=False,
    )
    assert mark.exists()


@pytest.mark.rule("running.protocols")
def test_a_protocol_that_is_not_allowed_is_refused_by_the_client_too(
    client: GitClient, tmp_path: Path
) -> None:
    url = parse_url("https://example.org/x")
    with pytest.raises(GitPersonError) as caught:
        client.run(["ls-remote", "--", url.fetch_url], remote=url)
    assert caught.value.reason is GitReason.PROTOCOL_NOT_ALLOWED
    plain = parse_url("file:///x", allow_protocols=FILE)
    with pytest.raises(GitPersonError, match="not allowed") as caught:
        client.run(["ls-remote", "--", f"ext::touch {tmp_path}/mark"], remote=plain)
    assert caught.value.reason is GitReason.PROTOCOL_NOT_ALLOWED
    assert not (tmp_path / "mark").exists()


def test_behind_a_proxy_names_are_left_to_it_and_addresses_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_lookup(*_: object, **__: object) -> list[object]:
        raise AssertionError("looked up")

    client = GitClient(GitSettings(home=tmp_path / "home"), resolve=no_lookup)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    url = parse_url("https://git.example/x")
    with pytest.raises(GitTransientError) as caught:
        client.run(["ls-remote", "--", url.fetch_url], remote=url)
    assert caught.value.reason is GitReason.NETWORK
    literal = parse_url("https://169.254.169.254/x")
    with pytest.raises(GitPersonError) as refused:
        client.run(["ls-remote", "--", literal.fetch_url], remote=literal)
    assert refused.value.reason is GitReason.HOST_NOT_ALLOWED


@pytest.mark.rule("running.config")
def test_no_configuration_key_is_set_that_git_does_not_take(client: GitClient) -> None:
    listed = client.run(["config", "--list"]).decode().lower()
    for key in CONFIG:
        assert f"{key.lower()}=" in listed
