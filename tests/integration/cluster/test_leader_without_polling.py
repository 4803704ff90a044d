"""The leader leads also where repositories are not polled on an interval: it has other work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django_q.models import OrmQ
from pytest_django import Settings

from gitsync import tasks
from gitsync.models import Repository, Trigger
from kiok.cluster.leader import LeaderElector
from kiok.cluster.models import LeaderLease, Worker
from tests.integration.conftest import yaml_dag
from tests.support.cluster import eventually
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _switched_off(settings: Settings) -> None:
    settings.KIOK = replace(settings.KIOK, gitsync_enabled=False)


@contextmanager
def leading() -> Iterator[None]:
    """A leader."""
    candidate = LeaderElector()
    candidate.start()
    try:
        yield
    finally:
        candidate.stop()
        candidate.join(600)


@pytest.mark.usefixtures("_switched_off")
def test_the_leader_removes_old_rows_and_dispatches_but_polls_nothing(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    Session.objects.create(session_key="old", session_data="", expire_date=Now() - timedelta(days=1))
    Worker.objects.create(name="ant/boot/1", started_at=Now(), seen_at=Now() + timedelta(minutes=1))
    tasks.enqueue_sync(repository.pk, Trigger.ADMIN)
    repository.queued_syncs.update(requested_at=Now() - timedelta(minutes=1))
    OrmQ.objects.all().delete()

    # Only now: it clears away when it begins to lead, and then once an hour.
    with leading():
        eventually(lambda: LeaderLease.objects.exclude(holder="").exists(), 20, "it leads")
        eventually(lambda: not Session.objects.exists(), 20, "what is old is cleared away")
        eventually(OrmQ.objects.exists, 20, "a worker is woken for the sync whose task was lost")
        assert Repository.objects.get().checked_at is None
