"""The deployment checks: each risk by its name."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiok.properties.risk import Risk
from kiok.server import deployment_checks, keys, properties
from kiok.server.errors import ConfigurationError, PropertyError

ROOT = Path(__file__).parents[2]
SOUND = {
    "KIOK_WEB_HOST": "0.0.0.0",
    "KIOK_WEB_TLS": "true",
    "KIOK_WEB_ALLOWED_HOSTS": "kiok.example.com",
    "KIOK_WEB_TRUSTED_ORIGINS": "https://kiok.example.com",
    "DOCKER_HOST": "tcp://engine:2376",
    "DOCKER_TLS_VERIFY": "1",
    "KIOK_MAIL_HOST": "mail.example.com",
    "KIOK_MAIL_FROM": "kiok@example.com",
    "DATABASE_URL": "postgresql://kiok:hunter2@db.example/kiok?sslmode=verify-full",
    "KIOK_BROKER": "redis",
    "KIOK_REDIS_URL": "rediss://:hunter2@cache.example",
    "DJANGO_SECRET_KEY": "kX9-vB2_qL7zT4mW8nR1cJ6dF3hG5sPa",
    "KIOK_MASTER_KEY": "a3f91c07d2b84e56a3f91c07d2b84e56",
}
RISKY = {
    Risk.WEB_TLS: {"KIOK_WEB_TLS": "false"},
    Risk.WEB_ALLOWED_HOSTS: {"KIOK_WEB_ALLOWED_HOSTS": "kiok.example.com, *"},
    Risk.WEB_TRUSTED_ORIGINS: {
        "KIOK_WEB_TRUSTED_ORIGINS": "https://kiok.example.com,http://kiok.example.com"
    },
    Risk.GITSYNC_ALLOW_PROTOCOLS: {"KIOK_GITSYNC_ALLOW_PROTOCOLS": "https, git"},
    Risk.DOCKER_HOST: {"DOCKER_TLS_VERIFY": ""},
    Risk.MAIL_TLS: {"KIOK_MAIL_TLS": "none"},
    Risk.GITSYNC_ALLOW_PRIVATE_HOSTS: {"KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS": "git.internal, 0.0.0.0/0"},
    Risk.DATABASE_TLS: {"DATABASE_URL": "postgresql://kiok:hunter2@db.example/kiok"},
    Risk.REDIS_TLS: {"KIOK_REDIS_URL": "redis://:hunter2@cache.example"},
    Risk.DJANGO_SECRET_KEY: {"DJANGO_SECRET_KEY": "hunter2"},
    Risk.MASTER_KEY: {"KIOK_MASTER_KEY": "change-me, or hunter2 reads it all"},
}
# Whether limits hold is seen when a container is used: tests/sandbox/test_sandbox_limits.py.
RISKS_OF_A_CONFIGURATION = [risk for risk in Risk if risk is not Risk.SANDBOX_LIMITS]
SAYS = {
    Risk.WEB_TLS: "kiok.web.tls is false and the web server listens on 0.0.0.0",
    Risk.WEB_ALLOWED_HOSTS: "kiok.web.allowed.hosts contains *",
    Risk.WEB_TRUSTED_ORIGINS: "kiok.web.trusted.origins contains http://kiok.example.com,",
    Risk.GITSYNC_ALLOW_PROTOCOLS: "kiok.gitsync.allow.protocols contains git,",
    Risk.DOCKER_HOST: "DOCKER_HOST=tcp://engine:2376 is reached over the network without DOCKER_TLS_VERIFY",
    Risk.MAIL_TLS: "kiok.mail.tls is none and kiok.mail.host is mail.example.com",
    Risk.GITSYNC_ALLOW_PRIVATE_HOSTS: "kiok.gitsync.allow.private.hosts contains 0.0.0.0/0,",
    Risk.DATABASE_TLS: "DATABASE_URL points to db.example without an sslmode that requires TLS",
    Risk.REDIS_TLS: "KIOK_REDIS_URL connects to cache.example by redis://",
    Risk.DJANGO_SECRET_KEY: "DJANGO_SECRET_KEY has 7 characters, fewer than 32",
    Risk.MASTER_KEY: "KIOK_MASTER_KEY is a placeholder",
    Risk.SECRET_FILES: "every user of this machine can read or replace the secrets in KIOK_MAIL_USER_FILE=",
}


@pytest.fixture(scope="module", autouse=True)
def open_file() -> Iterator[Path]:
    """Return a secret file that all users can read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        file = Path(folder) / "user"
        file.write_text("kiok")
        file.chmod(0o644)
        RISKY[Risk.SECRET_FILES] = {"KIOK_MAIL_USER_FILE": str(file)}
        yield file


def judged(**environ: str) -> list[str]:
    return [one.name for one in deployment_checks.judge(properties.load(environ), environ)]


def refusal(**environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        judged(**environ)
    return str(caught.value)


def test_safe_configuration_and_the_default_have_no_risk() -> None:
    assert judged(**SOUND) == []
    assert judged() == []


@pytest.mark.parametrize("risk", RISKS_OF_A_CONFIGURATION)
def test_each_risk_is_refused_by_name_with_a_remedy(risk: Risk) -> None:
    (line,) = refusal(**{**SOUND, **RISKY[risk]}).splitlines()
    assert line.startswith(SAYS[risk])
    assert line.endswith(f". To accept the risk, add {risk} to kiok.allow.insecure")
    assert "hunter2" not in line


@pytest.mark.parametrize("risk", RISKS_OF_A_CONFIGURATION)
def test_accepted_risk_is_reported_and_accepts_no_other(risk: Risk) -> None:
    assert judged(**SOUND, **{"KIOK_ALLOW_INSECURE": risk}) == []
    assert judged(**{**SOUND, **RISKY[risk], "KIOK_ALLOW_INSECURE": risk}) == [risk]
    others = ",".join(other for other in Risk if other is not risk)
    assert refusal(**{**SOUND, **RISKY[risk], "KIOK_ALLOW_INSECURE": others}).startswith(SAYS[risk])


def test_all_risks_are_reported_together() -> None:
    everything = {name: value for environ in RISKY.values() for name, value in environ.items()}
    assert len(refusal(**{**SOUND, **everything}).splitlines()) == len(RISKS_OF_A_CONFIGURATION)


def test_unknown_risk_cannot_be_accepted() -> None:
    with pytest.raises(PropertyError, match=r"'tls' is unknown; allowed: web\.tls, web\.allowed\.hosts"):
        properties.load({"KIOK_ALLOW_INSECURE": "tls"})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_web_server_without_https_may_listen_on_loopback(host: str) -> None:
    assert judged(KIOK_WEB_HOST=host) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "kiok.example.com", "localhost.example.com"])
def test_web_server_without_https_may_not_listen_elsewhere(host: str) -> None:
    assert "kiok.web.tls is false" in refusal(KIOK_WEB_HOST=host)


@pytest.mark.parametrize("protocol", ["http", "git", "file"])
def test_only_encrypted_and_authenticated_protocols_are_safe(protocol: str) -> None:
    assert f"contains {protocol}," in refusal(KIOK_GITSYNC_ALLOW_PROTOCOLS=f"https,{protocol},ssh")


@pytest.mark.parametrize(
    "where",
    ["", "unix:///var/run/docker.sock", "ssh://ada@engine", "tcp://127.0.0.1:2375", "tcp://[::1]:2375"],
)
def test_local_engine_needs_no_certificates(where: str) -> None:
    assert judged(DOCKER_HOST=where) == []


@pytest.mark.parametrize(
    "where", ["tcp://engine:2375", "TCP://10.0.0.1", "http://engine:2375", "tcp://", "tcp://[x"]
)
def test_engine_over_the_network_needs_certificates(where: str) -> None:
    assert "without DOCKER_TLS_VERIFY" in refusal(DOCKER_HOST=where)
    assert judged(DOCKER_HOST=where, DOCKER_TLS_VERIFY="1") == []


def test_mail_on_this_machine_needs_no_encryption() -> None:
    assert judged(KIOK_MAIL_HOST="localhost", KIOK_MAIL_FROM="a@b.c", KIOK_MAIL_TLS="none") == []
    assert judged(KIOK_MAIL_TLS="none") == []


def test_address_of_an_engine_is_shown_short_on_one_line() -> None:
    (line,) = refusal(DOCKER_HOST="tcp://a\nkiok: all is well" + "x" * 1000).splitlines()
    assert len(line) < 400


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@127.0.0.1/n",
        "postgresql://u@[::1]/n",
        "postgresql://u@localhost/n?sslmode=disable",
        "postgresql:///n",
        "postgresql://u@/n?host=/var/run/postgresql",
        "postgresql://u@db.example/n?sslmode=require",
        "postgresql://u@db.example/n?sslmode=verify-ca",
        "postgresql://u@db.example/n?gssencmode=require",
    ],
)
def test_local_or_encrypted_database_is_safe(url: str) -> None:
    assert judged(DATABASE_URL=url) == []


@pytest.mark.parametrize(
    "mode", ["", "?sslmode=disable", "?sslmode=allow", "?sslmode=prefer", "?gssencmode=prefer"]
)
def test_remote_database_needs_required_encryption(mode: str) -> None:
    assert "points to 10.0.0.7 without" in refusal(DATABASE_URL=f"postgresql://u@10.0.0.7/n{mode}")


def test_missing_parts_of_the_url_come_from_libpqs_variables() -> None:
    assert judged(DATABASE_URL="postgresql://u@db.example/n", PGSSLMODE="require") == []
    assert "points to db" in refusal(DATABASE_URL="postgresql:///n", PGHOST="db.example")
    assert "points to db" in refusal(DATABASE_URL="postgresql://u@db/n?sslmode=prefer", PGSSLMODE="require")


def test_each_of_several_hosts_must_be_safe() -> None:
    assert "points to db.example" in refusal(DATABASE_URL="postgresql://u@localhost,db.example/n")


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:6379/0", "redis://localhost", "unix:///run/redis.sock", "rediss://r.example"]
)
def test_local_redis_or_redis_over_tls_is_safe(url: str) -> None:
    assert judged(KIOK_BROKER="redis", KIOK_REDIS_URL=url) == []
    assert judged(KIOK_REDIS_URL="redis://r.example") == [], "nobody asks it"


@pytest.mark.parametrize("network", ["10.0.0.0/8", "172.16.0.0/12", "fc00::/7", "git.internal", "127.0.0.1"])
def test_private_networks_may_be_allowed_but_not_all_addresses(network: str) -> None:
    assert judged(KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS=network) == []
    for wide in ("0.0.0.0/0", "10.0.0.0/7", "::/0"):
        assert f"contains {wide}," in refusal(KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS=f"{network},{wide}")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("x" * 31, "has 31 characters, fewer than 32"),
        ("abc" * 20, "has only 3 different characters"),
        ("django-insecure-kX9vB2qL7zT4mW8nR1cJ6dF3hG5sPa", "is a placeholder"),
        ("Your Secret key 8765432109876543210", "is a placeholder"),
        ("CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME", "is a placeholder"),
        ("0123456789abcdef0123456789abcdef", "is a placeholder"),
    ],
)
def test_weak_signing_key_is_refused_and_not_shown(key: str, message: str) -> None:
    output = refusal(DJANGO_SECRET_KEY=key)
    assert output.startswith(f"DJANGO_SECRET_KEY {message}")
    assert key not in output


def test_keys_generated_as_in_the_guide_are_not_weak(tmp_path: Path) -> None:
    for number in range(500):
        made = keys.generated(tmp_path / str(number), 0)
        assert keys.weakness(made, least=keys.MIN_SECRET_KEY_CHARACTERS) == "", made
        digits = os.urandom(32).hex()
        assert keys.weakness(digits, least=keys.MIN_SECRET_KEY_CHARACTERS) == "", digits


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_secret_file_readable_by_all_users_is_refused(open_file: Path, mode: int, is_open: bool) -> None:
    open_file.chmod(mode)
    try:
        environ = {"KIOK_MAIL_USER_FILE": str(open_file), "KIOK_ALLOW_INSECURE": "secret.files"}
        assert judged(**environ) == ([Risk.SECRET_FILES] if is_open else [])
        open_file.parent.chmod(0o700)
        assert judged(**environ) == [], "nobody gets to it"
    finally:
        open_file.parent.chmod(0o711)
        open_file.chmod(0o644)


def settings(**environ: str) -> subprocess.CompletedProcess[str]:
    """Return the result of a process that reads the settings."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "properties"],
        env={k: v for k, v in os.environ.items() if not k.startswith(("KIOK_", "DATABASE_URL"))} | environ,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_risk_stops_the_start_only_with_an_external_database(tmp_path: Path) -> None:
    risky = {"KIOK_WEB_HOST": "0.0.0.0", "KIOK_BASE_DATA_DIR": str(tmp_path)}
    refused = settings(**risky, DATABASE_URL="postgresql://kiok@db.example/kiok?sslmode=require")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"kiok: {SAYS[Risk.WEB_TLS]}")
    assert len(refused.stderr.splitlines()) == 1
    embedded = settings(**risky)
    assert embedded.returncode == 0, embedded.stderr


def test_limits_of_the_sandbox_are_required_unless_the_risk_is_allowed() -> None:
    assert properties.load({}).requires_sandbox_limits
    assert not properties.load({"KIOK_ALLOW_INSECURE": "sandbox.limits"}).requires_sandbox_limits
    assert judged(**SOUND, KIOK_ALLOW_INSECURE="sandbox.limits") == []
