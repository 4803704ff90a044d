"""A real PgBouncer before a PostgreSQL on a unix socket, on a socket of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from kiok.server import embedded, postgresql_programs

PORT = 6432


@dataclass(frozen=True)
class PgBouncer:
    """`folder` has its socket, its configuration and its log."""

    folder: Path

    def url(self, database: str) -> str:
        return f"postgresql://{embedded.USER}@:{PORT}/{database}?host={self.folder}"


@contextmanager
def pgbouncer(server: str, **settings: str | int) -> Iterator[PgBouncer]:
    """One before the server whose socket is in the folder `server`, with these settings of pgbouncer(5)."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    assert program, "pgbouncer is missing; scripts/system.sh tests installs it"
    with tempfile.TemporaryDirectory(
        prefix="kiok-pgbouncer-", dir="/tmp"
    ) as folder:  # a socket's path is short
        pooler = PgBouncer(Path(folder))
        lines = {"listen_port": PORT, "unix_socket_dir": folder, "auth_type": "any", **settings}
        configuration = pooler.folder / "pgbouncer.ini"
        configuration.write_text(
            f"[databases]\n* = host={server} user={embedded.USER}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in lines.items())
        )
        with (pooler.folder / "log").open("wb") as log:
            # Nor does it run as root: it is made to believe what the server is.
            process = subprocess.Popen(
                [*postgresql_programs.as_other_than_root(), program, str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            _wait(pooler, process)
            yield pooler
        finally:
            process.kill()
            process.wait()


def _wait(pooler: PgBouncer, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 180
    while True:
        try:
            psycopg.connect(pooler.url("pgbouncer"), autocommit=True).close()
            return
        except psycopg.OperationalError:
            output = (pooler.folder / "log").read_text()
            assert process.poll() is None, output
            assert time.monotonic() < until, output
        time.sleep(0.05)
