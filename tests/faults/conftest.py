"""Fixtures of the fault tests: a database, an engine and a service that may be broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from gitsync.models import Repository
from tests.faults.engine import OwnEngine, own_engine
from tests.faults.server import Server, own_server
from tests.faults.service import Service, running_service
from tests.faults.team import NewTeam, Team, nothing_is_held
from tests.support.cluster import eventually


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Server]:
    with django_db_blocker.unblock(), own_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="package")
def engine() -> Iterator[OwnEngine]:
    with own_engine(settings.KIOK.sandbox_image_python) as engine:
        yield engine


@pytest.fixture(scope="package")
def running(
    server: Server, engine: OwnEngine, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Iterator[Service]:
    """One service for all of these tests: each leaves it as it was, whatever it broke."""
    with ExitStack() as stack:
        with django_db_blocker.unblock(), server.used_here():
            service = stack.enter_context(running_service(server, engine, tmp_path_factory.mktemp("service")))
        yield service


@pytest.fixture
def service(running: Service, django_db_blocker: Any) -> Iterator[Service]:
    """The service, with its database as that of this process."""
    with django_db_blocker.unblock(), running.server.used_here():
        running.server.start()  # a test that fails in the midst of a fault spoils no other
        yield running


@pytest.fixture
def new_team(service: Service, tmp_path: Path) -> Iterator[NewTeam]:
    """Makes teams whose repositories the service syncs. In the end no claim, container or lock of theirs is left."""
    teams: dict[str, Team] = {}

    def make(name: str, *, interval_ms: int | None = None) -> Team:
        teams[name] = Team(name, tmp_path / "served", interval_ms=interval_ms)
        return teams[name]

    yield make
    eventually(lambda: nothing_is_held(teams), 30, "no claim and no sync is left")
    for team in teams.values():
        team.holds_what_was_pushed()
    Repository.objects.filter(name__in=teams).delete()
    service.becomes_clean()
