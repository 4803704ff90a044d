"""The embedded PostgreSQL: who starts it, who stops it, and what it survives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from kiok.server import embedded
from kiok.server.errors import DatabaseUnavailable
from tests.support import waiting

ROOT = Path(__file__).parents[3]

# A user of the server: says so on stdout, then stays until its stdin ends.
USER = """
import sys
from pathlib import Path
import psycopg
from kiok.server import embedded
url = embedded.ensure(Path(sys.argv[1]), durable=False)
with psycopg.connect(url) as connection:
    print(connection.execute("SELECT pg_postmaster_start_time()::text").fetchone()[0], flush=True)
sys.stdin.read()
"""


class User:
    """Another process that uses the server of `data_dir`."""

    def __init__(self, data_dir: Path, program: str = USER) -> None:
        environ = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ,
            text=True,
        )

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def started(self) -> str:
        """When the server it uses was started, as the server says."""
        said = self.said()
        assert said, "the user ended without reaching the server"
        return said

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def let_go(self) -> None:
        """Ask it to end."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def leave(self) -> None:
        self.let_go()
        assert self.process.wait(600) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder in a short, private path; whatever runs in it in the end is killed."""
    base = Path(tempfile.mkdtemp(prefix="kiok-pg-"))
    yield base / "data"
    if (pid := postmaster(base / "data")) is not None:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid))
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def use(data_dir: Path) -> Iterator[Callable[..., User]]:
    users: list[User] = []

    def make(program: str = USER) -> User:
        users.append(User(data_dir, program))
        return users[-1]

    yield make
    for user in users:
        user.kill()
        for stream in (user.process.stdin, user.process.stdout):
            assert stream is not None
            if not stream.closed:
                stream.close()


def postmaster(data_dir: Path) -> int | None:
    """The server's pid if it runs."""
    try:
        pid = int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    except FileNotFoundError:
        return None
    return pid if alive(pid) and b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes() else None


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until the condition holds, which an idle machine does within `seconds`."""
    waiting.wait_until(condition, "it happened", seconds=max(seconds, waiting.PATIENCE_SECONDS))


def test_five_processes_that_start_at_once_share_one_server_which_ends_with_the_last(
    data_dir: Path, use: Callable[..., User]
) -> None:
    users = [use() for _ in range(5)]
    assert len({user.started() for user in users}) == 1
    for user in users[:-1]:
        user.leave()
    assert postmaster(data_dir) is not None
    users[-1].leave()
    assert postmaster(data_dir) is None
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_a_user_that_is_killed_neither_stops_the_server_nor_keeps_it(
    data_dir: Path, use: Callable[..., User]
) -> None:
    killed, last = use(), use()
    assert killed.started() == last.started()
    killed.kill()
    with psycopg.connect(embedded.url(data_dir)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    last.leave()
    assert postmaster(data_dir) is None


def test_a_server_whose_only_user_was_killed_is_taken_over(data_dir: Path, use: Callable[..., User]) -> None:
    first = use()
    started = first.started()
    first.kill()
    assert postmaster(data_dir) is not None
    second = use()
    assert second.started() == started
    second.leave()
    assert postmaster(data_dir) is None


def test_what_was_committed_survives_the_server_being_killed(
    data_dir: Path, use: Callable[..., User]
) -> None:
    others = set(Path("/dev/shm").glob("PostgreSQL.*"))
    first = use(USER.replace(", durable=False", ""))
    first.started()
    with psycopg.connect(embedded.url(data_dir)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    pid = postmaster(data_dir)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid))
    assert set(Path("/dev/shm").glob("PostgreSQL.*")) <= others, "it left shared memory that nobody removes"
    second = use()
    second.started()
    with psycopg.connect(embedded.url(data_dir)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_pid_file_that_names_another_program_does_not_hinder_the_start(
    data_dir: Path, use: Callable[..., User]
) -> None:
    first = use()
    first.started()
    pid_file = data_dir / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    first.leave()
    # As after a power cut: the file is there, and its pid now belongs to something else that we own.
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    second = use()
    assert second.started()
    assert alive(os.getpid())


def with_child(until: Path) -> str:
    """The program of a user with a forked child that stays until the file is there."""
    child = "import os, time\nif os.fork() == 0:\n    os.close(1)\n"
    child += f"    while not os.path.exists({str(until)!r}):\n        time.sleep(0.05)\n    sys.exit()\n"
    return USER.replace("with psycopg", f"{child}with psycopg")


def test_a_forked_child_keeps_the_server_of_its_parent_and_does_not_stop_it(
    data_dir: Path, tmp_path: Path, use: Callable[..., User]
) -> None:
    impatient = "embedded._CHILDREN_SECONDS = 0.5\nurl ="
    parent = use(with_child(tmp_path / "end").replace("url =", impatient, 1))
    started = parent.started()
    parent.leave()
    other = use()
    assert other.started() == started, "the parent's exit stopped the server under its child"
    (tmp_path / "end").touch()
    time.sleep(1)
    with psycopg.connect(embedded.url(data_dir)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    other.leave()
    assert postmaster(data_dir) is None


def test_the_last_user_waits_for_the_child_of_one_that_was_killed(
    data_dir: Path, tmp_path: Path, use: Callable[..., User]
) -> None:
    killed, last = use(with_child(tmp_path / "end")), use()
    assert killed.started() == last.started()
    killed.kill()
    last.let_go()
    time.sleep(0.5)
    assert postmaster(data_dir) is not None
    (tmp_path / "end").touch()
    assert last.process.wait(600) == 0
    assert postmaster(data_dir) is None


def test_a_user_that_ends_does_not_wait_for_one_that_stays(data_dir: Path, use: Callable[..., User]) -> None:
    stays, ends = use(), use(USER.replace("url =", "embedded._CHILDREN_SECONDS = 3600\nurl =", 1))
    assert stays.started() == ends.started()
    ends.leave()
    assert postmaster(data_dir) is not None


# A user again and again: from a line on stdin to the next, when it lets go, as at its exit, with a child that lingers.
AGAIN_AND_AGAIN = """
import os, sys, time
from pathlib import Path
from kiok.server import embedded
data_dir = Path(sys.argv[1])
for _ in sys.stdin:
    embedded.ensure(data_dir, durable=False)
    print("uses it", flush=True)
    sys.stdin.readline()
    child = os.fork()
    if child == 0:
        time.sleep(0.1)
        os._exit(0)
    embedded.release(data_dir)
    os.waitpid(child, 0)
    print("let go", flush=True)
"""


def test_two_users_that_end_at_the_same_moment_stop_the_server_though_their_children_linger(
    data_dir: Path, use: Callable[..., User]
) -> None:
    both = [use(AGAIN_AND_AGAIN), use(AGAIN_AND_AGAIN)]
    for _ in range(20):
        for word in ("uses it", "let go"):
            for user in both:
                user.tell("go on")
            assert [user.said() for user in both] == [word, word]
            assert (postmaster(data_dir) is not None) == (word == "uses it")


def test_nobody_else_can_reach_it(data_dir: Path, use: Callable[..., User]) -> None:
    use().started()
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert (data_dir / "postgres").stat().st_mode & 0o777 == 0o700
    assert (data_dir / "postgres" / ".s.PGSQL.5432").stat().st_uid == os.geteuid()
    pid = postmaster(data_dir)
    inodes = {
        os.readlink(link)[8:-1]
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if "socket:[" in os.readlink(link)
    }
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert not [line for line in listening if line[9] in inodes], "it listens on TCP"


def test_no_folder_above_it_changes_its_mode(data_dir: Path, use: Callable[..., User]) -> None:
    assert data_dir.parent.stat().st_mode & 0o777 == 0o700
    before = {path: path.stat().st_mode for path in data_dir.parents}
    use().started()
    assert {path: path.stat().st_mode for path in data_dir.parents} == before


@pytest.mark.parametrize("name", ["d" * 120, "with a space"])
def test_a_path_that_no_socket_can_have_gets_a_short_private_folder_for_it(data_dir: Path, name: str) -> None:
    long = data_dir.parent / name
    user = User(long)
    try:
        user.started()
        folder = Path(embedded.url(long).partition("?host=")[2])
        assert len(str(folder)) < embedded.MAX_SOCKET_DIR_BYTES
        assert folder.stat().st_mode & 0o777 == 0o700
        user.leave()
        assert postmaster(long) is None
        assert not folder.exists()
    finally:
        user.kill()


def test_a_socket_folder_that_is_not_ours_is_refused(data_dir: Path) -> None:
    long = data_dir.parent / ("d" * 120)
    folder = Path(embedded.url(long).partition("?host=")[2])
    folder.symlink_to("/tmp")
    try:
        with pytest.raises(DatabaseUnavailable, match="is not a folder that this user owns"):
            embedded.ensure(long)
    finally:
        folder.unlink()


def test_leaving_twice_or_without_having_come_makes_and_stops_nothing(data_dir: Path) -> None:
    assert embedded.release(data_dir) is False
    assert not data_dir.exists()


def test_a_half_made_cluster_is_made_anew(data_dir: Path, use: Callable[..., User]) -> None:
    (data_dir / "postgres" / "base").mkdir(parents=True)
    (data_dir / "postgres.new-x").mkdir()
    use().started()
    assert not (data_dir / "postgres.new-x").exists()


def test_a_cluster_of_another_version_is_left_alone_and_named(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(DatabaseUnavailable, match="created by PostgreSQL 16, and this is version 18"):
        embedded.ensure(data_dir)
    assert (data_dir / "postgres" / "PG_VERSION").read_text() == "16\n"


def test_a_server_that_cannot_start_says_what_its_log_says(data_dir: Path, use: Callable[..., User]) -> None:
    first = use()
    first.started()
    first.leave()
    (data_dir / "postgres" / "postgresql.conf").write_text("nonsense = 1\n")
    with pytest.raises(DatabaseUnavailable, match='unrecognized configuration parameter "nonsense"'):
        embedded.ensure(data_dir)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """`manage.py run` on a data folder of its own."""

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

        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
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
    assert not [pid for pid in below if alive(pid)]
    assert postmaster(data_dir) is None
    assert "Traceback" not in service.output.read_text()


def test_a_part_of_the_service_that_dies_takes_the_rest_down_and_is_named(
    service: Service, data_dir: Path
) -> None:
    wait_until(service.ready, 60)
    below = service.descendants()
    (workers,) = [
        pid
        for pid in below
        if (b"qcluster" in Path(f"/proc/{pid}/cmdline").read_bytes())
        and f"\nPPid:\t{service.process.pid}\n" in Path(f"/proc/{pid}/status").read_text()
    ]
    os.kill(workers, signal.SIGKILL)
    assert service.process.wait(600) == 1
    assert (
        "the workers ended unexpectedly (signal SIGKILL); stopping the service" in service.output.read_text()
    )
    wait_until(lambda: not [pid for pid in below if alive(pid)])
    assert postmaster(data_dir) is None


def test_when_run_itself_is_killed_its_parts_end_and_the_database_with_them(
    service: Service, data_dir: Path
) -> None:
    wait_until(service.ready, 60)
    below = service.descendants()
    service.process.kill()
    service.process.wait()
    wait_until(lambda: not [pid for pid in below if alive(pid)], 40)
    assert postmaster(data_dir) is None


@pytest.mark.case("surface.readiness")
def test_readiness_is_503_while_migrations_are_missing(data_dir: Path, use: Callable[..., User]) -> None:
    use().started()
    program = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        "answer = Client().get('/readyz', headers={'host': 'probe.invalid'})\n"
        "checks = answer.json()['checks']\n"
        "print(answer.status_code, checks['database'], checks['migrations'])\n"
        "print(Client().get('/healthz').status_code)\n"
        "print(checks['leader'])\n"
        "print(Client().get('/metrics', headers={'host': 'localhost'}).status_code)"
    )
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "kiok.server.settings", "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-c", program]
    environ["DATABASE_URL"] = embedded.url(data_dir)
    empty = subprocess.run(run, env=environ, capture_output=True, text=True, timeout=60, check=True).stdout
    assert empty.startswith("503 ok ")
    assert "not applied" in empty
    assert empty.endswith("200\nunknown\n503\n")
    environ["DATABASE_URL"] = f"postgresql://u:hunter2@/n?host={data_dir}/nowhere"
    gone = subprocess.run(run, env=environ, capture_output=True, text=True, timeout=60, check=True).stdout
    assert gone == "503 unreachable unknown\n200\nunknown\n503\n"
