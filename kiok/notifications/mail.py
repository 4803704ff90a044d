"""Delivery of notifications by e-mail, through Django's SMTP backend."""

from __future__ import annotations

import logging
import smtplib
import ssl
import time
from collections.abc import Mapping
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.utils.functional import cached_property

from kiok.cluster.conf import properties
from kiok.notifications.content import NotificationContent, mail_text, redacted_line
from kiok.notifications.errors import DeliveryRefused, NotDelivered
from kiok.notifications.models import NotificationChannel
from kiok.notifications.trust import trust
from kiok.notifications.webhook import ID_HEADER

MAX_SUBJECT = 150
# No SMTP command starts after this time. A running command takes at most EMAIL_TIMEOUT, or TAKING_SECONDS.
TIMEOUT_SECONDS = 30.0
# Time limit of the response to the message itself. A server that scans for longer gets it twice (RFC 5321, 4.5.3.2).
TAKING_SECONDS = 60.0
_FINAL = 500  # from this reply code on, the failure is permanent; below, it is transient (RFC 5321, 4.2.1)

Answers = Mapping[str, tuple[int, bytes]]  # the server's reply for each refused address

log = logging.getLogger(__name__)


class Client(smtplib.SMTP):
    """SMTP client of the standard library with a time limit on the whole exchange. `refused` has the refused addresses."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.refused: Answers = {}
        self._until = time.monotonic() + TIMEOUT_SECONDS
        super().__init__(*args, **options)

    def putcmd(self, cmd: str, args: str = "") -> None:
        if time.monotonic() > self._until:
            self.close()
            raise smtplib.SMTPServerDisconnected(f"it took longer than {TIMEOUT_SECONDS:g} s")
        super().putcmd(cmd, args)

    def data(self, msg: Any) -> tuple[int, bytes]:
        limit = self.sock.gettimeout() if self.sock else None
        if self.sock:
            self.sock.settimeout(TAKING_SECONDS)
        answer = super().data(msg)
        if self.sock:
            self.sock.settimeout(limit)
        return answer

    def sendmail(self, *args: Any, **options: Any) -> Any:
        self.refused = super().sendmail(*args, **options)
        return self.refused


class TlsClient(Client, smtplib.SMTP_SSL):
    """The same client with implicit TLS."""


class Backend(EmailBackend):
    """Django's SMTP backend with this client and the configured certificate authorities."""

    @property
    def connection_class(self) -> type[Client]:
        return TlsClient if self.use_ssl else Client

    @property
    def refused(self) -> Answers:
        """Return the addresses that were refused for the last message, while the connection is open."""
        return self.connection.refused if isinstance(self.connection, Client) else {}

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        return trust()


def send(channel: NotificationChannel, content: NotificationContent) -> str:
    """Send one message to all addresses of the channel and return a description of the result. Raise NotDelivered."""
    config = properties()
    values = content.values
    if not config.mail_host:
        raise NotDelivered("no mail server is configured: set kiok.mail.host and kiok.mail.from")
    domain = config.mail_from.rpartition("@")[2].strip("> ") or "localhost"
    where = f"{config.mail_host}:{config.mail_port}"
    try:
        with Backend() as backend:
            message = EmailMessage(
                subject=redacted_line(f"[kiok] {values['title']}", MAX_SUBJECT),
                body=mail_text(content),
                from_email=config.mail_from,
                to=channel.address_list,
                headers={
                    # The same id for each attempt, so that mailboxes recognize duplicates.
                    "Message-ID": f"<{values['id']}.{channel.pk}@{domain}>",
                    "Auto-Submitted": "auto-generated",
                    ID_HEADER: values["id"],
                },
                connection=backend,
            )
            message.send()
            refused = backend.refused
    except smtplib.SMTPRecipientsRefused as exc:
        codes = [code for code, _ in exc.recipients.values()]
        raise _failure(where, min(codes), _in_words(exc.recipients)) from exc
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as exc:
        raise _failure(where, exc.smtp_code, _said(exc.smtp_code, exc.smtp_error)) from exc
    except (OSError, smtplib.SMTPException, ValueError) as exc:
        raise NotDelivered(f"the message could not be sent to {where}: {exc or type(exc).__name__}") from exc
    return _taken(channel, where, len(message.to), refused)


def _taken(channel: NotificationChannel, where: str, number: int, refused: Answers) -> str:
    """Describe the result. There is no retry for refused addresses: the others would get the message twice."""
    if not refused:
        return f"{where} accepted the message for {number} address{'es' if number != 1 else ''}"
    left_out = _in_words(refused)
    log.warning("addresses of the channel %s were refused by %s: %s", channel.name, where, left_out)
    return (
        f"{where} accepted the message for {number - len(refused)} of {number} addresses; refused: {left_out}"
    )


def _failure(where: str, code: int, message: str) -> NotDelivered:
    if code >= _FINAL:
        return DeliveryRefused(f"{where} refused the message: {message}")
    return NotDelivered(f"{where} deferred the message: {message}")


def _in_words(answers: Answers) -> str:
    return ", ".join(f"{address} ({_said(*answer)})" for address, answer in answers.items())


def _said(code: int, text: bytes | str) -> str:
    return f"{code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}"
