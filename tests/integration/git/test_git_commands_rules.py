"""Rules for every git command: its caller, environment and configuration."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from gitsync.git import private_directory
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.credentials import SshCredential
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.url import RemoteUrl, parse_url
from gitsync.models import Repository
from gitsync.sync.run import sync_repository
from kiok.server.properties import TABLE
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

ROOT = Path(__file__).resolve().parents[3]
DOOR = "gitsync/git/process.py"
MAIN = parse_ref("main")


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for package in ("kiok", "compilers", "gitsync"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.rule("running.one-door", "running.no-conveniences")
def test_one_module_starts_git_and_takes_nothing_of_gitpython_but_execute() -> None:
    importing = {
        path: {name for name in _imported(tree) if name.split(".")[0] == "git"} for path, tree in _sources()
    }
    assert {path: names for path, names in importing.items() if names} == {
        "gitsync/git/gitpython.py": {"git.cmd.Git", "git.exc.GitCommandNotFound"},
    }
    taking = [path for path, tree in _sources() if "gitsync.git.gitpython.Git" in _imported(tree)]
    assert taking == [DOOR]
    door = dict(_sources())[DOOR]
    uses = [
        node
        for node in ast.walk(door)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "Git"
    ]
    assert [node.attr for node in uses] == ["execute"]
    assert sum(isinstance(node, ast.Name) and node.id == "Git" for node in ast.walk(door)) == 1


@pytest.mark.rule("running.one-door")
def test_git_is_started_only_by_its_client() -> None:
    """No list of arguments anywhere begins with git, and no text names it as a command."""
    for path, tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.List | ast.Tuple) and node.elts:
                first = node.elts[0]
                starts_git = isinstance(first, ast.Constant) and first.value in ("git", "/usr/bin/git")
                has_arguments = len(node.elts) > 1 and all(
                    not isinstance(item, ast.Constant) or isinstance(item.value, str) for item in node.elts
                )
                assert not (starts_git and has_arguments and path.startswith("gitsync/git")), path
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "os.system",
                "os.popen",
                "subprocess.getoutput",
            ):
                raise AssertionError(f"{path}:{node.lineno} runs a shell")
        if path.startswith("gitsync/") and path != DOOR:
            assert "subprocess" not in {name.split(".")[0] for name in _imported(tree)}, path


@pytest.mark.rule("running.gitpython")
def test_gitpython_is_new_enough() -> None:
    assert tuple(map(int, importlib.metadata.version("GitPython").split(".")[:2])) >= (3, 2)
    assert '"GitPython>=3.2"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.rule("running.environment", "running.allow-lists", "running.protocols")
def test_the_environment_is_exactly_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTHING_NEW", "canary")
    monkeypatch.delenv("TMPDIR", raising=False)
    for name in (
        "http_proxy",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    client = GitClient(GitSettings(home=tmp_path / "home"))
    printed = client.run(["-c", "alias.look=!env -0", "look"]).decode()
    found = dict(item.split("=", 1) for item in printed.split("\0") if item)
    config = {name for name in found if name.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))}
    # What git and the shell of the alias add themselves.
    own = {
        "PWD",
        "SHLVL",
        "_",
        "OLDPWD",
        "GIT_PREFIX",
        "GIT_EXEC_PATH",
        "GIT_CONFIG_PARAMETERS",
        "LINES",
        "COLUMNS",
    }
    assert {name: value for name, value in found.items() if name not in own | config | {"PATH"}} == {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "home"),
        "LC_ALL": "C",
        "LANGUAGE": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_COUNT": str(len(config) // 2),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": str(tmp_path / "home" / "askpass"),
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_CEILING_DIRECTORIES": str(tmp_path / "home"),
    }
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


@pytest.mark.rule("running.config")
def test_every_command_has_the_settings_as_git_itself_lists_them(tmp_path: Path) -> None:
    client = GitClient(GitSettings(home=tmp_path / "home"))
    listed = client.run(["config", "--list"]).decode().splitlines()
    settings = dict(line.split("=", 1) for line in listed)
    expected = {
        "core.hookspath": "/dev/null",
        "core.fsmonitor": "false",
        "gc.auto": "0",
        "fetch.fsckobjects": "true",
        "transfer.bundleuri": "false",
        "http.followredirects": "false",
        "submodule.recurse": "false",
        "protocol.version": "2",
    }
    assert {name: settings.get(name) for name in expected} == expected


@pytest.mark.rule("running.time-limit", "content.limits-default")
def test_limits_have_their_defaults(tmp_path: Path) -> None:
    settings = GitSettings(home=tmp_path)
    assert (settings.timeout_seconds, settings.kill_after_seconds) == (60.0, 10.0)
    assert settings.max_pack_bytes > 0
    assert settings.max_memory_bytes > 0
    assert (settings.low_speed_bytes, settings.low_speed_seconds) == (1000, 30)
    defaults = {name: line.default for name, line in TABLE.items()}
    assert defaults["kiok.gitsync.git.timeout.ms"] == 60_000
    for name in ("tree.bytes", "files", "file.bytes", "path.bytes", "dags"):
        assert int(str(defaults[f"kiok.gitsync.max.{name}"])) > 0


@pytest.mark.rule("credentials.key-in-memory")
def test_keys_are_kept_in_memory_where_the_system_has_a_place_for_that(tmp_path: Path) -> None:
    done = subprocess.run(["stat", "-f", "-c", "%T", "/dev/shm"], capture_output=True, text=True, check=False)
    client = GitClient(GitSettings(home=tmp_path / "home"))
    expected = Path("/dev/shm") if done.stdout.strip() == "tmpfs" else tmp_path / "home"
    assert client.secrets_root.parent == expected
    assert client.secrets_root.stat().st_mode & 0o777 == 0o700


@pytest.mark.rule("credentials.key-in-memory")
@pytest.mark.parametrize("planted", ["link", "file", "nothing"])
def test_a_folder_of_another_user_is_not_used(
    planted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_directory, "_is_tmpfs", lambda _path: True)
    memory = tmp_path / "memory"
    memory.mkdir()
    place = memory / f"kiok-git-{os.getuid()}"
    if planted == "link":
        place.symlink_to(tmp_path)
    elif planted == "file":
        place.touch()
    found = private_directory.secrets_root(tmp_path / "own", shared_memory=memory)
    assert found == (place if planted == "nothing" else tmp_path / "own")


class TestPrivateHosts:
    @pytest.mark.rule("paths.checked-twice", "paths.private-hosts")
    @pytest.mark.django_db
    def test_a_row_with_a_metadata_address_is_refused_on_save_and_on_use(self) -> None:
        row = Repository(name="cloud", url="https://169.254.169.254/latest/dags.git")
        with pytest.raises(ValidationError) as caught:
            row.full_clean()
        assert "kiok.gitsync.allow.private.hosts" in caught.value.message_dict["url"][0]
        row.save()  # as if it had been saved before the rule, or past the admin
        report = sync_repository(row.pk)
        assert (report.state, report.reason) == ("failing", "host_not_allowed")


class TestScpForm:
    """`user@host:path` has no port, so a program in ssh's place adds that of the test's server; all else is real."""

    @pytest.fixture
    def mirror(self, tmp_path: Path, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch) -> Mirror:
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin" / "ssh"
        program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -p {ssh_server.port} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        settings = GitSettings(home=tmp_path / "home", allow_private_hosts=frozenset({"127.0.0.1"}))
        return Mirror(tmp_path / "mirrors" / "1", GitClient(settings))

    @pytest.fixture
    def credential(self, ssh_server: SshServer) -> SshCredential:
        _, _, key = ssh_server.known_hosts.partition(" ")
        return SshCredential(ssh_server.client_key(), f"127.0.0.1 {key}")

    @pytest.mark.case("auth.scp-form")
    @pytest.mark.rule("paths.schemes")
    @pytest.mark.parametrize("is_relative", [False, True], ids=["from the root", "from home"])
    def test_a_repository_is_fetched_by_the_scp_form(
        self,
        is_relative: bool,
        mirror: Mirror,
        credential: SshCredential,
        ssh_server: SshServer,
        work_repo: WorkRepo,
    ) -> None:
        commit = work_repo.publish({"a.yaml": "dag: {id: a}\n"})
        path = str(work_repo.bare)
        if is_relative:
            path = os.path.relpath(path, os.path.realpath(os.path.expanduser("~")))
        url: RemoteUrl = parse_url(f"{ssh_server.user}@127.0.0.1:{path}")
        assert url.from_home is is_relative
        assert mirror.probe(url, MAIN, credential) == commit
        assert mirror.fetch(url, MAIN, credential) == commit
