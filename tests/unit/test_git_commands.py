"""The git command line for hostile urls and refs: they are passed as values and change no option."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings

from gitsync.git import client as client_module
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.credentials import HttpCredential, SshCredential, credential_from_properties
from gitsync.git.errors import GitError, GitReason
from gitsync.git.mirror import Mirror
from gitsync.git.ref import Ref, parse_ref
from gitsync.git.url import RemoteUrl, parse_url
from tests.unit.hostile_git import (
    PUBLIC,
    hostile_text,
    in_words,
    likely_refs,
    likely_urls,
    parsed,
    parsed_ref,
    refs,
    resolving,
    urls,
)
from tests.unit.key_text import key_text

KEY = key_text(b"none")


def _numbered(environment: dict[str, str]) -> set[str]:
    """Return the variables with git's configuration for this call."""
    return {name for name in environment if name.startswith("GIT_CONFIG_") and name[-1].isdigit()}


def _config_names(environment: dict[str, str]) -> set[str]:
    return {value for name, value in environment.items() if name.startswith("GIT_CONFIG_KEY_")}


class Recorder:
    """A replacement for the start of processes, which records arguments and environment."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], dict[str, str]]] = []

    def __call__(self, arguments: Sequence[str], *, environment: dict[str, str], **_: object) -> None:
        self.calls.append((list(arguments), dict(environment)))
        raise OSError("only recorded")


def _options_and_values(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments before the first `--`, and those after it."""
    assert "--" in arguments, arguments
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    root = tmp_path_factory.mktemp("commands")
    return Mirror(root / "m", GitClient(GitSettings(home=root / "home"), resolve=resolving(PUBLIC)))


class TestCommands:
    """The command lines of git for every url and ref that the parsers accept."""

    @staticmethod
    def _probe(mirror: Mirror, url: RemoteUrl, ref: Ref) -> tuple[list[str], dict[str, str]] | None:
        """Return the command line of a probe, or None if no server is contacted."""
        recorder = Recorder()
        credential = (
            SshCredential(KEY, "git.example ssh-ed25519 AAAA\n", username="robot")
            if url.scheme == "ssh"
            else HttpCredential("robot", "secret-value")
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client_module, "GitProcess", recorder)
            try:
                mirror.probe(url, ref, credential)
            except GitError as error:
                in_words(error, GitReason.UNKNOWN, GitReason.HOST_NOT_ALLOWED)
        return recorder.calls[0] if recorder.calls else None

    @settings(max_examples=300, deadline=None)
    @given(likely_urls | urls, likely_refs | refs)
    @pytest.mark.rule("running.separator", "paths.hostile-urls", "failure.probe")
    def test_values_are_passed_after_the_separator_only(
        self, mirror: Mirror, text: str, ref_text: str
    ) -> None:
        url, ref = parsed(text), parsed_ref(ref_text)
        if url is None or ref is None:
            return
        started = self._probe(mirror, url, ref)
        if started is None:
            return
        arguments, environment = started
        plain_url = parse_url("ssh://git@git.example/x" if url.scheme == "ssh" else "https://git.example/x")
        plain = self._probe(mirror, plain_url, ref)
        assert plain is not None
        options, values = _options_and_values(arguments)
        assert options == _options_and_values(plain[0])[0]
        assert values[0] == url.fetch_url
        assert not any(value.startswith("-") for value in values)
        assert all(ref.full_name in value or value in ref.full_name for value in values[1:])
        assert "secret-value" not in " ".join(arguments)
        assert environment.keys() - _numbered(environment) == plain[1].keys() - _numbered(plain[1])
        assert _config_names(environment) - {"http.curloptResolve"} == (
            _config_names(plain[1]) - {"http.curloptResolve"}
        )
        assert environment["GIT_ALLOW_PROTOCOL"] == url.scheme

    @settings(max_examples=200, deadline=None)
    @given(likely_urls | urls, hostile_text)
    @pytest.mark.rule("credentials.ssh-options", "paths.hostile-urls")
    def test_ssh_command_is_the_same_for_every_url_and_login(
        self, mirror: Mirror, text: str, login: str
    ) -> None:
        url = parsed(text)
        if url is None or url.scheme != "ssh":
            return
        try:
            credential = credential_from_properties({"privateKey": KEY, "username": login}, url)
        except GitError as error:
            in_words(error, GitReason.CREDENTIAL_INVALID)
            return
        recorder = Recorder()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client_module, "GitProcess", recorder)
            with pytest.raises(GitError):
                mirror.probe(url, parse_ref("main"), credential)
        if not recorder.calls:
            return
        words = shlex.split(recorder.calls[0][1]["GIT_SSH_COMMAND"])
        assert words[:3] == ["ssh", "-F", "/dev/null"]
        options = [words[at + 1].partition("=")[0] for at, word in enumerate(words) if word == "-o"]
        assert len(options) == len(set(options))
        assert "ProxyCommand" not in options
        settings_given = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "-o")
        assert settings_given["StrictHostKeyChecking"] == "yes"
        assert settings_given["HostKeyAlias"] in (url.host, f"[{url.host}]:{url.port}")
        rest = words[words.index("-o") :]
        loose = [word for at, word in enumerate(rest) if word != "-o" and rest[at - 1] != "-o"]
        assert loose == ([] if url.user else ["-l", login if login.strip() else "git"])

    @pytest.mark.rule("running.separator")
    def test_real_git_gets_the_same_options_for_every_url_and_ref(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A wrapper records the arguments of git's transport programs; everything else is git itself."""
        record = tmp_path / "record"
        real = shutil.which("git")
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin" / "git"
        program.write_text(
            f"""#!/bin/sh
for last; do :; done
case "$1" in
  ls-remote) printf '%s\\0' "$@" >>{record}; printf '\\n\\0' >>{record}; printf '%040d\\t%s\\n' 1 "$3" ;;
  fetch) printf '%s\\0' "$@" >>{record}; printf '\\n\\0' >>{record}; exit 1 ;;
  *) exec {real} "$@" ;;
esac
"""
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        client = GitClient(GitSettings(home=tmp_path / "home"), resolve=resolving(PUBLIC))

        def fetched(url: RemoteUrl, ref: Ref) -> list[str]:
            record.unlink(missing_ok=True)
            with pytest.raises(GitError):
                Mirror(tmp_path / "m", client).fetch(url, ref, HttpCredential("robot", "secret-value"))
            commands = record.read_bytes().decode().split("\0\n\0")
            return next((command.split("\0") for command in reversed(commands) if command), [])

        plain_options, plain_values = _options_and_values(
            fetched(parse_url("https://git.example/x"), parse_ref("commit:" + "a" * 40))
        )
        assert plain_options[0] == "fetch"
        assert len(plain_values) == 2
        for text in (
            "https://git.example/$(touch%20x)",
            "https://git.example/x;touch",
            "https://git.example/'x",
        ):
            url = parse_url(text)
            options, values = _options_and_values(fetched(url, parse_ref("commit:" + "b" * 40)))
            assert options == plain_options
            assert not any(value.startswith("-") for value in values)
            assert "secret-value" not in " ".join(options + values)
