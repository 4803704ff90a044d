"""Processes of the service on the test's database."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from django.db import connection

from tests.support import forks

ROOT = Path(__file__).parents[2]


def environment(settings: str = "tests.support.same_database", **more: str) -> dict[str, str]:
    """Return the environment with the test's database. `settings` is a module that reads TEST_DATABASE_NAME."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": settings,
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
        **more,
    }


def manage(*arguments: str, terminal: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` with these arguments, and more environment variables; on a terminal, if its path is given."""
    return forks.run(arguments, environment(**more), terminal)


def gitsync(*arguments: str, terminal: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py gitsync` like `manage`."""
    return manage("gitsync", *arguments, terminal=terminal, **more)
