"""Check of the web server's configuration: host names and TLS."""

from __future__ import annotations

import ipaddress

from django.conf import settings

from gitsync.monitoring.doctor.check import fail, ok, warn
from kiok.checks import CheckResult
from kiok.cluster.conf import properties


def web() -> CheckResult:
    """Check the configured host names and TLS."""
    config = properties()
    is_local = _is_local(config.web_host)
    named = [host for host in config.web_allowed_hosts if not _is_local(host)]
    if "*" in config.web_allowed_hosts:
        return warn(
            "the web server accepts any host name",
            "Set kiok.web.allowed.hosts to the service's host names: links and forms contain the browser's Host header.",
        )
    if not config.web_tls and (named or not is_local):
        return warn(
            f"reached as {', '.join(named) or config.web_host}, without TLS",
            "Put a TLS proxy in front and set kiok.web.tls: passwords and sessions are sent unencrypted.",
        )
    if config.web_tls and not named:
        return fail(
            "kiok.web.tls is set, but only local host names are accepted",
            "Add the service's host names to kiok.web.allowed.hosts.",
        )
    if config.web_tls and (
        plain := [item for item in config.web_trusted_origins if item.startswith("http://")]
    ):
        return warn(
            f"forms are accepted from {', '.join(plain)}, without TLS",
            "Write https:// in kiok.web.trusted.origins.",
        )
    if settings.EMAIL_HOST_PASSWORD and config.mail_tls == "none" and not _is_local(config.mail_host):
        return warn(
            "the password is sent to the mail server unencrypted", "Set kiok.mail.tls to starttls or tls."
        )
    return ok(f"reached as {', '.join(named)}, with TLS" if named else "reachable only from this machine")


def _is_local(host: str) -> bool:
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
