"""Fixtures that the tests of the server share."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.canary.marks import Marks
from tests.support.embedded_users import USER, User, alive, postmaster, wait_until


@pytest.fixture
def marks() -> Marks:
    """Return marks whose secrets no other test has."""
    return Marks()


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
