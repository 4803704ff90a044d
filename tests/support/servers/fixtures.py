"""pytest fixtures for the servers; a plugin module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers.https import HttpsServer
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer


@pytest.fixture
def work_repo(tmp_path: Path) -> WorkRepo:
    """An empty repository under `<tmp_path>/served`."""
    return WorkRepo(tmp_path / "served")


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    """Run an OpenSSH server that refuses every login until `client_key` is called."""
    with SshServer(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def https_server(tmp_path: Path) -> Iterator[HttpsServer]:
    """A running https server for `<tmp_path>/served`, open until `accounts` is set."""
    (tmp_path / "served").mkdir(exist_ok=True)
    with HttpsServer(tmp_path / "served", tmp_path / "https") as server:
        yield server
