"""`manage.py doctor`: keys, connections, files with secrets, and the address of the service."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from gitsync.monitoring.doctor import secrets, web
from kiok.connections.models import Connection
from tests.support.doctor import outcome

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_wrong_master_key_and_a_damaged_connection_are_reported(settings: Settings) -> None:
    for number in range(3):
        Connection.objects.create(id=f"c{number}").set_properties({"token": "a-token-of-somebody"})
    assert outcome(secrets.master_key())[1].endswith("data keys and all 3 connections")
    broken = Connection.objects.get(pk="c1")
    broken.sealed["token"]["c"] = broken.sealed["token"]["c"][::-1]
    broken.save()
    status, text = outcome(secrets.master_key())
    assert status == "fail"
    assert text.startswith("1 of 3 connections cannot be decrypted: c1: ")
    settings.KIOK_MASTER_KEY = lambda: "another master key, which opens nothing"
    status, text = outcome(secrets.master_key())
    assert status == "fail"
    assert "does not decrypt data key" in text


def test_a_sample_of_many_connections_is_decrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    Connection.objects.bulk_create(Connection(id=f"c{number}") for number in range(5))
    monkeypatch.setattr(secrets, "SAMPLE", 2)
    assert outcome(secrets.master_key())[1].endswith("2 of 5 connections")


def test_the_check_creates_no_master_key_and_reports_a_missing_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Connection.objects.create(id="c").set_properties({"token": "a-token-of-somebody"})
    monkeypatch.delenv("KIOK_MASTER_KEY")
    settings.KIOK_EMBEDDED = True
    settings.KIOK = replace(settings.KIOK, base_data_dir=tmp_path)
    status, text = outcome(secrets.master_key())
    assert (status, text) == (
        "fail",
        "the generated master key is missing, and stored connections are encrypted with it",
    )
    assert list(tmp_path.iterdir()) == []


def test_secrets_readable_by_others_are_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    settings.KIOK = replace(settings.KIOK, base_data_dir=data_dir)
    key = data_dir / "master.key"
    key.touch(0o600)
    assert outcome(secrets.files()) == ("ok", "2 files checked, none readable by others")
    key.chmod(0o640)
    assert outcome(secrets.files()) == ("fail", f"readable by others: {key} is 0640")
    key.chmod(0o600)
    given = Path("/dev/shm") / f"kiok-doctor-{os.getpid()}"
    given.touch(0o644)
    try:
        given.chmod(0o644)
        monkeypatch.setenv("KIOK_MAIL_PASSWORD_FILE", str(given))
        assert outcome(secrets.files()) == ("warn", f"readable by everyone: {given} is 0644")
    finally:
        given.unlink()


@pytest.mark.parametrize(
    ("properties", "status", "message"),
    [
        ({}, "ok", "reachable only from this machine"),
        ({"web_allowed_hosts": ("*",)}, "warn", "accepts any host name"),
        ({"web_host": "0.0.0.0"}, "warn", "without TLS"),
        ({"web_allowed_hosts": ("kiok.example.com",)}, "warn", "without TLS"),
        (
            {"web_allowed_hosts": ("kiok.example.com",), "web_tls": True},
            "ok",
            "reached as kiok.example.com, with TLS",
        ),
        ({"web_tls": True}, "fail", "only local host names are accepted"),
        (
            {
                "web_allowed_hosts": ("k.example",),
                "web_tls": True,
                "web_trusted_origins": ("http://k.example",),
            },
            "warn",
            "forms are accepted from http://k.example, without TLS",
        ),
    ],
)
def test_the_address_of_the_service_is_checked(
    properties: dict[str, Any], status: str, message: str, settings: Settings
) -> None:
    settings.KIOK = replace(settings.KIOK, **properties)
    found = outcome(web.web())
    assert found[0] == status
    assert message in found[1]
