"""Notifications by e-mail, and mail servers that refuse or wait."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_string
from email.policy import default
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from kiok.notifications import mail, sender
from kiok.notifications.errors import DeliveryRefused, NotDelivered
from kiok.notifications.models import ChannelKind, NotificationChannel
from tests.support.notification_attempts import delivery, problem
from tests.support.servers.receiver import MailServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mail_server(tmp_path: Path, settings: Settings) -> Iterator[MailServer]:
    with MailServer(tmp_path / "mail") as running:
        settings.KIOK = replace(
            settings.KIOK,
            gitsync_ssl_ca_info=running.ca_file,
            mail_host="localhost",
            mail_port=running.port,
            mail_from="kiok <kiok@example.com>",
        )
        settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", running.port
        settings.EMAIL_USE_TLS, settings.EMAIL_TIMEOUT = True, 10
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "ada", "a-password-for-mail"
        yield running


# E-mail.


def by_mail(addresses: str = "ada@example.com\nbob@example.com") -> NotificationChannel:
    return NotificationChannel.objects.create(
        name="mail", kind=ChannelKind.EMAIL, addresses=addresses, all_repositories=True
    )


def test_e_mail_is_sent_over_tls_with_the_login_to_all_addresses(mail_server: MailServer) -> None:
    channel = by_mail()
    channel.full_clean()
    row = delivery(channel, "it broke\x1b <b>")
    output = sender.send(channel, row)
    assert output == f"localhost:{mail_server.port} accepted the message for 2 addresses"
    sender.send(channel, row)
    first, second = (message_from_string(text, policy=default) for _, _, text in mail_server.messages)
    login, recipients, _ = mail_server.messages[0]
    assert base64.b64decode(login) == b"\0ada\0a-password-for-mail"
    assert recipients == ["ada@example.com", "bob@example.com"]
    assert first["Subject"] == "[kiok] team is failing: The branch or tag does not exist (main)"
    assert first["From"] == "kiok <kiok@example.com>"
    assert first["Message-ID"] == second["Message-ID"] == f"<{row.notification.uid}.{channel.pk}@example.com>"
    assert first["Kiok-Notice-Id"] == str(row.notification.uid)
    text = first.get_content()
    assert "\nit broke <b>\n" in text.replace("\r\n", "\n")
    assert "Failed files" not in text
    assert "Commit" not in text
    assert "Page" not in text
    assert "What to do: Correct the ref, or push it" in text
    assert "Repository: team\r\n" in text.replace("\n", "\r\n").replace("\r\r", "\r")


def test_e_mail_is_sent_over_tls_from_the_start_where_the_server_wants_it(
    mail_server: MailServer, settings: Settings
) -> None:
    mail_server.speaks_tls = True
    settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = False, True
    channel = by_mail()
    assert "accepted the message for 2 addresses" in sender.send(channel, delivery(channel))
    [(login, recipients, _)] = mail_server.messages
    assert base64.b64decode(login) == b"\0ada\0a-password-for-mail"
    assert recipients == channel.address_list
    settings.KIOK = replace(settings.KIOK, gitsync_ssl_ca_info=None)
    assert "certificate" in problem(channel)


def test_refusals_of_a_mail_server_and_a_missing_one_are_reported(
    mail_server: MailServer, settings: Settings
) -> None:
    channel = by_mail()
    mail_server.refuses = "554 we do not like it"
    with pytest.raises(DeliveryRefused, match=r"refused the message: .*554.*we do not like it"):
        sender.send(channel, delivery(channel))
    settings.KIOK = replace(settings.KIOK, gitsync_ssl_ca_info=None)
    assert "certificate" in problem(channel)
    settings.EMAIL_PORT = 1
    assert "the message could not be sent to" in problem(channel)
    settings.KIOK = replace(settings.KIOK, mail_host="")
    assert "set kiok.mail.host" in problem(channel)
    assert mail_server.messages == []


@pytest.mark.parametrize("where", ["message", "addresses"])
def test_a_mail_server_that_defers_is_retried_like_an_absent_one(where: str, mail_server: MailServer) -> None:
    """Greylisting answers 4yz for some minutes (RFC 6647); only 5yz is a refusal (RFC 5321, 4.2.1)."""
    channel, later = by_mail(), "451 4.7.1 greylisted, try again later"
    if where == "message":
        mail_server.refuses = later
    else:
        mail_server.refuses_addresses = dict.fromkeys(channel.address_list, later)
    with pytest.raises(NotDelivered, match="greylisted, try again later") as caught:
        sender.send(channel, delivery(channel))
    assert not isinstance(caught.value, DeliveryRefused)
    mail_server.refuses_addresses = dict.fromkeys(channel.address_list, "550 no such user here")
    with pytest.raises(DeliveryRefused, match="no such user here"):
        sender.send(channel, delivery(channel))


def test_refused_addresses_are_named_and_the_others_get_the_message(
    mail_server: MailServer,
) -> None:
    mail_server.refuses_addresses = {"bob@example.com": "550 no such user here"}
    channel = by_mail()
    output = sender.send(channel, delivery(channel))
    assert [recipients for _, recipients, _ in mail_server.messages] == [["ada@example.com"]]
    assert output == (
        f"localhost:{mail_server.port} accepted the message for 1 of 2 addresses; "
        "refused: bob@example.com (550 no such user here)"
    )


def test_a_mail_server_may_take_longer_for_a_message_than_for_a_command(
    mail_server: MailServer, settings: Settings
) -> None:
    settings.EMAIL_TIMEOUT, mail_server.taking_seconds = 5.0, 6.0
    channel = by_mail()
    assert "accepted the message" in sender.send(channel, delivery(channel))
    assert len(mail_server.messages) == 1


def test_a_slow_mail_server_is_abandoned_before_another_worker_begins(
    mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "TIMEOUT_SECONDS", 5.0)
    mail_server.pause_seconds = 1.0  # each answer well within the limit of one
    assert "took longer than 5 s" in problem(by_mail("\n".join(f"a{n}@example.com" for n in range(9))))
    assert mail_server.messages == []


@pytest.mark.parametrize(
    "addresses",
    [
        "",
        "ada",
        "ada@example.com\nBcc: eve@example.com\n",
        "\n".join(f"a{n}@example.com" for n in range(51)),
    ],
)
def test_addresses_that_are_none_are_refused(addresses: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NotificationChannel(name="mail", kind=ChannelKind.EMAIL, addresses=addresses).full_clean()
    assert set(caught.value.message_dict) == {"addresses"}
