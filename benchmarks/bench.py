"""The environment of the cases: a folder, an embedded PostgreSQL, a git daemon, workers, and progress messages.

The database is durable like that of the service: a commit waits for the disk.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console

from benchmarks.served import Served
from benchmarks.worker import Worker
from kiok.server import embedded
from tests.support.servers.daemon import GitDaemon

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "build" / "bench"
_TEMPLATE = "bench_template"


@dataclass
class Bench:
    """The environment of a case. `quick` makes all workloads small, which tests the benchmarks and measures nothing."""

    folder: Path
    console: Console
    daemon: GitDaemon
    quick: bool = False
    max_runs: int | None = None
    with_airflow: bool = True
    keep_profile: bool = False
    _case: str = ""
    _named: set[str] = field(default_factory=set)

    def enter(self, case: str) -> None:
        self._case = case

    def say(self, text: str) -> None:
        """Print a progress message with the name of the case."""
        self.console.print(f"[dim]{self._case}:[/] {text}", highlight=False, soft_wrap=True)

    def size(self, wanted: int) -> int:
        """Return the number of files or repositories to use."""
        return max(3, wanted // 20) if self.quick else wanted

    def runs(self, wanted: int) -> int:
        """Return the number of measurements, without warm-up runs."""
        return min(wanted, 2 if self.quick else self.max_runs or wanted)

    def serve(self) -> Served:
        """Create a new repository."""
        name = f"{secrets.token_hex(4)}.git"
        return Served(self.folder / "served" / name, self.daemon.url(name))

    def new_database(self, template: str = "template1") -> str:
        """Create a new database from `template` and return its name."""
        name = f"bench_{secrets.token_hex(6)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def database_url(self, database: str, scheme: str = "postgresql") -> str:
        plain = embedded.url(self.folder / "data")
        return plain.replace(f"/{embedded.DATABASE}?", f"/{database}?").replace("postgresql:", f"{scheme}:")

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection in autocommit mode that does not use Django."""
        return psycopg.connect(self.database_url(database), autocommit=True)

    @contextlib.contextmanager
    def worker(self, **properties: object) -> Iterator[Worker]:
        """Start a process that syncs, with its own database.

        `properties` are named like in the environment, without KIOK_: `SANDBOX_POOL_SIZE=0`.
        """
        database = self.new_database(_TEMPLATE)
        with Worker(self.environment(database, **properties), ROOT, database) as worker:
            yield worker

    def environment(self, database: str, **properties: object) -> dict[str, str]:
        """Return the environment of a process of the service on that database."""
        ours = {
            "KIOK_BASE_DATA_DIR": str(self.folder / "of" / database),
            "KIOK_GITSYNC_ALLOW_PROTOCOLS": "file, git",
            "KIOK_ALLOW_INSECURE": "gitsync.allow.protocols",
            "KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS": "127.0.0.1,localhost",
            "KIOK_MASTER_KEY": "a master key that only the benchmarks use",
            "KIOK_LOG_LEVEL": "WARNING",
            "DATABASE_URL": self.database_url(database),
            "DJANGO_SETTINGS_MODULE": "kiok.server.settings",
            "PYTHONPATH": str(ROOT),
        }
        for image in ("PYTHON", "JAVA"):
            # Images that scripts/images.sh built under other names.
            if tag := os.environ.get(f"KIOK_IMAGE_{image}"):
                ours[f"KIOK_SANDBOX_IMAGE_{image}"] = tag
        ours |= {f"KIOK_{name}": str(value) for name, value in properties.items()}
        kept = {name: value for name, value in os.environ.items() if _is_kept(name)}
        return kept | ours

    def migrate(self) -> None:
        """Create the template from which databases are copied."""
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {_TEMPLATE}")
        with Worker(self.environment(_TEMPLATE), ROOT, _TEMPLATE) as worker:
            worker.ask("migrate")


def _is_kept(name: str) -> bool:
    """Return whether a variable is kept. The user's settings must not change the figures, except those of the sandbox."""
    return name.startswith("KIOK_SANDBOX_") or not name.startswith(
        ("KIOK_", "DATABASE_URL", "DJANGO_", "GIT_")
    )


@contextlib.contextmanager
def prepared(console: Console, **options: Any) -> Iterator[Bench]:
    """Start all that a bench needs, and stop and remove it at the end. `options` are fields of `Bench`."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=OUTPUT))
    try:
        (folder / "served").mkdir()
        embedded.ensure(folder / "data")
        with GitDaemon(folder / "served") as daemon:
            bench = Bench(folder, console, daemon, **options)
            bench.migrate()
            yield bench
    finally:
        embedded.release(folder / "data")
        shutil.rmtree(folder, ignore_errors=True)
