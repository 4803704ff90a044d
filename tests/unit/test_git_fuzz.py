"""Hostile urls, refs and subpaths: refused in words, or one normal form that reaches git as a value and nothing else."""

from __future__ import annotations

import ipaddress
import os
import shlex
import shutil
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitsync.git import client as client_module
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.credentials import HttpCredential, SshCredential, credential_from_properties
from gitsync.git.errors import GitError, GitReason
from gitsync.git.mirror import Mirror
from gitsync.git.ref import Ref, parse_ref
from gitsync.git.subpath import is_within, parse_subpath
from gitsync.git.tree import GitTree, PathKind
from gitsync.git.url import RemoteUrl, check_host, parse_url
from tests.servers.repositories import WorkRepo

PUBLIC = "93.184.216.34"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nbm9uZQ==\n-----END OPENSSH PRIVATE KEY-----\n"

# What attacks are made of; hypothesis puts them together.
HOSTILE = (
    *("\n", "\r", "\0", "\t", " ", "\x1b[2J", "\x7f", "\u202e", "\u2028", "\ufeff", "\udc80", "🙂", "é", "ﬀ"),
    *("-", "--", "--upload-pack=touch x", "-oProxyCommand=touch x", "--exec=x", "-c", "ext::sh -c x"),
    *("%0a", "%00", "%2d", "%2f", "%2e%2e", "%", "%zz", "%25eth0", "%40", "%3a", "%5c"),
    *(
        "@",
        ":",
        "/",
        "//",
        "\\",
        "?",
        "#",
        "[",
        "]",
        "..",
        "./",
        "~",
        "^",
        "*",
        "@{",
        "{}",
        ".lock",
        ".git",
        "::",
    ),
    *(";touch x", "$(touch x)", "`touch x`", "|x", "&x", "'", '"', "$HOME", "${IFS}", "!"),
)
SCHEMES = (
    "https://",
    "ssh://",
    "HTTPS://",
    "http://",
    "git://",
    "file://",
    "ext::",
    "fd::3",
    "",
    "https:/",
    "ssh:",
)
HOSTS = (
    *(
        "git.example",
        "git.example.",
        "GIT.Example",
        "a_b.example",
        "xn--mnchen-3ya.example",
        "münchen.example",
    ),
    *(
        "ｇｉｔ.example",
        "1。1。1。1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "localhost",
        "-x",
        "a..b",
    ),
    *("[::1]", "[::ffff:7f00:1]", "[fe80::1%25eth0]", "[1:2]", "[", "]", "[::1]x", "[v1.x]", ""),
)
USERS = ("", "git@", "user:pass@", ":@", "@", "a@b@", "-x@", "%0a@", "x%20y@", "a" * 50 + "@")
PORTS = ("", ":22", ":443", ":0", ":65536", ":-1", ":x", ":٢٢", ":022", ":")
PLAIN = ("dags", "team/dags.git", "main", "v1", "prod", "x")

_text = st.lists(st.sampled_from(HOSTILE + PLAIN) | st.text(max_size=4), max_size=6).map("".join)
_urls = (
    st.tuples(*map(st.sampled_from, (SCHEMES, USERS, HOSTS, PORTS, ("/", ":", ""))), _text).map("".join)
    | _text
)
# Most of what is above is refused. These come through often, so that what follows the parsers is tried too.
_tame = st.lists(
    st.sampled_from(("dags", "é", "%41", "a b", "-", "$(x)", "'", ".", "~", "+", ",", ";x", "=")), max_size=5
)
_likely_urls = st.builds(
    "{}{}{}/{}".format,
    st.sampled_from(("https://", "ssh://git@", "ssh://a+b%40c@", "https://ada@")),
    st.sampled_from(("git.example", "[2606:2800:220:1::1]", "93.184.216.34", "a_b.example")),
    st.sampled_from(("", ":22", ":2222")),
    _tame.map(lambda parts: "x" + "".join(parts)),
) | st.builds("git@git.example:x{}".format, _tame.map("".join))
_refs = st.builds(
    "{}{}".format, st.sampled_from(("", "tag:", "refs/heads/", "refs/tags/", "commit:", "semver:")), _text
)
_likely_refs = st.builds(
    "{}x{}".format, st.sampled_from(("", "tag:", "refs/heads/", "refs/tags/")), _tame.map("".join)
) | st.sampled_from(("commit:" + "a" * 40, "semver:^1.2", "semver:>=1.0 <2"))


def _in_words(error: GitError, *reasons: GitReason) -> None:
    """The refusal is one of these, and can be shown as it is."""
    assert error.reason in reasons, str(error)
    assert len(str(error)) < 1500
    assert str(error).isprintable()


def _parsed(url: str) -> RemoteUrl | None:
    try:
        return parse_url(url)
    except GitError as error:
        _in_words(error, GitReason.URL_INVALID, GitReason.PROTOCOL_NOT_ALLOWED)
        return None


def _parsed_ref(ref: str) -> Ref | None:
    try:
        return parse_ref(ref)
    except GitError as error:
        _in_words(error, GitReason.REF_INVALID)
        return None


@settings(max_examples=500, deadline=None)
@given(_urls | _likely_urls)
@example("https://git.example/" + "a" * 5000)
@example("ssh://git.example\n/x")
@example("https://[fe80::1%25eth0]/x")
@example("https:/git.example/?")
@example("git@git.example:/srv/a%41#?.git")
@pytest.mark.rule("paths.hostile-urls", "paths.schemes")
def test_a_url_is_refused_in_words_or_has_one_normal_form(text: str) -> None:
    url = _parsed(text)
    if url is None:
        return
    assert url.scheme in ("https", "ssh")
    assert url.fetch_url.isprintable()
    assert not any(character.isspace() for character in url.fetch_url)
    assert not any(part.startswith("-") for part in (url.fetch_url, url.host, url.user or "", url.path[1:]))
    assert url.host == url.host.lower()
    assert url.host.isascii()
    # Git gets no user over https; ask for it again with what git does get.
    handed = replace(url, user=None) if url.scheme == "https" else url
    assert parse_url(url.fetch_url) == handed
    assert ":" not in (url.user or "")


def test_a_scheme_with_a_slash_too_few_is_no_host_of_that_name() -> None:
    with pytest.raises(GitError, match="too few slashes after https") as caught:
        parse_url("https:/git.example/dags")
    assert caught.value.reason is GitReason.URL_INVALID


def test_the_path_of_the_scp_form_means_the_same_to_git_once_it_is_a_url() -> None:
    """Git takes a `%` in scp form as it is, and decodes it in a url."""
    assert parse_url("git@git.example:/srv/a%41#?.git").path == "/srv/a%2541%23%3F.git"


@settings(max_examples=500, deadline=None)
@given(_refs | _likely_refs)
@pytest.mark.rule("paths.ref-format", "paths.full-names")
def test_a_ref_is_refused_in_words_or_has_one_full_name(text: str) -> None:
    ref = _parsed_ref(text)
    if ref is None:
        return
    assert parse_ref(str(ref)) == ref
    assert ref.full_name.isprintable()
    assert ref.full_name.startswith(("refs/heads/", "refs/tags/")) or set(ref.full_name) <= set(
        "0123456789abcdef"
    )
    assert not ref.name.startswith("-")
    assert ":" not in ref.full_name, "it would be a refspec of its own"


@settings(max_examples=500, deadline=None)
@given(_text | st.lists(st.sampled_from((*PLAIN, *HOSTILE)), max_size=5).map("/".join))
@pytest.mark.rule("paths.subpath-form", "paths.subpath-components")
def test_a_subpath_is_refused_in_words_or_is_a_plain_folder(text: str) -> None:
    try:
        path = parse_subpath(text)
    except GitError as error:
        _in_words(error, GitReason.SUBPATH_INVALID)
        return
    assert parse_subpath(path) == path
    assert not path.startswith("/")
    assert {"", ".", ".."}.isdisjoint(path.split("/")) or path == ""
    assert "\\" not in path
    assert "::" not in path
    assert is_within(f"{path}/a.yaml".lstrip("/"), path)
    assert path == "" or not is_within(f"{path}2/a.yaml", path)


class TestPrivateAddresses:
    """Whatever a private address is spelled like, nothing connects to it."""

    NETWORKS = (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
    )

    @staticmethod
    def spellings(address: ipaddress.IPv4Address) -> Iterator[str]:
        number = int(address)
        a, b, c, d = address.packed
        yield str(address)
        yield str(number)
        yield hex(number)
        yield f"0{number:o}"
        yield f"{a}.{number & 0xFFFFFF}"
        yield f"{a}.{b}.{number & 0xFFFF}"
        yield f"0x{a:x}.0{b:o}.{c}.{d}"
        yield f"0{a:o}.0{b:o}.0{c:o}.0{d:o}"
        yield f"{address}."
        yield f"[::ffff:{address}]"
        yield f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]"
        yield f"[::{address}]"
        yield f"[64:ff9b::{address}]"
        yield f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]"

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(NETWORKS).flatmap(lambda net: st.ip_addresses(v=4, network=net)))
    @pytest.mark.rule("paths.private-hosts")
    def test_no_spelling_of_a_private_address_is_connected_to(self, address: ipaddress.IPv4Address) -> None:
        for spelling in self.spellings(address):
            for text in (f"https://{spelling}/x", f"ssh://git@{spelling}:2222/x", f"git@{spelling}:x"):
                with pytest.raises(GitError) as caught:
                    check_host(parse_url(text), frozenset())
                assert caught.value.reason in (
                    GitReason.HOST_NOT_ALLOWED,
                    GitReason.URL_INVALID,
                    GitReason.NETWORK,  # it is no address at all, and no name either
                ), text

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(NETWORKS).flatmap(lambda net: st.ip_addresses(v=4, network=net)), st.booleans())
    @pytest.mark.rule("paths.private-hosts")
    def test_a_name_that_resolves_to_a_public_and_a_private_address_is_refused(
        self, address: ipaddress.IPv4Address, public_first: bool
    ) -> None:
        found = [PUBLIC, str(address)] if public_first else [str(address), PUBLIC]
        with pytest.raises(GitError) as caught:
            check_host(parse_url("https://git.example/x"), frozenset(), _resolving(*found))
        assert caught.value.reason is GitReason.HOST_NOT_ALLOWED

    @settings(max_examples=100, deadline=None)
    @given(_urls | _likely_urls)
    @pytest.mark.rule("paths.private-hosts")
    def test_what_is_connected_to_is_public(self, text: str) -> None:
        url = _parsed(text)
        if url is None:
            return
        try:
            addresses = check_host(url, frozenset(), _numeric_only)
        except GitError as error:
            _in_words(error, GitReason.HOST_NOT_ALLOWED, GitReason.NETWORK)
            return
        assert addresses
        assert all(ipaddress.ip_address(found).is_global for found in addresses)


def _resolving(*addresses: str) -> Any:
    def resolve(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return resolve


def _numeric_only(host: str, port: int, **options: Any) -> list[Any]:
    """The machine's own idea of what a number in any spelling means; asks no name server."""
    return socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST, **options)


def _numbered(environment: dict[str, str]) -> set[str]:
    """The variables that hold git's configuration for this call."""
    return {name for name in environment if name.startswith("GIT_CONFIG_") and name[-1].isdigit()}


def _config_names(environment: dict[str, str]) -> set[str]:
    return {value for name, value in environment.items() if name.startswith("GIT_CONFIG_KEY_")}


class Recorder:
    """Stands where processes are started, and keeps what would have been: arguments and environment."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], dict[str, str]]] = []

    def __call__(self, arguments: Sequence[str], *, environment: dict[str, str], **_: object) -> None:
        self.calls.append((list(arguments), dict(environment)))
        raise OSError("only recorded")


def _options_and_values(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first `--`, and after it."""
    assert "--" in arguments, arguments
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    root = tmp_path_factory.mktemp("commands")
    return Mirror(root / "m", GitClient(GitSettings(home=root / "home"), resolve=_resolving(PUBLIC)))


class TestCommands:
    """What git is started with, for whatever the parsers let through."""

    @staticmethod
    def _probe(mirror: Mirror, url: RemoteUrl, ref: Ref) -> tuple[list[str], dict[str, str]] | None:
        """How git is started for a look; None if no server has to be asked."""
        recorder = Recorder()
        credential = (
            SshCredential(KEY, "git.example ssh-ed25519 AAAA\n", username="robot")
            if url.scheme == "ssh"
            else HttpCredential("robot", "secret-value")
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client_module, "Process", recorder)
            try:
                mirror.probe(url, ref, credential)
            except GitError as error:
                _in_words(error, GitReason.UNKNOWN, GitReason.HOST_NOT_ALLOWED)
        return recorder.calls[0] if recorder.calls else None

    @settings(max_examples=300, deadline=None)
    @given(_likely_urls | _urls, _likely_refs | _refs)
    @pytest.mark.rule("running.separator", "paths.hostile-urls", "failure.probe")
    def test_values_reach_git_after_the_separator_and_decide_nothing_before_it(
        self, mirror: Mirror, text: str, ref_text: str
    ) -> None:
        url, ref = _parsed(text), _parsed_ref(ref_text)
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
    @given(_likely_urls | _urls, _text)
    @pytest.mark.rule("credentials.ssh-options", "paths.hostile-urls")
    def test_the_command_for_ssh_has_the_same_words_for_every_url_and_login(
        self, mirror: Mirror, text: str, login: str
    ) -> None:
        url = _parsed(text)
        if url is None or url.scheme != "ssh":
            return
        try:
            credential = credential_from_properties({"privateKey": KEY, "username": login}, url)
        except GitError as error:
            _in_words(error, GitReason.CREDENTIAL_INVALID)
            return
        recorder = Recorder()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client_module, "Process", recorder)
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
    def test_a_fetch_by_the_real_git_program_gets_the_same_options_for_every_url_and_ref(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A program in git's place keeps the arguments of what talks to a server; the rest is git itself."""
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
        client = GitClient(GitSettings(home=tmp_path / "home"), resolve=_resolving(PUBLIC))

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


FOLDERS = (
    "-x",
    "--all",
    "$(touch x)",
    "`x`",
    ";x",
    "a b",
    "é",
    "'",
    '"',
    "*",
    "?",
    "[a]",
    ":(top)",
    ":!x",
    "~",
    "%2e",
    "HEAD",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> GitTree:
    root = tmp_path_factory.mktemp("folders")
    work = WorkRepo(root / "served")
    commit = work.publish({f"{name}/a.yaml": "dag: {id: a}\n" for name in FOLDERS})
    file = frozenset({"file"})
    mirror = Mirror(root / "m", GitClient(GitSettings(home=root / "home", allow_protocols=file)))
    fetched = mirror.fetch(parse_url(work.file_url, allow_protocols=file), parse_ref("main"), None)
    assert fetched == commit
    return mirror.tree(commit)


class TestFolders:
    """Subpaths that are allowed though they look like commands are folders like any other."""

    @pytest.mark.parametrize("name", FOLDERS)
    @pytest.mark.rule("paths.subpath-in-tree")
    def test_a_folder_with_a_hostile_name_is_found_and_nothing_else_is(
        self, tree: GitTree, name: str
    ) -> None:
        subpath = parse_subpath(name)
        assert tree.kind_of(subpath) is PathKind.FOLDER
        assert [entry.path for entry in tree.entries if is_within(entry.path, subpath)] == [f"{name}/a.yaml"]

    @settings(max_examples=200, deadline=None)
    @given(_text)
    @pytest.mark.rule("paths.subpath-in-tree")
    def test_a_subpath_that_is_not_there_is_just_not_there(self, tree: GitTree, text: str) -> None:
        try:
            subpath = parse_subpath(text)
        except GitError:
            return
        known = subpath == "" or subpath.split("/")[0] in FOLDERS
        assert known or tree.kind_of(subpath) not in (PathKind.FOLDER, PathKind.FILE)
