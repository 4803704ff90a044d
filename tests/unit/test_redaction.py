"""The two redactors: that of the service's logs and messages, and that of one git call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gitsync.git.redaction import Redactor
from kiok.connections import redaction
from tests.support.canary.marks import ENCODINGS, Marks, key_lines

Redact = Callable[[str], str]
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@pytest.fixture(autouse=True)
def _empty_registry() -> Iterator[None]:
    redaction.forget()
    yield
    redaction.forget()


@pytest.fixture(params=["registry", "git"])
def redactor(request: pytest.FixtureRequest) -> Callable[[str], Redact]:
    def of(secret: str) -> Redact:
        if request.param == "git":
            return Redactor([secret])
        redaction.register([secret])
        return redaction.redact

    return of


def private_key(key: PrivateKey) -> str:
    form = serialization.PrivateFormat.OpenSSH
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if "half" not in name])
@pytest.mark.rule("running.redaction")
def test_secret_is_redacted_in_every_encoding(encoding: str, redactor: Callable[[str], Redact]) -> None:
    marks = Marks()
    secret = marks.secret("one")
    text = f"before {ENCODINGS[encoding](secret)} after"
    assert marks.found_in(text.encode())
    redacted = redactor(secret)(text)
    assert marks.found_in(redacted.encode()) == []
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")


def test_each_line_of_a_private_key_is_redacted_alone(redactor: Callable[[str], Redact]) -> None:
    key = private_key(ed25519.Ed25519PrivateKey.generate())
    redact = redactor(key)
    for line in key_lines(key):
        assert redact(f"before {line} after") == "before [redacted] after"
        assert line.encode().hex() not in redact(f"before {key.encode().hex()} after")


def test_truncated_secret_is_redacted() -> None:
    marks = Marks()
    secret = marks.secret("one")
    redaction.register([secret])
    for encoding in ("as it is", "percent-encoded", "base64", "hexadecimal", "Python bytes"):
        for cut in (3, 10, 20):
            text = f"the name {ENCODINGS[encoding](secret)[:-cut]}"
            assert marks.found_in(redaction.redact(text).encode()) == [], (encoding, cut)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ed25519.Ed25519PrivateKey.generate(),
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["ed25519", "ecdsa", "rsa"],
)
def test_public_keys_of_servers_are_unchanged(
    make: Callable[[], PrivateKey], redactor: Callable[[str], Redact]
) -> None:
    redact = redactor(private_key(make()))
    public = make().public_key()
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    assert redact(f"add this line: git.example.com {line}") == f"add this line: git.example.com {line}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://u:pa/ss@h/r", "https://[redacted]@h/r"),
        ("https://u:pa/s s\"w'o@rd@h/r", "https://[redacted]@h/r"),
        ("fetch https://u:pa/ss@h/r failed", "fetch https://[redacted]@h/r failed"),
        ("u:pass@host:team/dags.git", "[redacted]@host:team/dags.git"),
        ("https://h:8443/@team/dags.git", "https://h:8443/@team/dags.git"),
        ("https://h: the server says a@b", "https://h: the server says a@b"),
        ("https://h/r has no branch 'a:b@c'", "https://h/r has no branch 'a:b@c'"),
        ("git@h:team/dags.git and image@sha256:00ff", "git@h:team/dags.git and image@sha256:00ff"),
    ],
)
def test_only_the_password_of_a_url_is_redacted(text: str, expected: str) -> None:
    assert redaction.redact(text) == expected


def test_hundreds_of_keys_are_redacted_quickly() -> None:
    keys = [private_key(ed25519.Ed25519PrivateKey.generate()) for _ in range(redaction.MAX_SECRETS + 50)]
    began = time.process_time()
    for key in keys:
        redaction.register([key])
    line = "2026-01-01 INFO nothing to see in this line of a log, https://host/team/dags.git " * 2
    for _ in range(200):
        assert redaction.redact(line) == line
    assert time.process_time() - began < 60  # it takes six seconds
    assert redaction.redact(key_lines(keys[-1])[0]) == "[redacted]"
    assert redaction.redact(key_lines(keys[0])[1]) == key_lines(keys[0])[1], "the oldest is still there"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fetch https://u:p@h.example/r failed", "fetch https://[redacted]@h.example/r failed"),
        ("https://token123@h/r", "https://[redacted]@h/r"),
        ("https://u:p@ss@h/r", "https://[redacted]@h/r"),
        ("ssh://git@h/r and git@h:r", "ssh://git@h/r and git@h:r"),
        ("Authorization: Basic dTpw", "Authorization: Basic [redacted]"),
        ("mail me@example.com", "mail me@example.com"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----.", "[redacted]."),
    ],
)
def test_unregistered_credentials_are_redacted_by_their_form(text: str, expected: str) -> None:
    assert redaction.redact(text) == expected


def test_registry_is_bounded_and_ignores_short_values() -> None:
    redaction.register(["main"])
    assert redaction.redact("branch main") == "branch main"
    redaction.register(f"secret-{number}-x" for number in range(redaction.MAX_SECRETS + 1))
    assert redaction.redact("secret-0-x secret-1-x") == "secret-0-x [redacted]"
