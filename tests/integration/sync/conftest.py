"""Fixtures that the tests of syncs share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from gitsync.models import Repository
from tests.integration.conftest import Sync
from tests.support.held_commits import TWO, UIDS
from tests.support.polled_repository import Polled
from tests.support.servers.repositories import WorkRepo
from tests.support.stateful.nursery import Nursery


@pytest.fixture(scope="module")
def nursery(django_db_setup: None) -> Iterator[Nursery]:
    """Start the process whose forks are syncs that are killed."""
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def ada(transactional_db: None) -> User:
    return User.objects.create_superuser("ada", password="x")


@pytest.fixture
def guarded(work_repo: WorkRepo, repository: Repository, sync: Sync) -> Repository:
    """A synced repository of two DAGs whose allowEmpty is false."""
    Repository.objects.update(subpath="dags", allow_empty=False)
    work_repo.publish({**TWO, "README": "x"})
    assert sync().created == UIDS
    repository.refresh_from_db()
    return repository


@pytest.fixture
def polled(repository: Repository) -> Polled:
    return Polled(repository.pk)
