"""Fixtures of the sync tests: a configured repository over a real git repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django_q.conf import Conf
from pytest_django import Settings

from gitsync.models import Repository, Trigger
from gitsync.sync.report import SyncReport
from gitsync.sync.run import Request, sync_repository
from tests.servers.redis import RedisServer
from tests.servers.repositories import WorkRepo

Sync = Callable[..., SyncReport]

ONE_TASK = "tasks:\n- id: a\n  script: echo a\n"


def yaml_dag(dag_id: str, script: str = "echo a") -> str:
    """A valid DAG of one task."""
    return f"dag:\n  id: {dag_id}\ntasks:\n- id: a\n  script: {script}\n"


@pytest.fixture
def repository(work_repo: WorkRepo, transactional_db: None) -> Repository:
    """A repository named `team`, configured for the empty `work_repo`."""
    return Repository.objects.create(name="team", url=work_repo.file_url)


@pytest.fixture
def sync(repository: Repository) -> Sync:
    """Sync `repository` now, as the command line does."""

    def run(**options: Any) -> SyncReport:
        return sync_repository(repository.pk, Request(trigger=Trigger.COMMAND, wait=True, **options))

    return run


@pytest.fixture
def redis_server(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RedisServer]:
    """A Redis that this process, too, sends its tasks to."""
    with RedisServer(tmp_path) as server:
        settings.KIOK = replace(settings.KIOK, broker="redis")
        settings.KIOK_REDIS_URL = server.url
        monkeypatch.setattr(Conf, "BROKER_CLASS", "gitsync.brokers.redis.RedisBroker")
        yield server
