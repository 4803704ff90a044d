"""Commands that stop at their arguments: they leave nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiok.server.keys import SECRETS

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = (
    *("backup", "connection_warnings", "doctor", "gitsync", "migrate", "properties", "qcluster", "restore"),
    *("rotate_key", "rotate_master_key", "run", "sandbox_check", "createsuperuser"),
)
# `manage.py` in a fork of a process that has loaded the service, which takes most of the time of such a command.
FORKS = """
import json, os, sys
import django
from kiok.server import entry
os.environ["DJANGO_SETTINGS_MODULE"] = entry.SETTINGS
django.setup()
for line in sys.stdin:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(writer, 2)
        os.close(writer)
        sys.argv = ["manage.py", *json.loads(line)]
        entry.main()
        sys.exit()
    os.close(writer)
    with open(reader) as file:
        output = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([status, output]), flush=True)
"""

Manage = Callable[..., tuple[int, str]]


def environment(data: Path) -> dict[str, str]:
    """Return the environment of a machine where the service never ran."""
    environ = {name: value for name, value in os.environ.items() if name not in SECRETS}
    folders = {"KIOK_BASE_DATA_DIR": str(data), "HOME": str(data.parent), "TMPDIR": str(data.parent)}
    return {**environ, **folders, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, in which the data folder would be created."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def manage(folder: Path) -> Iterator[Manage]:
    """`manage.py` with these arguments; returns its exit status and what it wrote to stderr."""
    process = subprocess.Popen(
        [sys.executable, "-c", FORKS],
        env=environment(folder / "data"),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(*arguments: str) -> tuple[int, str]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(arguments) + "\n")
        process.stdin.flush()
        status, output = json.loads(process.stdout.readline())
        return status, output

    yield run
    process.communicate(timeout=600)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--version",), 0),
        (("properties",), 0),
        (("gitsync", "--now", "--repo"), 2),
        (("doctor", "--only", "nosuch"), 2),
        (("backup",), 2),
        *(((command, "--help"), 0) for command in COMMANDS),
        *((("help", command), 0) for command in ("gitsync", "run")),
        *(((command, "--nosuch"), 2) for command in COMMANDS),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_help_and_wrong_arguments_create_nothing(
    folder: Path, manage: Manage, arguments: tuple[str, ...], status: int
) -> None:
    ended = manage(*arguments)
    assert ended[0] == status, ended[1]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("help",), 0), (("nosuch",), 1), (("gitsync",), 2), (("--config",), 2)],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_process_that_stops_at_its_arguments_creates_nothing(
    tmp_path: Path, arguments: tuple[str, ...], status: int
) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environment(tmp_path / "data"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert list(tmp_path.iterdir()) == []
