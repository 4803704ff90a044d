"""Imports of processes at their start, and an invalid page that is found before it is shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = ("gitsync.admin", "gitsync.api", "kiok.metadata.admin", "kiok.connections.admin", "ninja", "pygments")
LOADED = f"""\
import json, sys
import django
django.setup()
import gitsync.management.commands.gitsync
command = [name for name in {(*PAGES, "docker", "git")!r} if name in sys.modules]
import gitsync.management.commands.qcluster
worker = [name for name in {PAGES!r} if name in sys.modules]
shared = [name for name in ("docker", "git", "gitsync.sync.run", "kiok.cluster.leader") if name in sys.modules]
print(json.dumps([command, worker, shared]))
"""


def run(*arguments: str, settings: str = "kiok.server.settings") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_commands_and_workers_import_no_page() -> None:
    done = run("-c", LOADED)
    assert done.returncode == 0, done.stderr
    command, worker, shared = json.loads(done.stdout)
    assert command == []
    assert worker == []
    assert shared == ["docker", "git", "gitsync.sync.run", "kiok.cluster.leader"]


@pytest.mark.parametrize("command", ["check", "run"])
def test_an_invalid_page_is_found_by_the_checks_and_stops_the_start(
    command: str,
) -> None:
    done = run("manage.py", command, settings="tests.support.wrong_page")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "tests.support.wrong_page.admin.WrongPage" in done.stderr
    assert "admin.E108" in done.stderr
    assert "web server at" not in done.stdout
