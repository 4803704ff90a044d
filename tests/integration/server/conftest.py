"""Fixtures that the tests of the server share."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiok.server import embedded
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


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cluster that was created and never started, to copy."""
    created = tmp_path_factory.mktemp("created") / "postgres"
    embedded._make_cluster(created)
    return created


@pytest.fixture
def made(data_dir: Path, cluster: Path) -> None:
    """Give the data folder a cluster, for tests that do not need the first user to create it."""
    data_dir.mkdir(mode=0o700)
    shutil.copytree(cluster, data_dir / "postgres")


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
