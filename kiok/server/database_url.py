"""Conversion of `DATABASE_URL` to Django's database settings.

    postgresql://user:password@host:5432/name?sslmode=require
    postgresql://user@/name?host=/var/run/postgresql        (unix socket)
    postgresql://user@%2Fvar%2Frun%2Fpostgresql/name        (the same)

User, password, host and name are percent-decoded. The query accepts the libpq parameters in `OPTIONS`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kiok.properties.parsers import flaw_of
from kiok.server.errors import ConfigurationError

OPTIONS = (
    "application_name",
    "channel_binding",
    "connect_timeout",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "options",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslpassword",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
)
DEFAULTS = {
    "application_name": "kiok",
    "connect_timeout": "10",
    # A server whose machine fails closes no connection. The kernel's own limits are two hours for a connection that
    # waits for an answer, and a quarter of an hour for one that sends; these settings make that one minute and half a
    # minute. They apply only to TCP.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",  # milliseconds
}


def parse(url: str) -> dict[str, Any]:
    """Return the entry for Django's DATABASES. Raises ConfigurationError, which never shows the URL."""
    wanted = "expected postgresql://user:password@host:port/name"
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, parts.hostname
    except ValueError as exc:
        raise ConfigurationError(
            f"DATABASE_URL cannot be parsed; {wanted}, with special characters percent-encoded"
        ) from exc
    if parts.scheme not in ("postgresql", "postgres"):
        raise ConfigurationError(
            f"DATABASE_URL: scheme {parts.scheme!r}; PostgreSQL is the only database; {wanted}"
        )
    if parts.fragment:
        raise ConfigurationError("DATABASE_URL contains a '#'; write it as %23")
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name:
        raise ConfigurationError(f"DATABASE_URL names no database; {wanted}")
    options: dict[str, Any] = {**DEFAULTS}
    socket = None
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key == "host":
            socket = value
        elif key in OPTIONS:
            options[key] = value
        else:
            raise ConfigurationError(
                f"DATABASE_URL: unknown parameter {key!r}; allowed: host, {', '.join(OPTIONS)}"
            )
    for what, text in (
        ("user", unquote(parts.username or "")),
        ("password", unquote(parts.password or "")),
        ("name", name),
        ("host", socket or _host(parts.netloc, host)),
        *options.items(),
    ):
        if reason := flaw_of(text):
            raise ConfigurationError(f"DATABASE_URL: its {what} {reason} (value not shown); {wanted}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        # urlsplit converts the host to lower case, which would change a percent-encoded folder.
        "HOST": socket or _host(parts.netloc, host),
        "PORT": str(port or ""),
        "OPTIONS": options,
    }


def _host(netloc: str, host: str | None) -> str:
    if not host:
        return ""
    where = netloc.rpartition("@")[2]
    return unquote(where.partition(":")[0]) if where.upper().startswith("%2F") else unquote(host)
