"""What stops a command, in words: what went wrong, and what to do.

For what an operator meets: a database that is away or of another version, a wrong key, a file that is missing. What nobody
thought of is a defect, of which a traceback tells more.
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
INTERRUPTED = 130
"""As a shell counts what SIGINT ended."""
MAX_CHARACTERS = 500

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_UNREACHABLE = (
    "Start it, or correct DATABASE_URL (host, port, name, user, password); `manage.py doctor` asks again"
)
_OLD_TABLES = "Run `manage.py migrate`, which brings the tables to this version"
_LARGER_POOL = "Raise default_pool_size and max_client_conn there, or start fewer processes"
# PgBouncer's words. By SQLSTATE they are errors of its protocol.
_POOLER_LIMITS = ("query_wait_timeout", "no more connections allowed")
# By the beginning of an SQLSTATE, the longer first (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_REMEDIES = {
    "42P01": _OLD_TABLES,
    "42703": _OLD_TABLES,
    "3F000": _OLD_TABLES,
    "42501": "Have the user of DATABASE_URL own the database and its tables",
    "25006": "Name the primary in DATABASE_URL: a standby takes no writes",
    "53100": "Make room on the disk of the database's server, and start again",
    "53300": "Allow it more connections (max_connections), or start fewer processes",
    "53": "Give the database's server what it lacks, and start again",
    "08": _UNREACHABLE,
    "28": _UNREACHABLE,
    "3D": _UNREACHABLE,
    "57P": _UNREACHABLE,
    "40": "Start again: others worked on the same rows",
    "55P03": "Start again when whoever locks the table is done",
    "57014": "Start again; it took longer than the server allows (statement_timeout)",
}


@dataclass(frozen=True, slots=True)
class CommandFailure:
    """What to say, a line for each problem, and the exit status."""

    words: tuple[str, ...]
    status: int


def told(exc: BaseException) -> CommandFailure | None:
    """What an operator is told; None for what is a defect."""
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
    """What the operating system refused; None for what only a defect can cause."""
    where = f"{exc.filename}: " if exc.filename is not None else ""
    if exc.errno in _NO_ROOM:
        return CommandFailure(
            (_short(f"{where}{exc.strerror}. Make room on that disk, and start again"),), FAILED
        )
    if "No usable temporary directory" in str(exc):  # of tempfile, where none takes a file
        return CommandFailure(
            (_short(f"{exc.strerror}. Make room there, or name another place (TMPDIR)"),), FAILED
        )
    return CommandFailure((_short(f"{where}{exc.strerror}"),), FAILED) if where else None


def defect(exc: BaseException) -> CommandFailure:
    """What is told of what `told` knows nothing of."""
    what = f"{type(exc).__name__}: {_short(str(exc))}"
    return CommandFailure(
        (f"a defect of this service, {what}. The log has the traceback, which a report needs",), FAILED
    )


def _of_database(exc: BaseException) -> str:
    """What a database's error means; "" for one that only a defect can cause."""
    state = getattr(exc, "sqlstate", None) or getattr(exc.__cause__, "sqlstate", None)
    said = _short(str(exc).partition("\n")[0])
    if any(limit in said for limit in _POOLER_LIMITS):
        return f"the pooler before the database has no connection left: {said}. {_LARGER_POOL}"
    if state is None:
        # No answer came from a server: it is not there, or lets nobody in.
        is_lost = type(exc).__name__ in ("OperationalError", "InterfaceError")
        return f"the database does not answer: {said}. {_UNREACHABLE}" if is_lost else ""
    remedy = next((remedy for start, remedy in _REMEDIES.items() if state.startswith(start)), "")
    return f"the database refused: {said} (SQLSTATE {state}). {remedy}" if remedy else ""


def _short(text: str) -> str:
    shown = line(text).rstrip(".")
    return shown if len(shown) <= MAX_CHARACTERS else f"{shown[:MAX_CHARACTERS]}..."
