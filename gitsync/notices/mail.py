"""Sends a notice by e-mail, through Django's backend for SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.utils.functional import cached_property

from gitsync.conf import properties
from gitsync.models import NoticeReceiver
from gitsync.notices.content import mail_text, printable
from gitsync.notices.errors import NotDelivered, Refused
from gitsync.notices.trust import trust
from gitsync.notices.webhook import ID_HEADER

MAX_SUBJECT = 150
_REFUSALS = (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError)


class Backend(EmailBackend):
    """Django's own, which trusts the authorities of `kiok.gitsync.ssl.ca.info` where that is set."""

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        return trust()


def send(receiver: NoticeReceiver, values: Mapping[str, str]) -> str:
    """One message to all addresses of the receiver; what came of it, in words. Raises NotDelivered."""
    config = properties()
    if not config.mail_host:
        raise NotDelivered("no mail server is configured: set kiok.mail.host and kiok.mail.from")
    domain = config.mail_from.rpartition("@")[2].strip("> ") or "localhost"
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
        connection=Backend(),
    )
    where = f"{config.mail_host}:{config.mail_port}"
    try:
        message.send()
    except _REFUSALS as exc:
        raise Refused(f"{where} refused the message: {exc}") from exc
    except (OSError, smtplib.SMTPException, ValueError) as exc:
        raise NotDelivered(f"{where} could not be given the message: {exc or type(exc).__name__}") from exc
    number = len(message.to)
    return f"{where} took the message for {number} address{'es' if number != 1 else ''}"
