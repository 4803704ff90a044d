"""The embedded PostgreSQL: which process starts it, which stops it, and how it recovers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from kiok.server import embedded
from kiok.server.errors import DatabaseUnavailable
from tests.support.embedded_users import ROOT, USER, User, alive, postmaster, wait_until


def test_five_processes_share_one_server_that_ends_with_the_last(
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


@pytest.mark.usefixtures("made")
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


@pytest.mark.usefixtures("made")
def test_a_server_whose_only_user_was_killed_is_taken_over(data_dir: Path, use: Callable[..., User]) -> None:
    first = use()
    started = first.started()
    first.kill()
    assert postmaster(data_dir) is not None
    second = use()
    assert second.started() == started
    second.leave()
    assert postmaster(data_dir) is None


@pytest.mark.usefixtures("made")
def test_committed_rows_survive_a_killed_server(data_dir: Path, use: Callable[..., User]) -> None:
    first = use(USER.replace(", durable=False", ""))
    first.started()
    with psycopg.connect(embedded.url(data_dir)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    pid = postmaster(data_dir)
    assert pid is not None
    mapped = re.findall(r"/dev/shm/PostgreSQL\.\S+", Path(f"/proc/{pid}/maps").read_text())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid))
    assert not [path for path in mapped if Path(path).exists()], "it left shared memory that nobody removes"
    second = use()
    second.started()
    with psycopg.connect(embedded.url(data_dir)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


@pytest.mark.usefixtures("made")
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


@pytest.mark.usefixtures("made")
def test_a_forked_child_does_not_stop_the_server_of_its_parent(
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


@pytest.mark.usefixtures("made")
def test_the_last_user_waits_for_the_child_of_a_killed_user(
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


@pytest.mark.usefixtures("made")
def test_a_user_that_ends_does_not_wait_for_another_user(data_dir: Path, use: Callable[..., User]) -> None:
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


@pytest.mark.usefixtures("made")
def test_two_users_that_end_together_stop_the_server_despite_children(
    data_dir: Path, use: Callable[..., User]
) -> None:
    both = [use(AGAIN_AND_AGAIN), use(AGAIN_AND_AGAIN)]
    for _ in range(20):
        for word in ("uses it", "let go"):
            for user in both:
                user.tell("go on")
            assert [user.read_line() for user in both] == [word, word]
            assert (postmaster(data_dir) is not None) == (word == "uses it")


def test_other_system_users_cannot_reach_the_database(data_dir: Path, use: Callable[..., User]) -> None:
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
def test_a_path_too_long_for_a_socket_is_replaced_by_a_private_folder(data_dir: Path, name: str) -> None:
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


def test_a_half_created_cluster_is_created_again(data_dir: Path, use: Callable[..., User]) -> None:
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


@pytest.mark.usefixtures("made")
def test_a_server_that_cannot_start_is_reported_with_its_log(
    data_dir: Path, use: Callable[..., User]
) -> None:
    first = use()
    first.started()
    first.leave()
    (data_dir / "postgres" / "postgresql.conf").write_text("nonsense = 1\n")
    with pytest.raises(DatabaseUnavailable, match='unrecognized configuration parameter "nonsense"'):
        embedded.ensure(data_dir)


@pytest.mark.usefixtures("made")
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
    empty = subprocess.run(run, env=environ, capture_output=True, text=True, timeout=600, check=True).stdout
    assert empty.startswith("503 ok ")
    assert "not applied" in empty
    assert empty.endswith("200\nunknown\n503\n")
    environ["DATABASE_URL"] = f"postgresql://u:hunter2@/n?host={data_dir}/nowhere"
    gone = subprocess.run(run, env=environ, capture_output=True, text=True, timeout=600, check=True).stdout
    assert gone == "503 unreachable unknown\n200\nunknown\n503\n"
