"""The secrets of the service itself: read from the environment, or generated once.

`DATABASE_URL`, `DJANGO_SECRET_KEY`, `KIOK_MASTER_KEY`, `KIOK_REDIS_URL`, `KIOK_WEB_METRICS_TOKEN`, `KIOK_MAIL_USER`
and `KIOK_MAIL_PASSWORD` are read only from the environment, or each from the file that `<NAME>_FILE` names (container
platforms mount secrets as files). They are not properties, so no configuration file holds them and nothing prints them.

With the embedded database, a missing `DJANGO_SECRET_KEY` or `KIOK_MASTER_KEY` is generated into a file of
mode 0600 next to it. With `DATABASE_URL` the master key must be given: with a key that is stored on one
machine's disk, no other machine could read the connections of a shared database.
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
from kiok.properties.parsers import flaw_of
from kiok.server.errors import ConfigurationError

MASTER_KEY_FILE = "master.key"
SECRET_KEY_FILE = "secret.key"  # noqa: S105 - a file name
METRICS_TOKEN = "KIOK_WEB_METRICS_TOKEN"  # noqa: S105 - a variable's name
REDIS_URL = "KIOK_REDIS_URL"
# Each is read from this variable, or from the file that `<NAME>_FILE` names.
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
MIN_SECRET_KEY_CHARACTERS = 32
MIN_DISTINCT_CHARACTERS = 8  # 32 random hexadecimal digits have about 14
_REDIS_SCHEMES = ("redis", "rediss", "unix")
# Placeholders that were never replaced by a key; the first comes from Django's own project template.
_PLACEHOLDER = re.compile(
    r"insecure|change-?(me|this|it)|replace-?(me|this|with)|your-?(secret|django|master)|placeholder|not-?(so-?)?secret"
    r"|0123456789|1234567890|abcdefgh"
)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,}=*")  # characters of a bearer token (RFC 6750, 2.1)

_log = logging.getLogger(__name__)


def from_environment(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the secret `name` from the variable or from the file that `<name>_FILE` names; None if neither is set.

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
    """Return the secret stored in `path`; generate it with mode 0600 if the file does not exist.

    Safe for concurrent processes: all of them get the secret that was linked first. Its generation is logged at
    `log_level`.
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
    """Return why a key can be guessed, as the end of a sentence that begins with its name; "" if it seems strong.

    `least`: the required number of characters.
    """
    if key is None:
        return ""
    if len(key) < least:
        return f"has {len(key)} characters, fewer than {least}"
    if len(set(key)) < MIN_DISTINCT_CHARACTERS:
        return f"has only {len(set(key))} different characters"
    if _PLACEHOLDER.search(re.sub("[ _.]", "-", key.lower())):
        return "is a placeholder from an example"
    return ""


def secret_key(environ: Mapping[str, str], data_dir: Path) -> str:
    """Return Django's signing key: the given one, else a generated one. Raises ConfigurationError."""
    given = from_environment("DJANGO_SECRET_KEY", environ)
    return _kept_out_of_logs(given or generated(data_dir / SECRET_KEY_FILE, logging.INFO))


def master_key(environ: Mapping[str, str], data_dir: Path, *, embedded: bool) -> str | None:
    """Return the key that wraps the connections' data keys; None if it is required but not given.

    Raises ConfigurationError.
    """
    given = from_environment("KIOK_MASTER_KEY", environ)
    if not given and not embedded:
        return None
    # Logged as a warning: without this file, stored connections are lost.
    return _kept_out_of_logs(given or generated(data_dir / MASTER_KEY_FILE, logging.WARNING))


def metrics_token(environ: Mapping[str, str]) -> str | None:
    """Return the bearer token for `/metrics`; None if it is not given. Raises ConfigurationError."""
    given = from_environment(METRICS_TOKEN, environ)
    if given is None:
        return None
    if not _TOKEN.fullmatch(given):
        raise ConfigurationError(
            f"{METRICS_TOKEN}: not a bearer token of 16 or more characters A-Z, a-z, 0-9 and -._~+/ (value not shown); "
            "generate one with `openssl rand -hex 32`"
        )
    return _kept_out_of_logs(given)


def redis_url(environ: Mapping[str, str], broker: str) -> str | None:
    """Return the URL of the Redis broker; None unless `broker` is `redis`. Raises ConfigurationError."""
    if broker != "redis":
        return None
    given = from_environment(REDIS_URL, environ)
    if given is None:
        raise ConfigurationError(
            f"kiok.broker is redis, but {REDIS_URL} is not set; set it (or {REDIS_URL}_FILE) to "
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
            f"{REDIS_URL}: not a Redis URL (value not shown); allowed: redis://[user:password@]host[:port][/number], "
            "rediss:// for TLS, unix://path"
        )
    if password:
        redaction.register([password, unquote(password)])
    return given


def mail_login(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the user and password for the mail server, "" if not given. Raises ConfigurationError."""
    user, password = (
        from_environment(name, environ) or "" for name in ("KIOK_MAIL_USER", "KIOK_MAIL_PASSWORD")
    )
    if password and not user:
        raise ConfigurationError("KIOK_MAIL_PASSWORD is set, but KIOK_MAIL_USER is not; set both or neither")
    return user, _kept_out_of_logs(password) if password else ""


def _kept_out_of_logs(key: str) -> str:
    redaction.register([key])
    return key
