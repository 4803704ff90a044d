"""Fixtures that integration tests share: a configured repository over a real git repository, properties, mirrors,
signatures, webhooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django_q.conf import Conf
from pytest_django import Settings

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.mirror import Mirror
from gitsync.models import Repository, Trigger
from gitsync.sync import remote
from gitsync.sync.report import SyncReport
from gitsync.sync.run import SyncOptions, sync_repository
from gitsync.sync.run import dry_run as plan_sync
from kiok.connections.models import Connection
from tests.support.hooks import SECRET
from tests.support.mirrors import PROTOCOLS
from tests.support.servers.https import HttpsServer
from tests.support.servers.redis import RedisServer
from tests.support.servers.repositories import WorkRepo
from tests.support.signing import SshKey
from tests.support.verification import OpenPgpKeys, Verification

Configure = Callable[..., None]
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

    def run(*, dry_run: bool = False, **options: Any) -> SyncReport:
        if dry_run:
            return plan_sync(Repository.objects.get(pk=repository.pk), **options)[0]
        return sync_repository(repository.pk, SyncOptions(trigger=Trigger.COMMAND, wait=True, **options))

    return run


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Set properties, by their attribute, for this test."""

    def change(**values: Any) -> None:
        monkeypatch.setattr(settings, "KIOK", replace(settings.KIOK, **values))
        remote.client.cache_clear()

    yield change
    remote.client.cache_clear()


@pytest.fixture
def trusting(https_server: HttpsServer, configure: Configure) -> None:
    """Set kiok.gitsync.ssl.ca.info to the server's CA."""
    configure(gitsync_ssl_ca_info=https_server.ca_file)


@pytest.fixture(scope="session")
def openpgp() -> Iterator[OpenPgpKeys]:
    with OpenPgpKeys.made() as keys:
        yield keys


@pytest.fixture(scope="session")
def ssh_ada(tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    return SshKey(tmp_path_factory.mktemp("ssh"), "ada")


@pytest.fixture(scope="session")
def ssh_eve(tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    return SshKey(tmp_path_factory.mktemp("ssh"), "eve")


@pytest.fixture
def verification(work_repo: WorkRepo, tmp_path: Path) -> Verification:
    return Verification(work_repo, tmp_path)


@pytest.fixture
def git_client(tmp_path: Path) -> GitClient:
    """Git that fetches from folders too."""
    return GitClient(GitSettings(home=tmp_path / "home", allow_protocols=PROTOCOLS))


@pytest.fixture
def mirror(tmp_path: Path, git_client: GitClient) -> Mirror:
    """A mirror that is not there yet."""
    return Mirror(tmp_path / "mirrors" / "1", git_client)


@pytest.fixture
def hooked(transactional_db: None) -> Repository:
    """A repository `team` that follows `main`, with a webhook secret."""
    row = Connection(id="team-hook", type=Connection.Type.SECRET)
    row.set_properties({"secret": SECRET})
    return Repository.objects.create(name="team", url="file:///nowhere.git", webhook_secret=row)


@pytest.fixture
def redis_server(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RedisServer]:
    """A Redis that this process, too, sends its tasks to."""
    with RedisServer(tmp_path) as server:
        settings.KIOK = replace(settings.KIOK, broker="redis")
        settings.KIOK_REDIS_URL = server.url
        monkeypatch.setattr(Conf, "BROKER_CLASS", "gitsync.queue.brokers.redis.RedisBroker")
        yield server
