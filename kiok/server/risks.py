"""What a deployment must not be configured as, unless its operator says so by name.

A deployment is what has a `DATABASE_URL` of its own. With the embedded database the service is for one machine and one
operator, who is trying it out or developing: there nothing is judged.

A risk that is found stops the start of every process. `kiok.allow.insecure` names those that are meant.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kiok.server.errors import ConfigurationError

if TYPE_CHECKING:
    from kiok.server.properties import Properties

INSECURE_PROTOCOLS = ("http", "git", "file")


class Risk(StrEnum):
    """A setting that endangers a deployment, by the name under which it can be allowed."""

    WEB_TLS = "web.tls"
    """Passwords, sessions and tokens cross the network in the clear."""
    WEB_ALLOWED_HOSTS = "web.allowed.hosts"
    """A page under any name that is made to lead here is answered as if it were the service's own."""
    WEB_TRUSTED_ORIGINS = "web.trusted.origins"
    """Whoever can alter an unencrypted page on its way can send forms in its reader's name."""
    GITSYNC_ALLOW_PROTOCOLS = "gitsync.allow.protocols"
    """DAGs come unencrypted and unauthenticated, or from the files of the service's own machine."""
    DOCKER_HOST = "docker.host"
    """Whoever reaches the engine's port is root where it runs, and whoever stands in between is the engine."""
    MAIL_TLS = "mail.tls"
    """Notices, and the mail server's password, cross the network in the clear."""


@dataclass(frozen=True, slots=True)
class Found:
    """A risk that is there: what is set, and what to set instead."""

    risk: Risk
    what: str
    remedy: str


def found(config: Properties, environ: Mapping[str, str]) -> Iterator[Found]:
    """Every risk of a deployment with these properties; of the environment, that of `DOCKER_HOST`."""
    if not config.web_tls and not _is_loopback(config.web_host):
        yield Found(
            Risk.WEB_TLS,
            f"kiok.web.tls is false while the web server listens on {config.web_host} (kiok.web.host), so that passwords "
            "and sessions cross the network in the clear",
            "Put a proxy before it that ends https and sets X-Forwarded-Proto, and set kiok.web.tls to true",
        )
    if "*" in config.web_allowed_hosts:
        yield Found(
            Risk.WEB_ALLOWED_HOSTS,
            "kiok.web.allowed.hosts has *, so that the service answers under any name that is made to lead to it",
            "Name the hosts under which browsers reach the service, such as kiok.example.com",
        )
    if origins := [origin for origin in config.web_trusted_origins if origin.startswith("http:")]:
        yield Found(
            Risk.WEB_TRUSTED_ORIGINS,
            f"kiok.web.trusted.origins has {', '.join(origins)}, whose pages anybody on their way can alter",
            "Write https:// origins",
        )
    if protocols := [name for name in INSECURE_PROTOCOLS if name in config.gitsync_allow_protocols]:
        yield Found(
            Risk.GITSYNC_ALLOW_PROTOCOLS,
            f"kiok.gitsync.allow.protocols has {', '.join(protocols)}, by which DAGs come unencrypted, or from files of "
            "this machine",
            "Set it to https, ssh",
        )
    if config.mail_host and config.mail_tls == "none" and not _is_loopback(config.mail_host):
        yield Found(
            Risk.MAIL_TLS,
            f"kiok.mail.tls is none while kiok.mail.host is {config.mail_host}, so that notices and the password cross the "
            "network in the clear",
            "Set it to starttls or tls",
        )
    if _is_open_engine(environ):
        yield Found(
            Risk.DOCKER_HOST,
            f"DOCKER_HOST={_shown(environ['DOCKER_HOST'])} is an engine over the network without DOCKER_TLS_VERIFY: who "
            "reaches it is root there",
            "Have the engine ask for client certificates, and set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH",
        )


def judge(config: Properties, environ: Mapping[str, str]) -> list[Found]:
    """The risks that are there and allowed. Raises ConfigurationError with all that are there and not."""
    risks = list(found(config, environ))
    if refused := [one for one in risks if one.risk not in config.allow_insecure]:
        raise ConfigurationError(
            "\n".join(
                f"{one.what}. {one.remedy}; if you insist, add {one.risk} to kiok.allow.insecure"
                for one in refused
            )
        )
    return risks


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_open_engine(environ: Mapping[str, str]) -> bool:
    """Whether the workers' engine is one over the network that anybody may use; over ssh it is not."""
    scheme, _, rest = environ.get("DOCKER_HOST", "").partition("://")
    if scheme.lower() not in ("tcp", "http", "https") or environ.get("DOCKER_TLS_VERIFY"):
        return False
    try:
        return not _is_loopback(urlsplit(f"//{rest}").hostname or "")
    except ValueError:
        return True


def _shown(text: str) -> str:
    return repr(text[:100])[1:-1]
