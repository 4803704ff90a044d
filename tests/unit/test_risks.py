"""What a deployment is not started as: each risk by its name, and only those."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiok.server import properties, risks
from kiok.server.errors import ConfigurationError, PropertyError
from kiok.server.risks import Risk

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
}
SAYS = {
    Risk.WEB_TLS: "kiok.web.tls is false while the web server listens on 0.0.0.0",
    Risk.WEB_ALLOWED_HOSTS: "kiok.web.allowed.hosts has *",
    Risk.WEB_TRUSTED_ORIGINS: "kiok.web.trusted.origins has http://kiok.example.com,",
    Risk.GITSYNC_ALLOW_PROTOCOLS: "kiok.gitsync.allow.protocols has git,",
    Risk.DOCKER_HOST: "DOCKER_HOST=tcp://engine:2376 is an engine over the network without DOCKER_TLS_VERIFY",
    Risk.MAIL_TLS: "kiok.mail.tls is none while kiok.mail.host is mail.example.com",
}


def judged(**environ: str) -> list[Risk]:
    return [one.risk for one in risks.judge(properties.load(environ), environ)]


def refusal(**environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        judged(**environ)
    return str(caught.value)


def test_a_sound_configuration_and_the_default_one_have_no_risk() -> None:
    assert judged(**SOUND) == []
    assert judged() == []


@pytest.mark.parametrize("risk", Risk)
def test_each_risk_is_refused_by_name_with_what_to_do(risk: Risk) -> None:
    (line,) = refusal(**{**SOUND, **RISKY[risk]}).splitlines()
    assert line.startswith(SAYS[risk])
    assert line.endswith(f"; if you insist, add {risk} to kiok.allow.insecure")


@pytest.mark.parametrize("risk", Risk)
def test_a_risk_that_is_allowed_by_name_is_told_and_allows_no_other(risk: Risk) -> None:
    assert judged(**SOUND, **{"KIOK_ALLOW_INSECURE": risk}) == []
    assert judged(**{**SOUND, **RISKY[risk], "KIOK_ALLOW_INSECURE": risk}) == [risk]
    others = ",".join(other for other in Risk if other is not risk)
    assert refusal(**{**SOUND, **RISKY[risk], "KIOK_ALLOW_INSECURE": others}).startswith(SAYS[risk])


def test_all_risks_are_told_at_once() -> None:
    everything = {name: value for environ in RISKY.values() for name, value in environ.items()}
    assert len(refusal(**{**SOUND, **everything}).splitlines()) == len(Risk)


def test_a_risk_that_does_not_exist_cannot_be_allowed() -> None:
    with pytest.raises(PropertyError, match=r"'tls' is unknown; allowed: web\.tls, web\.allowed\.hosts"):
        properties.load({"KIOK_ALLOW_INSECURE": "tls"})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_without_https_the_web_server_may_listen_where_only_this_machine_reaches_it(host: str) -> None:
    assert judged(KIOK_WEB_HOST=host) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "kiok.example.com", "localhost.example.com"])
def test_without_https_the_web_server_may_listen_nowhere_else(host: str) -> None:
    assert "kiok.web.tls is false" in refusal(KIOK_WEB_HOST=host)


@pytest.mark.parametrize("protocol", ["http", "git", "file"])
def test_only_protocols_that_are_encrypted_and_authenticated_are_taken(protocol: str) -> None:
    assert f"has {protocol}," in refusal(KIOK_GITSYNC_ALLOW_PROTOCOLS=f"https,{protocol},ssh")


@pytest.mark.parametrize(
    "where",
    ["", "unix:///var/run/docker.sock", "ssh://ada@engine", "tcp://127.0.0.1:2375", "tcp://[::1]:2375"],
)
def test_an_engine_that_nobody_else_reaches_needs_no_certificates(where: str) -> None:
    assert judged(DOCKER_HOST=where) == []


@pytest.mark.parametrize(
    "where", ["tcp://engine:2375", "TCP://10.0.0.1", "http://engine:2375", "tcp://", "tcp://[x"]
)
def test_an_engine_over_the_network_needs_certificates(where: str) -> None:
    assert "without DOCKER_TLS_VERIFY" in refusal(DOCKER_HOST=where)
    assert judged(DOCKER_HOST=where, DOCKER_TLS_VERIFY="1") == []


def test_mail_on_this_machine_needs_no_encryption() -> None:
    assert judged(KIOK_MAIL_HOST="localhost", KIOK_MAIL_FROM="a@b.c", KIOK_MAIL_TLS="none") == []
    assert judged(KIOK_MAIL_TLS="none") == []


def test_an_engines_address_is_shown_short_and_in_one_line() -> None:
    (line,) = refusal(DOCKER_HOST="tcp://a\nkiok: all is well" + "x" * 1000).splitlines()
    assert len(line) < 400


def settings(**environ: str) -> subprocess.CompletedProcess[str]:
    """What becomes of a process that reads the settings."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "properties"],
        env={k: v for k, v in os.environ.items() if not k.startswith(("KIOK_", "DATABASE_URL"))} | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_risk_stops_the_start_where_there_is_a_database_of_its_own_and_only_there(tmp_path: Path) -> None:
    risky = {"KIOK_WEB_HOST": "0.0.0.0", "KIOK_BASE_DATA_DIR": str(tmp_path)}
    refused = settings(**risky, DATABASE_URL="postgresql://kiok@db.example/kiok")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"kiok: {SAYS[Risk.WEB_TLS]}")
    assert len(refused.stderr.splitlines()) == 1
    embedded = settings(**risky)
    assert embedded.returncode == 0, embedded.stderr
