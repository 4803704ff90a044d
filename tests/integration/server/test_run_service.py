"""`manage.py run`: the service with its embedded PostgreSQL, and how its processes end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.embedded_users import ROOT, alive, postmaster, wait_until
from tests.support.servers.ports import free_port


class Service:
    """`manage.py run` with its own data folder."""

    def __init__(self, data_dir: Path, output: Path) -> None:
        self.port = free_port()
        self.output = output
        environ = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "KIOK_MASTER_KEY")}
        environ |= {"KIOK_BASE_DATA_DIR": str(data_dir), "KIOK_WEB_PORT": str(self.port)}
        with output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "run"],
                env=environ,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        from http.client import HTTPConnection

        connection = HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def ready(self) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def descendants(self) -> set[int]:
        """Every process below it, the database aside."""
        found, parents = set(), {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
        wanted = {self.process.pid}
        while wanted:
            found |= wanted
            wanted = {pid for pid, parent in parents.items() if parent in wanted} - found
        return found - {self.process.pid}


def is_cluster(pid: int, *, parent: int) -> bool:
    """Return whether a process is `manage.py qcluster`, started by `parent`."""
    try:
        command, status = Path(f"/proc/{pid}/cmdline").read_bytes(), Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return False
    return b"qcluster" in command and f"\nPPid:\t{parent}\n" in status


@pytest.fixture
def service(data_dir: Path, tmp_path: Path) -> Iterator[Service]:
    running = Service(data_dir, tmp_path / "output")
    yield running
    if running.process.poll() is None:
        for pid in running.descendants():
            os.kill(pid, signal.SIGKILL)
        running.process.kill()
        running.process.wait()


def test_run_serves_the_admin_and_ctrl_c_stops_everything(service: Service, data_dir: Path) -> None:
    wait_until(service.ready, 60)
    status, headers, _ = service.get("/")
    assert (status, headers["Location"]) == (302, "/admin/")
    status, headers, body = service.get("/admin/login/")
    assert status == 200
    assert b"kiok" in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert service.get("/static/admin/css/base.css")[0] == 200
    assert json.loads(service.get("/healthz")[2]) == {"status": "ok"}
    checks = {"database": "ok", "migrations": "ok", "leader": "ok"}
    assert json.loads(service.get("/readyz")[2]) == {"status": "ready", "checks": checks}
    status, headers, body = service.get("/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b"\nkiok_gitsync_leader_present 1.0\n" in body
    output = service.output.read_text()
    assert f"http://127.0.0.1:{service.port}/admin/" in output
    assert output.count("first admin: user admin, password ") == 1
    assert (data_dir / "master.key").stat().st_mode & 0o777 == 0o600
    below = service.descendants()
    assert len(below) >= 4
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(600) == 0, service.output.read_text()
    wait_until(lambda: not [pid for pid in below if alive(pid)])
    assert postmaster(data_dir) is None
    assert "Traceback" not in service.output.read_text()


def test_a_dead_part_stops_the_service_and_is_named(service: Service, data_dir: Path) -> None:
    wait_until(service.ready, 60)
    below = service.descendants()
    (workers,) = [pid for pid in below if is_cluster(pid, parent=service.process.pid)]
    os.kill(workers, signal.SIGKILL)
    assert service.process.wait(600) == 1
    assert (
        "the workers ended unexpectedly (signal SIGKILL); stopping the service" in service.output.read_text()
    )
    wait_until(lambda: not [pid for pid in below if alive(pid)])
    assert postmaster(data_dir) is None


def test_when_run_is_killed_its_parts_and_the_database_end(service: Service, data_dir: Path) -> None:
    wait_until(service.ready, 60)
    below = service.descendants()
    service.process.kill()
    service.process.wait()
    wait_until(lambda: not [pid for pid in below if alive(pid)], 40)
    assert postmaster(data_dir) is None
