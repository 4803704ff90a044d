"""The whole service as an operator starts it: `manage.py run`, with its own data folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import psycopg

from kiok.server import embedded
from tests.support.servers.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 240.0
STOP_SECONDS = 180.0
QUIET_SECONDS = 180.0

_UNDER_WAY = """SELECT EXISTS (SELECT FROM django_q_ormq) OR EXISTS (SELECT FROM gitsync_queuedsync)
    OR EXISTS (SELECT FROM gitsync_syncrun WHERE state = 'running')"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
# Tables that the service fills at its start, and whose rows its processes may cache.
_ITS_OWN = {
    *("auth_permission", "auth_user", "connections_datakey", "django_content_type", "django_migrations"),
    *("django_q_schedule", "gitsync_leadership", "gitsync_worker"),
}
_PASSWORD = re.compile(r"first admin: user (\S+), password (\S+)")


class Service:
    """A running service; the context's end stops it as Ctrl-C does.

    `interval_ms` is long by default, so that only what the test does starts a sync. `settings` are further variables
    of its environment.
    """

    def __init__(
        self, directory: Path, *, interval_ms: int = 600_000, settings: Mapping[str, str] | None = None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._log = directory / "service.log"
        self._data = directory / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("KIOK_") and name not in ("DATABASE_URL", "DJANGO_SECRET_KEY")
        }
        self._environment = {
            **inherited,
            "KIOK_BASE_DATA_DIR": str(self._data),
            "KIOK_WEB_PORT": str(self.port),
            "KIOK_WEB_WORKERS": "1",
            "KIOK_WORKERS": "1",
            "KIOK_GITSYNC_INTERVAL_MS": str(interval_ms),
            "KIOK_GITSYNC_ALLOW_PROTOCOLS": "https,ssh,file",
            "KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
            "PYTHONUNBUFFERED": "1",
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.seen: set[int] = set()
        self.username = self.password = ""

    def __enter__(self) -> Service:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "run"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def processes(self) -> set[int]:
        """The living processes that are this service: those that carry its data folder in their environment."""
        mark = f"KIOK_BASE_DATA_DIR={self._data}".encode()
        found = set()
        for path in Path("/proc").glob("[0-9]*"):
            try:
                mine = mark in (path / "environ").read_bytes().split(b"\0")
                state = (path / "stat").read_bytes().rpartition(b")")[2].split()[0]
            except OSError:
                continue
            if mine and state not in (b"Z", b"X"):
                found.add(int(path.name))
        self.seen |= found
        return found

    def python(self, module: str, *arguments: str) -> str:
        """Run a Python module with the service's configuration, in another process, and return its output."""
        environment = {**self._environment, "DJANGO_SETTINGS_MODULE": "kiok.server.settings"}
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True
        ).stdout

    def forget(self) -> None:
        """Once nothing is under way, delete everything that was created since it started."""
        with psycopg.connect(embedded.url(self._data), autocommit=True) as database:
            deadline = time.monotonic() + QUIET_SECONDS
            while database.execute(_UNDER_WAY).fetchone() != (False,):
                assert time.monotonic() < deadline, f"the service is still busy:\n{self.log}"
                time.sleep(0.1)
            tables = [name for (name,) in database.execute(_TABLES) if name not in _ITS_OWN]
            with database.transaction():
                # Foreign keys are not checked.
                database.execute("SET LOCAL session_replication_role = replica")
                for table in tables:
                    database.execute(f'DELETE FROM "{table}"')
                database.execute("DELETE FROM auth_user WHERE username <> %s", [self.username])

    def stop(self) -> int:
        """Ctrl-C; returns the exit status. What does not stop is killed, and fails the test."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in self.processes():
                os.kill(pid, signal.SIGKILL)
            self._process.wait()
            raise AssertionError(f"the service did not stop on SIGINT:\n{self.log}") from None
        deadline = time.monotonic() + STOP_SECONDS
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        if left:
            names = [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ") for pid in left]
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"processes outlive the service: {names}\n{self.log}")
        return status

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(f"the service ended by itself:\n{self.log}")
            found = _PASSWORD.search(self.log)
            if found and self._answers():
                self.username, self.password = found.groups()
                self.processes()
                return
            time.sleep(0.2)
        raise AssertionError(f"the service does not answer after {START_SECONDS:.0f} s:\n{self.log}")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/admin/login/", timeout=30) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
