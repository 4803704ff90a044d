"""First starts at the same moment, on one empty database or data folder: each succeeds, nothing is made twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django_q.models import Schedule

from kiok.cluster.models import LeaderLease
from kiok.server import embedded
from kiok.server.first_start import alone_on
from tests.support.fresh_database import fresh_database
from tests.support.servers.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
FIRST_START = """
import os, sys
from kiok.server import entry
os.environ["DJANGO_SETTINGS_MODULE"] = entry.SETTINGS
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from kiok.server.first_start import make_first_admin
connection.ensure_connection()
print("ready", flush=True)
sys.stdin.readline()
call_command("migrate", interactive=False, verbosity=0)
print("made" if make_first_admin() else "there", flush=True)
"""


@pytest.mark.timeout(1800)
@pytest.mark.django_db(transaction=True)
def test_first_starts_on_one_empty_database_all_succeed(tmp_path: Path) -> None:
    with fresh_database():
        parts = urlsplit(os.environ["DATABASE_URL"])
        url = urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
        environ = {**os.environ, "DATABASE_URL": url, "KIOK_BASE_DATA_DIR": str(tmp_path / "data")}
        started = [
            subprocess.Popen(
                [sys.executable, "-c", FIRST_START],
                cwd=ROOT,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        for process in started:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        ended = [(process.communicate(timeout=600), process.returncode) for process in started]
        assert [status for _, status in ended] == [0, 0, 0], ended
        assert sorted(output[0] for output, _ in ended) == ["made\n", "there\n", "there\n"]
        assert (User.objects.count(), Schedule.objects.count(), LeaderLease.objects.count()) == (1, 1, 1)
        ContentType.objects.clear_cache()
        names = list(ContentType.objects.values_list("app_label", "model"))
        assert len(names) == len(set(names))


@pytest.mark.django_db(transaction=True)
def test_one_process_at_a_time_prepares_a_database() -> None:
    other = "SELECT pg_try_advisory_xact_lock(%s, %s)"
    with connection.cursor() as cursor:
        with alone_on():
            cursor.execute(other, (0x6B696F6B, 1))
            assert cursor.fetchone() == (False,)
        cursor.execute(other, (0x6B696F6B, 1))
        assert cursor.fetchone() == (True,)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes, which end with the test; their children end with them."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.mark.timeout(1800)
def test_two_services_that_start_on_one_new_data_folder_both_serve(
    tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    data, temporary = tmp_path / "made" / "by" / "it" / ("d" * 100), tmp_path / "tmp"
    temporary.mkdir()
    environ = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "KIOK_MASTER_KEY")
    }
    environ |= {"KIOK_BASE_DATA_DIR": str(data), "KIOK_WORKERS": "1", "TMPDIR": str(temporary)}
    outputs = [tmp_path / f"output{number}" for number in range(2)]
    umask = os.umask(0)
    try:
        for output in outputs:
            with output.open("w") as file:
                started.append(
                    subprocess.Popen(
                        [sys.executable, str(ROOT / "manage.py"), "run"],
                        env={**environ, "KIOK_WEB_PORT": str(free_port()), "KIOK_WEB_WORKERS": "1"},
                        stdout=subprocess.PIPE,
                        stderr=file,
                        text=True,
                    )
                )
    finally:
        os.umask(umask)
    printed = []
    for process, output in zip(started, outputs, strict=True):
        assert process.stdout
        lines = []
        while (line := process.stdout.readline()) and "Ctrl-C stops the service" not in line:
            lines.append(line)
        assert line, output.read_text()
        printed.append("".join(lines))
    assert len(re.findall("first admin: user admin", "".join(printed))) == 1
    for process in started:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(600) for process in started] == [0, 0], [output.read_text() for output in outputs]
    made = [folder for folder in (data, *data.parents) if folder.is_relative_to(tmp_path / "made")]
    assert [oct(folder.stat().st_mode & 0o777) for folder in made] == ["0o700"] * len(made)
    # What was made in temporary folders is gone: the path is too long for the socket of the database.
    assert list(temporary.iterdir()) == []
    sockets = Path(embedded.url(data).partition("?host=")[2])
    assert not sockets.is_relative_to(data)
    assert not sockets.exists()
