"""Pasted keys, tokens and passwords: errors name the fault and contain no secret."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.git.credentials import HttpCredential, SshCredential, credential_from_properties
from gitsync.git.errors import GitError, GitReason
from gitsync.git.pasted_secrets import is_encrypted, normalized_key
from gitsync.git.url import parse_url
from gitsync.models.connection_checks import wrong_values
from tests.unit.key_text import key_text

HTTPS = parse_url("https://git.example/dags.git")
SSH = parse_url("ssh://git@git.example/dags.git")
FORMS = ("openssh", "pem", "pkcs8", "ecdsa", "locked")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return generated keys by their format, and the public key of the first."""
    folder = tmp_path_factory.mktemp("keys")
    arguments = {
        "openssh": ("-t", "ed25519", "-N", ""),
        "pem": ("-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""),
        "pkcs8": ("-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", ""),
        "ecdsa": ("-t", "ecdsa", "-m", "PEM", "-N", ""),
        "locked": ("-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "passphrase"),
    }
    for form, options in arguments.items():
        subprocess.run(["ssh-keygen", "-q", *options, "-C", "ada@host", "-f", str(folder / form)], check=True)
    found = {form: (folder / form).read_text() for form in arguments}
    return {**found, "public": (folder / "openssh.pub").read_text()}


@pytest.mark.parametrize("form", FORMS)
def test_complete_key_is_accepted_unchanged(keys: dict[str, str], form: str) -> None:
    assert normalized_key(keys[form]) == keys[form]
    assert is_encrypted(keys[form]) is (form == "locked")


def _without_line(key: str, at: int) -> str:
    lines = key.strip().split("\n")
    return "\n".join(lines[:at] + lines[at + 1 :] if at >= 0 else lines[: len(lines) + at])


DAMAGES: dict[str, tuple[Callable[[str], str], str]] = {
    "indented": (lambda key: key.replace("\n", "\n    "), "white space at the beginning of line 2"),
    "indented by tabs": (
        lambda key: "\t" + key.replace("\n", "\n\t"),
        "white space at the beginning of line 2",
    ),
    "literal line feeds": (lambda key: key.replace("\n", "\\n"), r"contains the two characters \n"),
    "literal CR LF": (lambda key: key.replace("\n", "\\r\\n"), r"contains the two characters \n"),
    "one line": (lambda key: key.replace("\n", " "), "all on one line"),
    "no BEGIN": (lambda key: _without_line(key, 0), "its first line, -----BEGIN"),
    "no END": (lambda key: _without_line(key, -1), "its last line, -----END"),
    "half": (lambda key: key[: len(key) // 2], "its last line, -----END"),
    "no body": (lambda key: "\n".join((key.split("\n")[0], key.strip().split("\n")[-1])), "is empty between"),
    "text before": (lambda key: f"my key:\n{key}", "text before or after the key"),
    "text after": (lambda key: f"{key}ssh-ed25519 AAAA", "text before or after the key"),
    "other character": (lambda key: key.replace("\n", "\n*", 1), "line 2 that is not base64"),
    "two characters lost": (lambda key: key[:60] + key[62:], "damaged"),
    "NUL": (lambda key: key.replace("\n", "\0", 1), "contains NUL"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("form", ["openssh", "pem", "pkcs8", "ecdsa"])
def test_damaged_key_is_an_invalid_credential_with_the_fault(
    keys: dict[str, str], form: str, damage: str
) -> None:
    change, expected = DAMAGES[damage]
    text = change(keys[form])
    with pytest.raises(GitError) as caught:
        credential_from_properties({"privateKey": text}, SSH)
    message = str(caught.value)
    assert caught.value.reason is GitReason.CREDENTIAL_INVALID
    assert message.startswith("the property 'privateKey' ")
    assert expected in message
    assert not any(line in message for line in keys[form].split("\n")[1:-2])
    assert wrong_values("git", {"privateKey": text}) == [message]


@pytest.mark.parametrize("form", ["openssh", "pem", "pkcs8", "ecdsa"])
def test_key_without_one_of_its_lines_is_damaged(keys: dict[str, str], form: str) -> None:
    for at in range(1, len(keys[form].strip().split("\n")) - 1):
        with pytest.raises(ValueError, match=r"damaged|empty"):
            normalized_key(_without_line(keys[form], at))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "puttygen KEY.ppk -O private-openssh"),
        ("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nx\n---- END", "ssh-keygen -i -f KEY"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nx\n", "is a public key"),
        ("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "is a public key"),
        ("-----BEGIN RSA PUBLIC KEY-----\nx\n-----END RSA PUBLIC KEY-----", "is a public key"),
        ("ecdsa-sha2-nistp256 AAAAE2VjZHNh ada", "is a public key"),
        ("sk-ssh-ed25519@openssh.com AAAAGnNr ada", "is a public key"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "but a certificate"),
        (
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----",
            "but a pgp private",
        ),
        ("hunter2", "is not a private key in OpenSSH or PEM format"),
    ],
)
def test_value_that_is_not_a_private_key_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="is ") as caught:
        normalized_key(text)
    assert message in str(caught.value)


def test_public_key_is_recognized(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"Enter the private one, from the file without \.pub"):
        normalized_key(keys["public"])


def test_key_after_its_parameters_is_accepted(tmp_path: Path) -> None:
    """`openssl ecparam -genkey` prints keys in this form."""
    done = subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey"], capture_output=True, check=True, text=True
    )
    assert "BEGIN EC PARAMETERS" in done.stdout
    assert normalized_key(done.stdout) == done.stdout


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: key_text(data)[:-40]))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    try:
        key = normalized_key(text)
    except ValueError:
        return
    assert normalized_key(key) == key


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("token", " ghp_hunter2", "begins with a space"),
        ("token", "ghp_hunter2 ", "ends with a space"),
        ("token", "ghp_hunter2\t", "ends with a tab"),
        ("token", "ghp_hunter2\n ", "ends with a space"),
        ("token", "ghp_hun\u00a0ter2", "has a character U+00A0 as character 8"),
        ("token", "ghp_hunter2\u200b", "ends with a character U+200B"),
        ("token", "\ufeffghp_hunter2", "begins with a character U+FEFF"),
        ("token", "ghp_\u200bhunter2", "has a character U+200B as character 5"),
        ("password", " hunter2", "begins with a space"),
        ("password", "hunter2\u00a0", "ends with a character U+00A0"),
    ],
)
def test_token_or_password_with_extra_text_is_refused(name: str, value: str, expected: str) -> None:
    properties = {"username": "ada", name: value}
    with pytest.raises(GitError) as caught:
        credential_from_properties(properties, HTTPS)
    assert caught.value.reason is GitReason.CREDENTIAL_INVALID
    (wrong,) = wrong_values("git", properties)
    for message in (str(caught.value), wrong):
        assert message.startswith(f"the property {name!r} ")
        assert "hunter2" not in message
    assert expected in str(caught.value) or "line break" in str(caught.value)
    assert expected in wrong


def test_final_line_break_is_trimmed_and_other_secrets_are_unchanged() -> None:
    given_token = credential_from_properties({"token": "ghp_hunter2\r\n"}, HTTPS)
    assert given_token == HttpCredential("x-access-token", "ghp_hunter2")
    inner = credential_from_properties({"username": "ada", "password": "correct horse ä"}, HTTPS)
    assert inner == HttpCredential("ada", "correct horse ä")
    assert wrong_values("generic", {"token": " x ", "privateKey": "x"}) == []


def test_known_hosts_with_escaped_line_feeds_are_refused() -> None:
    properties = {"privateKey": key_text(b"x"), "knownHosts": "a ssh-rsa AAAA\\nb ssh-rsa AAAA"}
    with pytest.raises(GitError, match="'knownHosts' contains the two characters") as caught:
        credential_from_properties(properties, SSH)
    assert caught.value.reason is GitReason.CREDENTIAL_INVALID
    properties["knownHosts"] = "a ssh-rsa AAAA\n"
    assert isinstance(credential_from_properties(properties, SSH), SshCredential)
