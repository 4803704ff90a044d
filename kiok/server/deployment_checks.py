"""What a deployment must not be configured as, unless its operator says so by name.

A deployment is what has a `DATABASE_URL` of its own. With the embedded database the service is for one machine and one
operator, who is trying it out or developing: there nothing is judged.

A risk that is found stops the start of every process. `kiok.allow.insecure` names those that are meant.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kiok.server import database_url, keys, open_files
from kiok.server.errors import ConfigurationError

if TYPE_CHECKING:
    from kiok.server.properties import Properties

INSECURE_PROTOCOLS = ("http", "git", "file")
ENCRYPTED = ("require", "verify-ca", "verify-full")
"""Of libpq's values for `sslmode`: with the others, `prefer` being the default, it goes on without TLS."""
WIDEST_NETWORK = {4: 8, 6: 7}
"""Bits of the prefix of the largest private network, by version of the protocol: 10.0.0.0/8 and fc00::/7."""


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
    GITSYNC_ALLOW_PRIVATE_HOSTS = "gitsync.allow.private.hosts"
    """Whoever may add a repository reaches every address of the inner network by it."""
    DATABASE_TLS = "database.tls"
    """All that is stored, and the database's password, cross the network in the clear."""
    REDIS_TLS = "redis.tls"
    """The queue, and the password of Redis, cross the network in the clear."""
    MAIL_TLS = "mail.tls"
    """Notices, and the mail server's password, cross the network in the clear."""
    DOCKER_HOST = "docker.host"
    """Whoever reaches the engine's port is root where it runs, and whoever stands in between is the engine."""
    SANDBOX_LIMITS = "sandbox.limits"
    """A DAG file that is compiled can use up the memory or the processes of the engine's machine.

    Not found at the start but when a container is used (`compilers.sandbox.session`), with the embedded database, too."""
    DJANGO_SECRET_KEY = "django.secret.key"  # noqa: S105 - a name
    """Whoever guesses the key makes sessions of any user, and tasks for the workers."""
    MASTER_KEY = "master.key"
    """Whoever guesses the key reads every stored credential out of the database or a backup."""
    SECRET_FILES = "secret.files"  # noqa: S105 - a name
    """Every user of the machine reads a secret of the service, or replaces it."""


@dataclass(frozen=True, slots=True)
class Issue:
    """A risk that is there: what is set, and what to set instead."""

    risk: Risk
    what: str
    remedy: str


def judge(config: Properties, environ: Mapping[str, str]) -> list[Issue]:
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


def found(config: Properties, environ: Mapping[str, str]) -> Iterator[Issue]:
    """Every risk of a deployment with these properties and this environment. Raises ConfigurationError."""
    for look in _LOOKS:
        yield from look(config, environ)


def _web(config: Properties, _environ: Mapping[str, str]) -> Iterator[Issue]:
    if not config.web_tls and not _is_loopback(config.web_host):
        yield Issue(
            Risk.WEB_TLS,
            f"kiok.web.tls is false while the web server listens on {config.web_host} (kiok.web.host), so that passwords "
            "and sessions cross the network in the clear",
            "Put a proxy before it that ends https and sets X-Forwarded-Proto, and set kiok.web.tls to true",
        )
    if "*" in config.web_allowed_hosts:
        yield Issue(
            Risk.WEB_ALLOWED_HOSTS,
            "kiok.web.allowed.hosts has *, so that the service answers under any name that is made to lead to it",
            "Name the hosts under which browsers reach the service, such as kiok.example.com",
        )
    if origins := [origin for origin in config.web_trusted_origins if origin.startswith("http:")]:
        yield Issue(
            Risk.WEB_TRUSTED_ORIGINS,
            f"kiok.web.trusted.origins has {', '.join(origins)}, whose pages anybody on their way can alter",
            "Write https:// origins",
        )


def _git(config: Properties, _environ: Mapping[str, str]) -> Iterator[Issue]:
    if protocols := [name for name in INSECURE_PROTOCOLS if name in config.gitsync_allow_protocols]:
        yield Issue(
            Risk.GITSYNC_ALLOW_PROTOCOLS,
            f"kiok.gitsync.allow.protocols has {', '.join(protocols)}, by which DAGs come unencrypted, or from files of "
            "this machine",
            "Set it to https, ssh",
        )
    if networks := [one for one in config.gitsync_allow_private_hosts if _is_wide(one)]:
        yield Issue(
            Risk.GITSYNC_ALLOW_PRIVATE_HOSTS,
            f"kiok.gitsync.allow.private.hosts has {', '.join(networks)}, so that whoever may add a repository reaches "
            "every address of the inner network",
            "Name the git servers, or their network",
        )


def _services(config: Properties, environ: Mapping[str, str]) -> Iterator[Issue]:
    if host := _open_database(environ):
        yield Issue(
            Risk.DATABASE_TLS,
            f"DATABASE_URL leads to {_shown(host)} without an sslmode that demands TLS, so that all that is stored may "
            "cross the network in the clear",
            "Add sslmode=verify-full and sslrootcert=FILE to its query, or sslmode=require at the least",
        )
    if host := _open_redis(config, environ):
        yield Issue(
            Risk.REDIS_TLS,
            f"{keys.REDIS_URL} leads to {_shown(host)} by redis://, so that the queue and the password cross the network in "
            "the clear",
            "Have Redis offer TLS, and write rediss://",
        )
    if config.mail_host and config.mail_tls == "none" and not _is_loopback(config.mail_host):
        yield Issue(
            Risk.MAIL_TLS,
            f"kiok.mail.tls is none while kiok.mail.host is {config.mail_host}, so that notices and the password cross the "
            "network in the clear",
            "Set it to starttls or tls",
        )
    if _is_open_engine(environ):
        yield Issue(
            Risk.DOCKER_HOST,
            f"DOCKER_HOST={_shown(environ['DOCKER_HOST'])} is an engine over the network without DOCKER_TLS_VERIFY: who "
            "reaches it is root there",
            "Have the engine ask for client certificates, and set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH",
        )


def _secrets(_config: Properties, environ: Mapping[str, str]) -> Iterator[Issue]:
    given = keys.from_environment("DJANGO_SECRET_KEY", environ)
    if weakness := keys.weakness(given, least=keys.MIN_SECRET_KEY_CHARACTERS):
        yield Issue(
            Risk.DJANGO_SECRET_KEY,
            f"DJANGO_SECRET_KEY {weakness}, so that it can be guessed, and with it sessions made",
            "Make one with `openssl rand -base64 48`; everybody logs in again",
        )
    # One that is too short is refused wherever it would be used, and cannot be allowed.
    if weakness := keys.weakness(keys.from_environment("KIOK_MASTER_KEY", environ)):
        yield Issue(
            Risk.MASTER_KEY,
            f"KIOK_MASTER_KEY {weakness}, so that it can be guessed, and with it every stored credential read",
            "Make one with `openssl rand -base64 48`, and bring what is stored under it with `manage.py rotate_master_key`, "
            "for which this risk has to be allowed once",
        )
    if loose := [
        f"{name}={_shown(str(path))} ({mode:04o})" for name, path, mode in open_files.among(environ)
    ]:
        yield Issue(
            Risk.SECRET_FILES,
            f"every user of this machine can read or replace the secrets in {', '.join(loose)}",
            "`chmod 0400` them as files of the service's user, or close a folder above them",
        )


_LOOKS: tuple[Callable[[Properties, Mapping[str, str]], Iterator[Issue]], ...] = (
    _web,
    _git,
    _services,
    _secrets,
)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_wide(host: str) -> bool:
    """Whether it is a network that is larger than any private one."""
    try:
        network = ipaddress.ip_network(host)
    except ValueError:
        return False  # a name
    return network.prefixlen < WIDEST_NETWORK[network.version]


def _open_database(environ: Mapping[str, str]) -> str:
    """The host of the database, where it is another and TLS is not demanded; else "".

    What the url leaves open libpq takes from its own variables.
    """
    if not (url := keys.from_environment("DATABASE_URL", environ)):
        return ""
    given = database_url.parse(url)
    options = given["OPTIONS"]
    if (options.get("sslmode") or environ.get("PGSSLMODE")) in ENCRYPTED or options.get(
        "gssencmode"
    ) == "require":
        return ""
    hosts = str(given["HOST"] or environ.get("PGHOST", "")).split(",")
    return next((host for host in hosts if host and host[0] not in "/@" and not _is_loopback(host)), "")


def _open_redis(config: Properties, environ: Mapping[str, str]) -> str:
    """The host of the Redis, where it is another and its url is without TLS; else ""."""
    parts = urlsplit(keys.redis_url(environ, config.broker) or "")
    return parts.hostname or "" if parts.scheme == "redis" and not _is_loopback(parts.hostname or "") else ""


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
