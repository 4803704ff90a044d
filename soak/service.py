"""The real service on its own database: PostgreSQL, and clusters of workers that are restarted when they end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from kiok.server import embedded

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "soak"
CLUSTERS = 2
WORKERS = (
    2  # per cluster: more would not be faster on two cores, and two suffice to take over from each other
)
_STOP_SECONDS = 30.0


def environment(folder: Path, interval_ms: int) -> dict[str, str]:
    """Return the environment of the service's processes, without the user's settings except those of the sandbox."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("KIOK_SANDBOX_", "KIOK_IMAGE_"))
        or not name.startswith(("KIOK_", "DATABASE_URL", "DJANGO_", "GIT_"))
    }
    for image in ("PYTHON", "JAVA"):
        # Images that scripts/images.sh built under other names.
        if tag := kept.get(f"KIOK_IMAGE_{image}"):
            kept[f"KIOK_SANDBOX_IMAGE_{image}"] = tag
    return kept | {
        "DATABASE_URL": embedded.url(folder / "data").replace(f"/{embedded.DATABASE}?", f"/{DATABASE}?"),
        "DJANGO_SETTINGS_MODULE": "kiok.server.settings",
        "KIOK_ALLOW_INSECURE": "gitsync.allow.protocols",  # remotes are folders
        "KIOK_BASE_DATA_DIR": str(folder / "work"),
        "KIOK_GITSYNC_ALLOW_PROTOCOLS": "file",
        "KIOK_GITSYNC_INTERVAL_MS": str(interval_ms),
        "KIOK_LOG_LEVEL": "WARNING",
        "KIOK_MASTER_KEY": "a master key that only the soak uses",
        "KIOK_SANDBOX_POOL_SIZE": "1",
        "KIOK_WORKERS": str(WORKERS),
        "PYTHONPATH": str(ROOT),
    }


@dataclass
class Service:
    """The running service. `ended` counts the clusters that ended unexpectedly."""

    folder: Path
    environment: Mapping[str, str]
    ended: int = 0
    _clusters: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start_database(self) -> None:
        """Start a durable database, like that of the service: a commit waits for the disk and survives a kill."""
        embedded.ensure(self.data)
        with psycopg.connect(embedded.url(self.data), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")

    def start_clusters(self) -> None:
        self._clusters = [self._start(number) for number in range(CLUSTERS)]

    def clusters(self) -> list[int]:
        """Return the pids of the clusters' first processes, each of which leads a process group."""
        return [cluster.pid for cluster in self._clusters]

    def postmaster(self) -> int:
        return int((self.data / "postgres" / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])

    def supervise(self) -> None:
        """Restart clusters that have ended, like a service manager."""
        for number, cluster in enumerate(self._clusters):
            if cluster.poll() is not None:
                self._kill_group(cluster.pid)
                self._clusters[number] = self._start(number)
                self.ended += 1

    def kill_cluster(self, pid: int) -> None:
        """Kill all processes of a cluster at the same time, as if its machine or container failed."""
        self._kill_group(pid)
        next(cluster for cluster in self._clusters if cluster.pid == pid).wait(_STOP_SECONDS)
        self.supervise()
        self.ended -= 1

    def restart_database(self, how: signal.Signals) -> None:
        """Restart the database. Raises TimeoutError if it does not stop.

        SIGINT: it closes its sessions first. SIGQUIT: it stops immediately and has to recover.
        """
        pid = self.postmaster()
        os.kill(pid, how)
        deadline = time.monotonic() + _STOP_SECONDS
        while Path(f"/proc/{pid}").exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL still runs {_STOP_SECONDS:g} s after {how.name}")
            time.sleep(0.05)
        embedded.ensure(self.data)

    def stop(self) -> bool:
        """Stop all clusters. Return whether each stopped on SIGTERM."""
        for cluster in self._clusters:
            cluster.terminate()
        obeyed = True
        for cluster in self._clusters:
            try:
                cluster.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                obeyed = False
            self._kill_group(cluster.pid)
            cluster.wait()
        self._clusters = []
        return obeyed

    def stop_database(self) -> None:
        embedded.release(self.data)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        with (self.folder / f"cluster-{number}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", "qcluster"],
                cwd=ROOT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @staticmethod
    def _kill_group(pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
