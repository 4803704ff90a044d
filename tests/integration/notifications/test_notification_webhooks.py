"""Notifications to a webhook, and addresses that are refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from kiok.connections.models import Connection
from kiok.notifications import sender, webhook
from kiok.notifications.errors import DeliveryRefused
from kiok.notifications.models import NotificationChannel
from tests.support.notification_attempts import delivery, problem
from tests.support.servers.receiver import ForwardProxy, WebhookServer

pytestmark = pytest.mark.django_db(transaction=True)


TOKEN = "Bearer a-token-that-nobody-else-has"
KEY = "the-key-that-signs-bodies"


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[WebhookServer]:
    with WebhookServer(tmp_path / "channel") as running:
        settings.KIOK = replace(settings.KIOK, gitsync_ssl_ca_info=running.ca_file)
        yield running


def hook(url: str, **options: object) -> NotificationChannel:
    return NotificationChannel.objects.create(name="hook", url=url, all_repositories=True, **options)


def connection(**properties: str) -> Connection:
    made = Connection.objects.create(id="hook")
    made.set_properties(properties)
    return made


# The request.


def test_a_webhook_is_authorized_and_signed_by_its_connection(server: WebhookServer) -> None:
    channel = hook(server.url("hook?key=1"), secret=connection(authorization=TOKEN, secret=KEY))
    row = delivery(channel)
    assert sender.send(channel, row) == "200 Answered: ok"
    [delivered] = server.received
    assert delivered.path == "/hook?key=1"
    assert delivered.headers["authorization"] == TOKEN
    assert delivered.headers["content-type"] == "application/json"
    assert delivered.headers["kiok-notice-id"] == str(row.notification.uid) == delivered.json["id"]
    digest = hmac.new(KEY.encode(), delivered.body, hashlib.sha256).hexdigest()
    assert delivered.headers["kiok-signature-256"] == f"sha256={digest}"
    assert delivered.json["url"] == "https://git.example.org/team/dags.git"
    assert "push it" in delivered.json["remedy"]


def test_a_secret_url_is_used_from_the_connection_and_in_no_message(
    server: WebhookServer,
) -> None:
    channel = hook("", secret=connection(webhookUrl=server.url("services/T0/secret-part-of-the-url")))
    channel.full_clean()
    sender.send(channel, delivery(channel))
    assert server.received[0].path == "/services/T0/secret-part-of-the-url"
    server.status = 404
    for answer in (
        "Cannot POST /services/T0/secret-part-of-the-url",
        "<p>no hook <b>secret-part-of-the-url</b></p>",
    ):
        server.answer = answer.encode()
        output = problem(channel)
        assert "404" in output
        assert "secret-part" not in output


def test_a_connection_is_handed_to_no_other_host_than_those_it_names(server: WebhookServer) -> None:
    channel = hook(server.url(), secret=connection(authorization=TOKEN, hosts="hooks.example.com"))
    assert "'hosts' does not include localhost" in problem(channel)
    assert server.received == []


def test_an_excerpt_of_the_answer_is_kept_without_secrets(
    server: WebhookServer,
) -> None:
    channel = hook(server.url(), secret=connection(authorization=TOKEN))
    server.status = 500
    server.answer = f"\x1b[31m<b>no</b> {TOKEN} ".encode() + b"\xff" + b"y" * 100_000
    output = problem(channel)
    assert output.startswith("https://localhost:")
    assert "responded 500 Answered: [31m<b>no</b>" in output
    assert TOKEN not in output
    assert TOKEN.removeprefix("Bearer ") not in output
    assert output.isprintable()
    assert len(output) < 500


# Where it does not go, and what does not come back.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://hooks.example.com/x", "scheme 'http' is not allowed. Allowed are https"),
        ("ftp://hooks.example.com/x", "not a webhook URL"),
        ("hooks.example.com/x", "not a webhook URL"),
        ("https://user:password@hooks.example.com/x", "contains a user"),
        ("https://hooks.example.com/x#y", "fragment"),
        ("https://hooks.example.com/a b", "space"),
        ("https://hooks.example.com/\u00e4", "non-ASCII"),
        ("https://hooks.example.com\\@evil.example/", "backslash"),
        ("https:///x", "not a webhook URL"),
        ("https://hooks.example.com:99999/", "port"),
        ("https://[::1", "cannot be parsed|malformed"),
        ("https://10.0.0.1/x", "'10.0.0.1' is a private"),
        ("https://169.254.169.254/latest", "private"),
        ("https://[::ffff:169.254.169.254]/latest", "private"),
        ("https://192.168.1.1:8443/x?y=z", "private"),
        ("https://167772161/", "private"),  # 10.0.0.1 as one number
    ],
)
def test_a_secret_url_is_refused_on_save_and_on_use(url: str, expected: str) -> None:
    channel = NotificationChannel(name="x", url=url)
    with pytest.raises(ValidationError) as caught:
        channel.full_clean()
    [message] = caught.value.message_dict["url"]
    assert re.search(expected, message)
    channel.name = "stored"
    channel.save()
    assert re.search(expected, problem(channel))


def test_a_name_that_resolves_to_a_private_address_needs_an_allow_entry(
    server: WebhookServer, settings: Settings
) -> None:
    channel = hook(server.url(host="localhost"))
    settings.KIOK = replace(settings.KIOK, gitsync_allow_private_hosts=())
    assert "it resolves to" in problem(channel)
    assert server.received == []
    settings.KIOK = replace(settings.KIOK, gitsync_allow_private_hosts=("localhost",))
    sender.send(channel, delivery(channel))
    assert len(server.received) == 1


def test_the_connection_of_a_webhook_goes_to_the_checked_address(
    server: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere the second time is not asked a second time."""
    requested, ask = [], socket.getaddrinfo

    def noting(host: str, *arguments: object, **options: object) -> object:
        requested.append(host)
        return ask(host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", noting)
    channel = hook(server.url())
    sender.send(channel, delivery(channel))
    assert server.received[0].headers["host"].startswith("localhost:")
    assert requested.count("localhost") == 1
    assert set(requested) <= {"localhost", "127.0.0.1", "::1"}


def test_a_proxy_of_the_environment_is_used_and_private_hosts_are_refused(
    server: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = hook(server.url())
    with ForwardProxy() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        assert sender.send(channel, delivery(channel)) == "200 Answered: ok"
        host = server.url().split("/")[2]
        assert proxy.requests == [(host, "Basic " + base64.b64encode(b"ada:secret word").decode())]
        channel.url = "https://10.0.0.1/"
        assert "private" in problem(channel)
        monkeypatch.setenv("no_proxy", "localhost")
        channel.url = server.url()
        sender.send(channel, delivery(channel))
        assert len(proxy.requests) == 1
    assert len(server.received) == 2
    monkeypatch.delenv("no_proxy")
    assert "the request to https://localhost" in problem(channel)  # the proxy is gone
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    assert "https_proxy is invalid" in problem(channel)
    monkeypatch.setenv("https_proxy", "http://ada:secret/word@127.0.0.1:1")  # not percent-encoded
    output = problem(channel)
    assert "https_proxy is invalid" in output
    assert "secret" not in output


def test_a_redirect_is_not_followed(server: WebhookServer) -> None:
    channel = hook(server.url())
    server.status, server.headers = 307, {"Location": server.url("elsewhere")}
    with pytest.raises(DeliveryRefused, match="Redirects are not followed: enter the final URL"):
        sender.send(channel, delivery(channel))
    assert [delivered.path for delivered in server.received] == ["/hook"]


def test_a_certificate_of_an_unknown_authority_is_refused(
    server: WebhookServer, settings: Settings, tmp_path: Path
) -> None:
    settings.KIOK = replace(settings.KIOK, gitsync_ssl_ca_info=None)
    output = problem(hook(server.url()))
    assert "certificate" in output
    assert "kiok.gitsync.ssl.ca.info" in output
    assert server.received == []


def test_an_answer_that_drips_for_ever_is_cut_when_the_time_is_up(
    server: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 1.0)
    server.answer, server.drip_seconds = b"x" * 3000, 0.1  # each byte well within the limit of one read
    channel = hook(server.url())
    assert "did not respond within 1 s" in problem(channel)


def test_an_undecryptable_connection_is_a_failure_of_its_channel(server: WebhookServer) -> None:
    vault = connection(authorization=TOKEN)
    vault.sealed["authorization"]["c"] = vault.sealed["authorization"]["c"][::-1]
    vault.save()
    assert "enter it again" in problem(hook(server.url(), secret=vault))
