"""Deployment checks: insecure settings that stop the start unless the operator accepts them by name.

An installation with a `DATABASE_URL` of its own counts as a deployment. With the embedded database nothing is checked:
there the service runs on one machine for one operator, who is trying it out or developing.

Every process refuses to start while a risk is found. `kiok.allow.insecure` names the risks to accept.
"""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from kiok.checks import CheckResult, CheckStatus
from kiok.properties.risk import Risk
from kiok.properties.values import Properties
from kiok.server import database_url, keys
from kiok.server.errors import ConfigurationError

INSECURE_PROTOCOLS = ("http", "git", "file")
# The values of libpq's `sslmode` that require TLS. With the others (default: `prefer`) libpq may connect without it.
ENCRYPTED = ("require", "verify-ca", "verify-full")
WIDEST_NETWORK = {
    4: 8,
    6: 7,
}  # prefix bits of the largest private network, by IP version: 10.0.0.0/8 and fc00::/7
_READ_OR_WRITE = stat.S_IROTH | stat.S_IWOTH


def judge(config: Properties, environ: Mapping[str, str]) -> list[CheckResult]:
    """Return the risks that are found and accepted. Raises ConfigurationError with all that are not accepted."""
    risks = list(found(config, environ))
    if refused := [one for one in risks if one.name not in config.allow_insecure]:
        raise ConfigurationError(
            "\n".join(
                f"{one.detail}. {one.remedy}. To accept the risk, add {one.name} to kiok.allow.insecure"
                for one in refused
            )
        )
    return risks


def found(config: Properties, environ: Mapping[str, str]) -> Iterator[CheckResult]:
    """Yield every risk of a deployment with these properties and this environment. Raises ConfigurationError."""
    for look in _LOOKS:
        yield from look(config, environ)


def _web(config: Properties, _environ: Mapping[str, str]) -> Iterator[CheckResult]:
    if not config.web_tls and not _is_loopback(config.web_host):
        yield CheckResult(
            Risk.WEB_TLS,
            CheckStatus.FAIL,
            f"kiok.web.tls is false and the web server listens on {config.web_host} (kiok.web.host), so passwords and "
            "sessions cross the network unencrypted",
            "Put a proxy in front of it that terminates TLS and sets X-Forwarded-Proto, and set kiok.web.tls to true",
        )
    if "*" in config.web_allowed_hosts:
        yield CheckResult(
            Risk.WEB_ALLOWED_HOSTS,
            CheckStatus.FAIL,
            "kiok.web.allowed.hosts contains *, so the service answers under any host name that resolves to it",
            "List the host names under which browsers reach the service, such as kiok.example.com",
        )
    if origins := [origin for origin in config.web_trusted_origins if origin.startswith("http:")]:
        yield CheckResult(
            Risk.WEB_TRUSTED_ORIGINS,
            CheckStatus.FAIL,
            f"kiok.web.trusted.origins contains {', '.join(origins)}, whose pages can be altered in transit",
            "Use https:// origins",
        )


def _git(config: Properties, _environ: Mapping[str, str]) -> Iterator[CheckResult]:
    if protocols := [name for name in INSECURE_PROTOCOLS if name in config.gitsync_allow_protocols]:
        yield CheckResult(
            Risk.GITSYNC_ALLOW_PROTOCOLS,
            CheckStatus.FAIL,
            f"kiok.gitsync.allow.protocols contains {', '.join(protocols)}, so DAGs may be fetched unencrypted, or from "
            "files of this machine",
            "Set it to https, ssh",
        )
    if networks := [one for one in config.gitsync_allow_private_hosts if _is_wide(one)]:
        yield CheckResult(
            Risk.GITSYNC_ALLOW_PRIVATE_HOSTS,
            CheckStatus.FAIL,
            f"kiok.gitsync.allow.private.hosts contains {', '.join(networks)}, so every user who may add a repository can "
            "reach every address of the internal network",
            "List the git servers, or their network",
        )


def _services(config: Properties, environ: Mapping[str, str]) -> Iterator[CheckResult]:
    if host := _open_database(environ):
        yield CheckResult(
            Risk.DATABASE_TLS,
            CheckStatus.FAIL,
            f"DATABASE_URL points to {_shown(host)} without an sslmode that requires TLS, so all stored data may cross the "
            "network unencrypted",
            "Add sslmode=verify-full and sslrootcert=FILE to its query, or at least sslmode=require",
        )
    if host := _open_redis(config, environ):
        yield CheckResult(
            Risk.REDIS_TLS,
            CheckStatus.FAIL,
            f"{keys.REDIS_URL} connects to {_shown(host)} by redis://, so the queue and the password cross the network "
            "unencrypted",
            "Enable TLS in Redis, and use rediss://",
        )
    if config.mail_host and config.mail_tls == "none" and not _is_loopback(config.mail_host):
        yield CheckResult(
            Risk.MAIL_TLS,
            CheckStatus.FAIL,
            f"kiok.mail.tls is none and kiok.mail.host is {config.mail_host}, so notifications and the password cross the "
            "network unencrypted",
            "Set it to starttls or tls",
        )
    if _is_open_engine(environ):
        yield CheckResult(
            Risk.DOCKER_HOST,
            CheckStatus.FAIL,
            f"DOCKER_HOST={_shown(environ['DOCKER_HOST'])} is reached over the network without DOCKER_TLS_VERIFY, so every "
            "client that reaches it is root on its host",
            "Have the engine require client certificates, and set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH",
        )


def _secrets(_config: Properties, environ: Mapping[str, str]) -> Iterator[CheckResult]:
    given = keys.from_environment("DJANGO_SECRET_KEY", environ)
    if weakness := keys.weakness(given, least=keys.MIN_SECRET_KEY_CHARACTERS):
        yield CheckResult(
            Risk.DJANGO_SECRET_KEY,
            CheckStatus.FAIL,
            f"DJANGO_SECRET_KEY {weakness}, so an attacker can guess it and forge sessions",
            "Generate one with `openssl rand -base64 48`; all users have to log in again",
        )
    # A master key that is too short is refused wherever it is used, and cannot be accepted here.
    if weakness := keys.weakness(keys.from_environment("KIOK_MASTER_KEY", environ)):
        yield CheckResult(
            Risk.MASTER_KEY,
            CheckStatus.FAIL,
            f"KIOK_MASTER_KEY {weakness}, so an attacker can guess it and read every stored credential",
            "Generate one with `openssl rand -base64 48`, and re-encrypt the stored data keys with "
            "`manage.py rotate_master_key`, for which this risk has to be accepted once",
        )
    if loose := [
        f"{name}={_shown(str(path))} ({mode:04o})" for name, path, mode in _open_secret_files(environ)
    ]:
        yield CheckResult(
            Risk.SECRET_FILES,
            CheckStatus.FAIL,
            f"every user of this machine can read or replace the secrets in {', '.join(loose)}",
            "Make the service's user the owner and `chmod 0400` them, or deny other users a folder above them",
        )


_LOOKS: tuple[Callable[[Properties, Mapping[str, str]], Iterator[CheckResult]], ...] = (
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
    """Return whether it is a network that is larger than any private one."""
    try:
        network = ipaddress.ip_network(host)
    except ValueError:
        return False  # a name
    return network.prefixlen < WIDEST_NETWORK[network.version]


def _open_database(environ: Mapping[str, str]) -> str:
    """Return the host of a remote database that is used without required TLS; else "".

    libpq takes options that the URL does not set from its own environment variables.
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
    """Return the host of a remote Redis whose URL is without TLS; else ""."""
    parts = urlsplit(keys.redis_url(environ, config.broker) or "")
    return parts.hostname or "" if parts.scheme == "redis" and not _is_loopback(parts.hostname or "") else ""


def _is_open_engine(environ: Mapping[str, str]) -> bool:
    """Return whether the workers reach the engine over the network without authentication; ssh authenticates."""
    scheme, _, rest = environ.get("DOCKER_HOST", "").partition("://")
    if scheme.lower() not in ("tcp", "http", "https") or environ.get("DOCKER_TLS_VERIFY"):
        return False
    try:
        return not _is_loopback(urlsplit(f"//{rest}").hostname or "")
    except ValueError:
        return True


def _shown(text: str) -> str:
    return repr(text[:100])[1:-1]


def _open_secret_files(environ: Mapping[str, str]) -> Iterator[tuple[str, Path, int]]:
    """Yield the files of `<NAME>_FILE` variables that other users can read or write: variable, path, mode."""
    for name in keys.SECRETS:
        variable = f"{name}_FILE"
        if not environ.get(variable):
            continue
        path = Path(environ[variable])
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & _READ_OR_WRITE and not _is_mounted(path) and _is_reachable(path):
                yield variable, path, mode
        except OSError:
            continue  # the code that reads the secret reports it


def _is_mounted(path: Path) -> bool:
    """Return whether a container platform mounts the file or its folder: it controls the mode and the users."""
    return os.path.ismount(path) or os.path.ismount(path.parent)


def _is_reachable(path: Path) -> bool:
    """Return whether other users can reach the file: no parent folder denies them access."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)
