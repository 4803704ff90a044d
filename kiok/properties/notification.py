"""Properties of notifications and of the mail server (`kiok.notice.*`, `kiok.mail.*`)."""

from __future__ import annotations

from dataclasses import dataclass

from kiok.properties.parsers import choice, integer, text
from kiok.properties.property import row


@dataclass(frozen=True)
class NotificationProperties:
    """Properties of notifications and of the mail server (`kiok.notice.*`, `kiok.mail.*`)."""

    notice_after_failures: int = row(
        "kiok.notice.after.failures",
        integer(1, 100),
        3,
        "Consecutive transient failures before a notification is sent.",
    )
    mail_host: str = row(
        "kiok.mail.host",
        text("a host name or address", empty=True),
        "",
        "SMTP server for notifications by e-mail; empty: no e-mail is sent.",
    )
    mail_port: int = row("kiok.mail.port", integer(1, 65_535), 587, "Port of the SMTP server.")
    mail_tls: str = row(
        "kiok.mail.tls",
        choice("starttls", "tls", "none"),
        "starttls",
        "Security of the SMTP connection: STARTTLS, implicit TLS (port 465), or none.",
    )
    mail_from: str = row(
        "kiok.mail.from",
        text("an address such as kiok@example.com, or kiok <kiok@example.com>", empty=True),
        "",
        "From address of e-mail; required with kiok.mail.host.",
    )
