"""The output of commands that fail: a line with the remedy, and an exit status."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from kiok.server import failures
from tests.support.fresh_database import fresh_database

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "hunter2hunter2"
# Many commands in one process, each as manage.py begins it: {command: [exit status or what was raised, stderr]}.
PROGRAM = """
import contextlib, io, json, os, sys
import django
from kiok.server import entry

os.environ["DJANGO_SETTINGS_MODULE"] = entry.SETTINGS
django.setup()  # what is logged at the start is no command's

def run(words, stdout):
    output = io.StringIO()
    with contextlib.redirect_stderr(output), contextlib.redirect_stdout(stdout):
        try:
            entry.main(["manage.py", *words])
            ended = 0
        except SystemExit as exc:
            ended = exc.code
        except Exception as exc:
            ended = type(exc).__name__
    return ended, output.getvalue()

told = {" ".join(words): run(words, io.StringIO()) for words in json.loads(sys.argv[1])}

from kiok.server.management.commands.properties import Command
reading, writing = os.pipe()
os.close(reading)
told["properties to nobody"] = run(["properties"], os.fdopen(writing, "w"))
Command.handle = lambda *_, **__: 1 / 0
told["a defect"] = run(["properties"], io.StringIO())
print(json.dumps(told))
"""


def results_of(commands: list[list[str]], **environ: str) -> dict[str, tuple[Any, str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    found: dict[str, tuple[Any, str]] = json.loads(done.stdout)
    return found


def test_each_command_reports_a_lost_database_in_one_line(
    tmp_path: Path,
) -> None:
    (tmp_path / "dump").touch()
    commands = [
        ["gitsync", "--list"],
        ["gitsync", "--now", "--json"],
        ["rotate_key"],
        ["migrate"],
        ["run"],
        ["restore", str(tmp_path / "dump")],
        ["createsuperuser", "--no-input", "--username", "ada", "--email", "ada@example.com"],
    ]
    shown = ["gitsync", "--list", "--traceback"]
    found = results_of(
        [*commands, shown],
        DATABASE_URL=f"postgresql://kiok:{PASSWORD}@127.0.0.1:1/kiok",
        KIOK_BASE_DATA_DIR=str(tmp_path / "data"),
    )
    for command in commands:
        status, output = found[" ".join(command)]
        (line,) = output.splitlines()
        assert status == 1, line
        assert line.startswith("kiok: the database does not answer: connection failed"), line
        assert "Connection refused. Start it, or correct DATABASE_URL" in line
    assert found[" ".join(shown)][0] == "OperationalError"

    assert found["properties to nobody"] == [1, ""]
    status, output = found["a defect"]
    assert status == 1
    logged, line = output.splitlines()
    assert (
        " CRITICAL kiok.server.entry: defect in this service: ZeroDivisionError | Traceback (most" in logged
    )
    assert logged.endswith("| ZeroDivisionError: division by zero")
    assert line.startswith("kiok: defect in this service: ZeroDivisionError: division by zero. The log has")
    assert PASSWORD not in json.dumps(found)


@pytest.mark.django_db(transaction=True)
def test_each_command_reports_tables_of_another_version_with_a_remedy(tmp_path: Path) -> None:
    commands = [["gitsync", "--list"], ["gitsync", "--now"], ["rotate_key"], ["changepassword", "ada"]]
    with fresh_database():
        url = os.environ["DATABASE_URL"]
        name = str(connection.settings_dict["NAME"])
        found = results_of(
            commands,
            DATABASE_URL=url.replace("/kiok?", f"/{name}?"),
            KIOK_BASE_DATA_DIR=str(tmp_path),
        )
    for command in commands:
        status, output = found[" ".join(command)]
        (line,) = output.splitlines()
        assert status == 1, line
        assert line.startswith('kiok: the database returned an error: relation "'), line
        assert line.endswith(
            "(SQLSTATE 42P01). Run `manage.py migrate`, which updates the tables to this version"
        ), line


def test_the_web_server_reports_why_it_does_not_start_and_stays_stopped() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import kiok.server.wsgi"],
        cwd=ROOT,
        env={**os.environ, "KIOK_WORKERS": "none"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    from gunicorn.arbiter import Arbiter

    assert done.returncode == Arbiter.WORKER_BOOT_ERROR
    (line,) = done.stderr.splitlines()
    assert line.startswith("kiok: environment variable KIOK_WORKERS: kiok.workers is 'none': ")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "No space left on device. Free space on that disk, and start again",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/x"),
            "/data/x: No space left on device. Free space on that disk, and start again",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
            "No usable temporary directory found in ['/tmp']. Free space there, or set TMPDIR to another folder",
        ),
        (OSError(errno.EACCES, "Permission denied", "/data/x"), "/data/x: Permission denied"),
    ],
)
def test_a_full_disk_is_no_defect(error: OSError, message: str) -> None:
    failure = failures.told(error)
    assert failure
    assert (failure.words, failure.status) == ((message,), failures.FAILED)


def test_an_error_of_the_system_that_names_nothing_is_a_defect() -> None:
    assert failures.told(OSError(errno.EINVAL, "Invalid argument")) is None
