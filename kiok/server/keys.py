"""The secrets the platform itself needs: read from the environment, or made once.

`DATABASE_URL`, `DJANGO_SECRET_KEY`, `KIOK_MASTER_KEY`, `KIOK_REDIS_URL`, `KIOK_WEB_METRICS_TOKEN`, `KIOK_MAIL_USER`
and `KIOK_MAIL_PASSWORD` are read from the environment only, or, for each, from the file that `<NAME>_FILE` names (as
container platforms mount secrets). They are no properties, so that no configuration file holds them and nothing prints
them.

With the embedded database, a missing `DJANGO_SECRET_KEY` or `KIOK_MASTER_KEY` is generated into a file of
mode 0600 next to it. With `DATABASE_URL` the master key must be given: a key that lives on one
machine's disk would leave what is stored in a shared database unreadable from anywhere else.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kiok.connections import redaction
from kiok.folders import make_private
from kiok.server.errors import ConfigurationError
from kiok.server.parsers import flaw_of

MASTER_KEY_FILE = "master.key"
SECRET_KEY_FILE = "secret.key"  # noqa: S105 - a file name
METRICS_TOKEN = "KIOK_WEB_METRICS_TOKEN"  # noqa: S105 - a variable's name
REDIS_URL = "KIOK_REDIS_URL"
SECRETS = (
    *(
        "DATABASE_URL",
        "DJANGO_SECRET_KEY",
        "KIOK_MASTER_KEY",
        "KIOK_NEW_MASTER_KEY",
        METRICS_TOKEN,
        REDIS_URL,
    ),
    *("KIOK_MAIL_USER", "KIOK_MAIL_PASSWORD"),
)
"""Each is read from this variable, or from the file that `<NAME>_FILE` names."""
MIN_SECRET_KEY_CHARACTERS = 32
MIN_DISTINCT_CHARACTERS = 8
"""Even of 32 random hexadecimal digits some 14 differ."""
_REDIS_SCHEMES = ("redis", "rediss", "unix")
# What stands where somebody was to put a key; the first is of Django's own template.
_PLACEHOLDER = re.compile(
    r"insecure|change-?(me|this|it)|replace-?(me|this|with)|your-?(secret|django|master)|placeholder|not-?(so-?)?secret"
    r"|0123456789|1234567890|abcdefgh"
)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,}=*")  # what a bearer token may hold (RFC 6750, 2.1)

_log = logging.getLogger(__name__)


def from_environment(name: str, environ: Mapping[str, str]) -> str | None:
    """The secret `name`, from the variable or from the file that `<name>_FILE` names; None if neither is set.

    An empty variable counts as unset. Raises ConfigurationError when both are set or the file cannot be read.
    """
    value, file = environ.get(name), environ.get(name + "_FILE")
    if value and file:
        raise ConfigurationError(f"{name} and {name}_FILE are both set; keep one")
    if not file:
        return _usable(value, name) if value else None
    try:
        value = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"{name}_FILE: cannot read {file}: {reason}") from exc
    if not value:
        raise ConfigurationError(f"{name}_FILE: {file} is empty")
    return _usable(value, f"{name}_FILE: {file}")


def _usable(value: str, source: str) -> str:
    if reason := flaw_of(value):
        raise ConfigurationError(f"{source} {reason} (value not shown); correct it")
    return value


def generated(path: Path, log_level: int) -> str:
    """The secret kept in `path`; made, with mode 0600, if it is not there yet.

    Safe when several processes come at once: all of them get the one that was linked first. Making it is
    logged at `log_level`.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    make_private(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            Path(path).hardlink_to(temporary)
            _log.log(log_level, "generated %s; keep a copy of it with your backups", path)
        except FileExistsError:
            pass
    finally:
        Path(temporary).unlink()
    return path.read_text(encoding="ascii").strip()


def weakness(key: str | None, *, least: int = 0) -> str:
    """Why a key can be guessed, as the end of a sentence that begins with its name; "" if nothing speaks for it.

    `least`: the number of characters that it has to have.
    """
    if key is None:
        return ""
    if len(key) < least:
        return f"has {len(key)} characters of {least} or more"
    if len(set(key)) < MIN_DISTINCT_CHARACTERS:
        return f"consists of {len(set(key))} different characters"
    if _PLACEHOLDER.search(re.sub("[ _.]", "-", key.lower())):
        return "is a placeholder, as examples have it"
    return ""


def secret_key(environ: Mapping[str, str], data_dir: Path) -> str:
    """Django's signing key: given, else generated. Raises ConfigurationError."""
    given = from_environment("DJANGO_SECRET_KEY", environ)
    return _kept_out_of_logs(given or generated(data_dir / SECRET_KEY_FILE, logging.INFO))


def master_key(environ: Mapping[str, str], data_dir: Path, *, embedded: bool) -> str | None:
    """The key that wraps the connections' data keys; None when it must be given and is not.

    Raises ConfigurationError.
    """
    given = from_environment("KIOK_MASTER_KEY", environ)
    if not given and not embedded:
        return None
    # Loud: without this file, stored connections are lost.
    return _kept_out_of_logs(given or generated(data_dir / MASTER_KEY_FILE, logging.WARNING))


def metrics_token(environ: Mapping[str, str]) -> str | None:
    """The bearer token that lets one read `/metrics`; None if it is not given. Raises ConfigurationError."""
    given = from_environment(METRICS_TOKEN, environ)
    if given is None:
        return None
    if not _TOKEN.fullmatch(given):
        raise ConfigurationError(
            f"{METRICS_TOKEN}: no bearer token of 16 or more of A-Z, a-z, 0-9 and -._~+/ (value not shown); "
            "make one with `openssl rand -hex 32`"
        )
    return _kept_out_of_logs(given)


def redis_url(environ: Mapping[str, str], broker: str) -> str | None:
    """Where the Redis is that wakes workers; None unless `broker` is `redis`. Raises ConfigurationError."""
    if broker != "redis":
        return None
    given = from_environment(REDIS_URL, environ)
    if given is None:
        raise ConfigurationError(
            f"kiok.broker is redis, and {REDIS_URL} is not set; set it (or {REDIS_URL}_FILE) to "
            "rediss://:password@host:6379/0, or kiok.broker to postgresql"
        )
    try:
        parts = urlsplit(given)
        well_formed = parts.scheme in _REDIS_SCHEMES and (parts.scheme == "unix" or parts.hostname)
        password = parts.password
    except ValueError:
        well_formed, password = False, None
    if not well_formed:
        raise ConfigurationError(
            f"{REDIS_URL}: no url of a Redis (value not shown); allowed: redis://[user:password@]host[:port][/number], "
            "rediss:// for TLS, unix://path"
        )
    if password:
        redaction.register([password, unquote(password)])
    return given


def mail_login(environ: Mapping[str, str]) -> tuple[str, str]:
    """User and password for the mail server, "" for those not given. Raises ConfigurationError."""
    user, password = (
        from_environment(name, environ) or "" for name in ("KIOK_MAIL_USER", "KIOK_MAIL_PASSWORD")
    )
    if password and not user:
        raise ConfigurationError("KIOK_MAIL_PASSWORD is set and KIOK_MAIL_USER is not; give both, or neither")
    return user, _kept_out_of_logs(password) if password else ""


def _kept_out_of_logs(key: str) -> str:
    redaction.register([key])
    return key
