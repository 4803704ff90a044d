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


def manage(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` with these arguments, and more environment variables."""
    return forks.run(arguments, environment(**more))


def gitsync(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py gitsync` with these arguments, and more environment variables."""
    return manage("gitsync", *arguments, **more)
