"""How the service is reached: host names and TLS, as they are configured."""

from __future__ import annotations

import ipaddress

from django.conf import settings

from gitsync.monitoring.doctor.finding import CheckResult, fail, ok, warn
from kiok.cluster.conf import properties


def web() -> CheckResult:
    """Host names and TLS."""
    config = properties()
    is_local = _is_local(config.web_host)
    named = [host for host in config.web_allowed_hosts if not _is_local(host)]
    if "*" in config.web_allowed_hosts:
        return warn(
            "the web server answers under any host name",
            "Name the service's own in kiok.web.allowed.hosts: links and forms are made with what the browser names.",
        )
    if not config.web_tls and (named or not is_local):
        return warn(
            f"reached as {', '.join(named) or config.web_host}, without TLS",
            "Put a proxy with TLS in front and set kiok.web.tls: passwords and sessions go in the clear.",
        )
    if config.web_tls and not named:
        return fail(
            "kiok.web.tls is set, and no host name but this machine's is answered",
            "Name the service's own in kiok.web.allowed.hosts.",
        )
    if config.web_tls and (
        plain := [item for item in config.web_trusted_origins if item.startswith("http://")]
    ):
        return warn(f"forms are taken from {', '.join(plain)}", "Write https:// in kiok.web.trusted.origins.")
    if settings.EMAIL_HOST_PASSWORD and config.mail_tls == "none" and not _is_local(config.mail_host):
        return warn(
            "the mail server is given the password in the clear", "Set kiok.mail.tls to starttls or tls."
        )
    return ok(f"reached as {', '.join(named)}, by TLS" if named else "for this machine alone")


def _is_local(host: str) -> bool:
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
