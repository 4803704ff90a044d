"""Messages for errors that stop a command: what went wrong, and what to do.

They cover what operators can fix: a database that is down or has another version, a wrong key, a missing file. Any other
error is a defect, and its traceback says more.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DjangoDatabaseError

from kiok.errors import KiokError
from kiok.server.errors import ConfigurationError
from kiok.server.logging.masking import line

FAILED = 1
MISCONFIGURED = 2
INTERRUPTED = 130  # the exit status that shells give a process ended by SIGINT (128 + 2)
MAX_CHARACTERS = 500

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_UNREACHABLE = (
    "Start it, or correct DATABASE_URL (host, port, name, user, password); `manage.py doctor` checks again"
)
_OLD_TABLES = "Run `manage.py migrate`, which updates the tables to this version"
_LARGER_POOL = "Raise default_pool_size and max_client_conn in the pooler, or start fewer processes"
# PgBouncer's messages. Their SQLSTATE says only "protocol violation".
_POOLER_LIMITS = ("query_wait_timeout", "no more connections allowed")
# By prefix of the SQLSTATE, longer prefixes first (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_REMEDIES = {
    "42P01": _OLD_TABLES,
    "42703": _OLD_TABLES,
    "3F000": _OLD_TABLES,
    "42501": "Make the user of DATABASE_URL the owner of the database and its tables",
    "25006": "Set DATABASE_URL to the primary: a standby is read-only",
    "53100": "Free disk space on the database server, and start again",
    "53300": "Raise max_connections on the database server, or start fewer processes",
    "53": "Give the database server the missing resource, and start again",
    "08": _UNREACHABLE,
    "28": _UNREACHABLE,
    "3D": _UNREACHABLE,
    "57P": _UNREACHABLE,
    "40": "Start again: another transaction changed the same rows",
    "55P03": "Start again when the session that locks the table has finished",
    "57014": "Start again; the statement took longer than the server allows (statement_timeout)",
}


@dataclass(frozen=True, slots=True)
class CommandFailure:
    """Message of a failed command, a line for each problem, and its exit status."""

    words: tuple[str, ...]
    status: int


def told(exc: BaseException) -> CommandFailure | None:
    """Return the message for an error that the operator can fix; None for a defect."""
    if isinstance(exc, ConfigurationError):
        return CommandFailure(tuple(str(exc).splitlines()), MISCONFIGURED)
    if isinstance(exc, KeyboardInterrupt):
        return CommandFailure(("interrupted",), INTERRUPTED)
    if isinstance(exc, (DjangoDatabaseError, psycopg.Error)):
        words = _of_database(exc)
        return CommandFailure((words,), FAILED) if words else None
    if isinstance(exc, KiokError):
        return CommandFailure((_short(str(exc)),), FAILED)
    if isinstance(exc, ImproperlyConfigured):
        return CommandFailure((_short(str(exc)),), MISCONFIGURED)
    if isinstance(exc, OSError):
        return _of_system(exc)
    return None


def _of_system(exc: OSError) -> CommandFailure | None:
    """Return the message for an error of the operating system; None if only a defect can cause it."""
    where = f"{exc.filename}: " if exc.filename is not None else ""
    if exc.errno in _NO_ROOM:
        return CommandFailure(
            (_short(f"{where}{exc.strerror}. Free space on that disk, and start again"),), FAILED
        )
    if "No usable temporary directory" in str(exc):  # from tempfile, when no folder is writable
        return CommandFailure(
            (_short(f"{exc.strerror}. Free space there, or set TMPDIR to another folder"),), FAILED
        )
    return CommandFailure((_short(f"{where}{exc.strerror}"),), FAILED) if where else None


def defect(exc: BaseException) -> CommandFailure:
    """Return the message for an error that `told` does not cover."""
    what = f"{type(exc).__name__}: {_short(str(exc))}"
    return CommandFailure(
        (f"defect in this service: {what}. The log has the traceback; add it to your bug report",), FAILED
    )


def _of_database(exc: BaseException) -> str:
    """Return the meaning of a database error and its remedy; "" if only a defect can cause it."""
    state = getattr(exc, "sqlstate", None) or getattr(exc.__cause__, "sqlstate", None)
    message = _short(str(exc).partition("\n")[0])
    if any(limit in message for limit in _POOLER_LIMITS):
        return f"the connection pooler has no connection left: {message}. {_LARGER_POOL}"
    if state is None:
        # No server answered: it is down, or it refuses connections.
        is_lost = type(exc).__name__ in ("OperationalError", "InterfaceError")
        return f"the database does not answer: {message}. {_UNREACHABLE}" if is_lost else ""
    remedy = next((remedy for start, remedy in _REMEDIES.items() if state.startswith(start)), "")
    return f"the database returned an error: {message} (SQLSTATE {state}). {remedy}" if remedy else ""


def _short(text: str) -> str:
    shown = line(text).rstrip(".")
    return shown if len(shown) <= MAX_CHARACTERS else f"{shown[:MAX_CHARACTERS]}..."
