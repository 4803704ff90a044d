"""The data folder and the PostgreSQL that every test runs on: its own, the server being an embedded one by default.

KIOK_TEST_DATABASE_URL=postgresql://USER@/kiok?host=FOLDER names another server, whose user may create databases; for one
pytest at a time. Tests of the embedded server itself start one all the same.

A plugin named on pytest's command line (pyproject.toml), since settings are read before any conftest.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

SERVER = os.environ.pop("KIOK_TEST_DATABASE_URL", "")
DATA_DIR = Path(tempfile.mkdtemp(prefix="kiok-tests-"))
os.environ.update(
    KIOK_BASE_DATA_DIR=str(DATA_DIR),
    KIOK_GITSYNC_ALLOW_PROTOCOLS="https,ssh,file",
    KIOK_ALLOW_INSECURE="gitsync.allow.protocols",  # of tests that have a DATABASE_URL
    KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS="127.0.0.1,localhost",
    # Tests that need warm containers set another size; the others need not wait for their removal.
    KIOK_SANDBOX_POOL_SIZE="0",
    KIOK_MASTER_KEY="a master key that only the tests use",
)
# Processes that tests start keep what they have compiled: each would take a tenth of a second longer without.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# The images that scripts/images.sh builds under other names.
for _image in ("PYTHON", "JAVA"):
    if _tag := os.environ.get(f"KIOK_IMAGE_{_image}"):
        os.environ[f"KIOK_SANDBOX_IMAGE_{_image}"] = _tag
for _name in ("DATABASE_URL", "KIOK_CONFIG", "DJANGO_SECRET_KEY", "KIOK_WEB_METRICS_TOKEN", "KIOK_REDIS_URL"):
    os.environ.pop(_name, None)
if SERVER:
    os.environ["DATABASE_URL"] = SERVER


def url_of(database: str) -> str:
    """Return the url of a database on the server that the tests run on."""
    from kiok.server import embedded

    return (SERVER or embedded.url(DATA_DIR)).replace(f"/{embedded.DATABASE}?", f"/{database}?")


def _runs_tests(config: pytest.Config) -> bool:
    """Return False in the process that only hands tests to the processes of pytest-xdist."""
    return hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None)


def pytest_configure(config: pytest.Config) -> None:
    from kiok.server import embedded

    if not SERVER and _runs_tests(config):
        embedded.ensure(DATA_DIR, durable=False)


def pytest_unconfigure(config: pytest.Config) -> None:
    from django.db import connections

    from kiok.server import embedded

    connections.close_all()
    if not SERVER and _runs_tests(config):
        embedded.release(DATA_DIR)
    shutil.rmtree(DATA_DIR, ignore_errors=True)
