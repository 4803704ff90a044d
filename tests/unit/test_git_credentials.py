"""Credentials from a connection's properties, and their files for one call."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.git.credentials import (
    ASKPASS_SCRIPT,
    HttpCredential,
    SshCredential,
    credential_from_properties,
    hand_over,
    sweep_stale,
)
from gitsync.git.errors import GitError, GitReason
from gitsync.git.private_directory import call_directory, secrets_root
from gitsync.git.redaction import MASK, Redactor
from gitsync.git.url import parse_url
from tests.unit.key_text import key_text

HTTPS = parse_url("https://git.example:8443/dags.git")
SSH = parse_url("ssh://git@git.example:2222/dags.git")
KEY = key_text(b"secret-secret-secret")


@pytest.mark.rule("credentials.http-forms")
def test_password_or_token_is_an_http_credential() -> None:
    given_password = credential_from_properties({"username": "ada", "password": "s3cret"}, HTTPS)
    assert given_password == HttpCredential("ada", "s3cret")
    assert credential_from_properties({"token": "t"}, HTTPS) == HttpCredential("x-access-token", "t")
    named = credential_from_properties({"token": "t", "username": "oauth2"}, HTTPS)
    assert named == HttpCredential("oauth2", "t")


@pytest.mark.parametrize(
    ("properties", "url", "named"),
    [
        ({}, SSH, "privateKey"),
        ({"privateKey": " "}, SSH, "privateKey"),
        ({"privateKey": "s3cret"}, SSH, "privateKey"),
        ({"privateKey": KEY, "username": "-oProxyCommand=s3cret"}, SSH, "username"),
        ({"username": "ada"}, HTTPS, "password"),
        ({"password": "s3cret"}, HTTPS, "username"),
        ({"username": "a", "password": "s3cret", "token": "s3cret2"}, HTTPS, "token"),
        ({"username": "a", "password": "s3cret\nhost=evil"}, HTTPS, "password"),
        ({"username": "a\r\nb", "password": "s3cret"}, HTTPS, "username"),
        ({"privateKey": KEY}, parse_url("file:///x", allow_protocols=frozenset({"file"})), "file"),
    ],
)
def test_unusable_property_is_named_and_its_value_not_shown(
    properties: dict[str, str], url: object, named: str
) -> None:
    with pytest.raises(GitError, match=named) as caught:
        credential_from_properties(properties, url)  # type: ignore[arg-type]
    assert caught.value.reason is GitReason.CREDENTIAL_INVALID
    assert "s3cret" not in str(caught.value)


@pytest.mark.rule("credentials.hosts")
@pytest.mark.parametrize(
    ("hosts", "url", "is_used"),
    [
        ("git.example", "https://git.example/dags.git", True),
        ("git.example", "https://git.example:8443/dags.git", True),
        ("other.example, GIT.example:8443", "https://git.example:8443/dags.git", True),
        ("git.example:8443", "https://git.example/dags.git", False),
        ("git.example:8443", "https://git.example:9443/dags.git", False),
        ("git.example", "https://evil.example/git.example", False),
        ("git.example", "https://git.example.evil.example/dags.git", False),
        ("git.example", "https://sub.git.example/dags.git", False),
        ("git.example", "https://GIT.example/dags.git", True),
        ("[2001:db8::1]", "https://[2001:db8::1]:8443/dags.git", True),
        (" ", "https://anywhere.example/dags.git", True),
        (",", "https://anywhere.example/dags.git", False),
    ],
)
def test_http_credential_is_sent_to_its_hosts_only(hosts: str, url: str, is_used: bool) -> None:
    properties = {"username": "ada", "password": "s3cret", "hosts": hosts}
    if is_used:
        assert credential_from_properties(properties, parse_url(url)) == HttpCredential("ada", "s3cret")
        return
    with pytest.raises(GitError, match="'hosts'") as caught:
        credential_from_properties(properties, parse_url(url))
    assert caught.value.reason is GitReason.CREDENTIAL_INVALID
    assert "s3cret" not in str(caught.value)


@pytest.mark.rule("credentials.hosts")
def test_ssh_key_is_used_for_its_hosts_only() -> None:
    assert credential_from_properties({"privateKey": KEY, "hosts": "git.example"}, SSH)
    with pytest.raises(GitError, match=r"git\.example:2222"):
        credential_from_properties({"privateKey": KEY, "hosts": "git.example:22"}, SSH)


@pytest.mark.parametrize("form", ["openssh", "pem"])
def test_protected_key_without_passphrase_is_refused_immediately(tmp_path: Path, form: str) -> None:
    arguments = ["-t", "ed25519"] if form == "openssh" else ["-t", "rsa", "-b", "2048", "-m", "PEM"]
    for name, passphrase in (("open", ""), ("locked", "passphrase")):
        subprocess.run(
            ["ssh-keygen", "-q", *arguments, "-N", passphrase, "-f", str(tmp_path / name)], check=True
        )
    with pytest.raises(GitError, match="'passphrase'"):
        credential_from_properties({"privateKey": (tmp_path / "locked").read_text()}, SSH)
    assert credential_from_properties({"privateKey": (tmp_path / "open").read_text()}, SSH).secrets


@pytest.mark.rule("running.redaction")
def test_representation_of_a_credential_has_no_secret() -> None:
    shown = repr(SshCredential(KEY, "host key", "passphrase-x")) + repr(HttpCredential("ada", "s3cret"))
    assert KEY.splitlines()[-2] not in shown
    assert "passphrase-x" not in shown
    assert "s3cret" not in shown


@pytest.mark.rule("credentials.key-file", "credentials.ssh-options")
def test_key_files_are_private_and_removed_afterwards(tmp_path: Path) -> None:
    credential = SshCredential(KEY, "known\n", "passphrase-x")
    with hand_over(credential, SSH, root=tmp_path, askpass=Path("/askpass"), address="192.0.2.1") as handover:
        (directory,) = tmp_path.iterdir()
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {
            "key": 0o600,
            "known_hosts": 0o600,
        }
        assert (directory / "key").read_text() == KEY
        command = handover.environment["GIT_SSH_COMMAND"]
        assert command.startswith("ssh -F /dev/null ")
        for option in ("StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "IdentityAgent=none"):
            assert f"-o {option}" in command
        assert "passphrase-x" not in command
        assert "HostName=192.0.2.1" in command
    assert list(tmp_path.iterdir()) == []


@pytest.mark.rule("credentials.key-file")
def test_key_files_are_removed_after_an_exception(tmp_path: Path) -> None:
    def fail() -> None:
        with hand_over(SshCredential(KEY), SSH, root=tmp_path, askpass=Path("/a"), address=None):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.rule("credentials.askpass-only")
def test_https_secret_is_only_in_the_environment(tmp_path: Path) -> None:
    with hand_over(
        HttpCredential("ada", "s3cret"), HTTPS, root=tmp_path, askpass=Path("/a"), address=None
    ) as h:
        assert [name for name, value in h.environment.items() if "s3cret" in value] == ["KIOK_ASK_SECRET"]
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("Username for 'https://git.example:8443': ", "ada"),
        ("Password for 'https://ada@git.example:8443': ", "it's $(s3cret)"),
        ("Password for 'https://ada%40x@git.example:8443': ", "it's $(s3cret)"),
        ("Username for 'https://other.example': ", None),
        ("Username for 'https://git.example': ", None),
        ("Username for 'http://git.example:8443': ", None),
        ("Password for 'https://ada@other.example': ", None),
        ("Password for 'https://ada@git.example:8443.evil.example': ", None),
        ("Password for 'https://git.example:8443': ", None),
        ("Enter passphrase for key '/x': ", None),
        ("anything", None),
        ("", None),
    ],
)
@pytest.mark.rule("running.askpass")
def test_askpass_program_answers_only_for_its_host(tmp_path: Path, prompt: str, answer: str | None) -> None:
    askpass = tmp_path / "askpass"
    askpass.write_text(ASKPASS_SCRIPT)
    askpass.chmod(0o700)
    credential = HttpCredential("ada", "it's $(s3cret)")
    with hand_over(credential, HTTPS, root=tmp_path, askpass=askpass, address=None) as handover:
        environment = {"PATH": os.environ["PATH"], **handover.environment}
        done = subprocess.run([askpass, prompt], env=environment, capture_output=True, check=False, text=True)
    assert (done.stdout, done.returncode) == ((answer + "\n", 0) if answer else ("", 1))
    silent = subprocess.run([askpass, prompt], env={}, capture_output=True, check=False, text=True)
    assert (silent.stdout, silent.returncode) == ("", 1)


@pytest.mark.rule("credentials.key-file")
def test_directories_of_killed_processes_only_are_removed(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib\n"
        "from gitsync.git.private_directory import call_directory, write_private\n"
        "with call_directory(pathlib.Path(sys.argv[1])) as path:\n"
        "    write_private(path / 'key', 'secret')\n"
        "    print(flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == -9
    (tmp_path / "something-else").mkdir()
    with call_directory(tmp_path) as mine:
        assert len(list(tmp_path.glob("call-*/key"))) == 1
        assert sweep_stale(tmp_path) == 1
        assert set(tmp_path.iterdir()) == {mine, tmp_path / "something-else"}
    assert sweep_stale(tmp_path / "missing") == 0


def test_directory_of_a_reused_pid_is_removed(tmp_path: Path) -> None:
    with call_directory(tmp_path) as mine:
        prefix, namespace, pid, started, random = mine.name.split("-")
        stale = tmp_path / "-".join((prefix, namespace, pid, str(int(started) - 1), random))
        stale.mkdir()
        assert sweep_stale(tmp_path) == 1
        assert mine.exists()


def test_directory_of_another_container_is_removed_if_old_and_unlocked(tmp_path: Path) -> None:
    foreign = tmp_path / "call-1-2-3-abcdef"
    foreign.mkdir()
    assert sweep_stale(tmp_path) == 0
    os.utime(foreign, (1, 1))
    assert sweep_stale(tmp_path) == 1


def test_foreign_directory_in_shared_memory_is_not_used(tmp_path: Path) -> None:
    assert secrets_root(tmp_path / "own", shared_memory=tmp_path) == tmp_path / "own"  # no tmpfs
    assert stat.S_IMODE((tmp_path / "own").stat().st_mode) == 0o700


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=8, max_size=40),
    st.text(max_size=9),
)
@pytest.mark.rule("running.redaction")
def test_secret_is_redacted_in_every_form(secret: str, user: str) -> None:
    redact = Redactor([secret])
    basic = base64.b64encode(f"{user}:{secret}".encode("utf-8", "replace")).decode()
    for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()):
        assert form not in redact(f"before {form} after")
        assert MASK in redact(f"before {form} after")
    assert MASK in redact(f"Authorization: Basic {basic}")


@pytest.mark.rule("running.redaction")
def test_lines_of_a_key_are_redacted_without_its_headers() -> None:
    last = KEY.splitlines()[-2]
    assert last not in Redactor([KEY])(f"ssh: bad line {last}")
    assert Redactor([])("text") == "text"
