"""Sends a notice by e-mail, through Django's backend for SMTP."""

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

from gitsync.models import NoticeReceiver
from gitsync.notices.content import mail_text, printable
from gitsync.notices.errors import NotDelivered, Refused
from gitsync.notices.trust import trust
from gitsync.notices.webhook import ID_HEADER
from kiok.cluster.conf import properties

MAX_SUBJECT = 150
TIMEOUT_SECONDS = 30.0
"""After that no command is begun. One that is under way takes EMAIL_TIMEOUT at most, or the next."""
TAKING_SECONDS = 60.0
"""For the answer to the message itself: one that is looked at for longer comes twice (RFC 5321, 4.5.3.2)."""
_FINAL = 500
"""From this code on a server refuses; below, it may be otherwise later (RFC 5321, 4.2.1)."""

Answers = Mapping[str, tuple[int, bytes]]
"""What a server said to addresses that it does not take."""

log = logging.getLogger(__name__)


class Client(smtplib.SMTP):
    """The standard library's, with a limit on the whole exchange. `refused` are the addresses that were left out."""

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
    """The same over TLS from the start."""


class Backend(EmailBackend):
    """Django's own, with this client and these authorities."""

    @property
    def connection_class(self) -> type[Client]:
        return TlsClient if self.use_ssl else Client

    @property
    def refused(self) -> Answers:
        """Of the message that was sent last, while the connection is open."""
        return self.connection.refused if isinstance(self.connection, Client) else {}

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        return trust()


def send(receiver: NoticeReceiver, values: Mapping[str, str]) -> str:
    """One message to all addresses of the receiver; what came of it, in words. Raises NotDelivered."""
    config = properties()
    if not config.mail_host:
        raise NotDelivered("no mail server is configured: set kiok.mail.host and kiok.mail.from")
    domain = config.mail_from.rpartition("@")[2].strip("> ") or "localhost"
    where = f"{config.mail_host}:{config.mail_port}"
    try:
        with Backend() as backend:
            message = EmailMessage(
                subject=printable(f"[kiok] {values['title']}", MAX_SUBJECT),
                body=mail_text(values),
                from_email=config.mail_from,
                to=receiver.address_list,
                headers={
                    # The same when it is sent again, so that mailboxes can tell.
                    "Message-ID": f"<{values['id']}.{receiver.pk}@{domain}>",
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
        raise NotDelivered(f"{where} could not be given the message: {exc or type(exc).__name__}") from exc
    return _taken(receiver, where, len(message.to), refused)


def _taken(receiver: NoticeReceiver, where: str, number: int, refused: Answers) -> str:
    """It is not sent again for those who were left out: the others would get it twice."""
    if not refused:
        return f"{where} took the message for {number} address{'es' if number != 1 else ''}"
    left_out = _in_words(refused)
    log.warning("addresses of %s were refused by %s: %s", receiver.name, where, left_out)
    return f"{where} took the message for {number - len(refused)} of {number} addresses; refused: {left_out}"


def _failure(where: str, code: int, said: str) -> NotDelivered:
    if code >= _FINAL:
        return Refused(f"{where} refused the message: {said}")
    return NotDelivered(f"{where} does not take the message now: {said}")


def _in_words(answers: Answers) -> str:
    return ", ".join(f"{address} ({_said(*answer)})" for address, answer in answers.items())


def _said(code: int, text: bytes | str) -> str:
    return f"{code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}"
