"""Syncs of one team do not delay another: real workers, a flood and a push.

A batch is what workers are at when a push comes, one sync each (docs/operate/scaling.md).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.db.models import Max

from gitsync import tasks
from gitsync.models import QueuedSync, Repository, SyncRun, Trigger
from kiok.cluster.models import Worker
from kiok.metadata.models import Dag
from tests.integration.conftest import yaml_dag
from tests.support.cluster import eventually, workers
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

FLOOD = 500
# YAML files, which take some 5 s to compile: a long sync.
LARGE = 8600
WORKERS = 2
NOT_DUE = datetime(2100, 1, 1, tzinfo=UTC)
PROPERTIES = {"KIOK_GITSYNC_INTERVAL_MS": "600000", "KIOK_WORKERS": str(WORKERS)}


@pytest.fixture
def other_repo(tmp_path: Path) -> WorkRepo:
    return WorkRepo(tmp_path / "other")


@pytest.fixture
def other(other_repo: WorkRepo, transactional_db: None) -> Repository:
    """The other team's repository."""
    made = Repository.objects.create(name="other", url=other_repo.file_url, next_due_at=NOT_DUE)
    made.groups.add(Group.objects.create(name="other team"))
    push(other_repo, "echo 1")
    return made


def push(repo: WorkRepo, script: str) -> Callable[[], bool]:
    """A single file of the other team's; whether it is served."""
    repo.publish({"a.yaml": yaml_dag("a", script)})
    return lambda: any(
        script in str(spec) for spec in Dag.objects.filter(uid="other/a.yaml").values_list("spec", flat=True)
    )


def begun_between(first: int, last: int) -> int:
    """Syncs of the flood that began after one and before another."""
    return SyncRun.objects.filter(pk__gt=first, pk__lt=last, repository__name__startswith="flood").count()


def test_a_flood_of_five_hundred_delays_another_teams_push_by_one_batch(
    work_repo: WorkRepo, other_repo: WorkRepo, other: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    flood = Repository.objects.bulk_create(
        Repository(name=f"flood-{number}", url=work_repo.file_url) for number in range(FLOOD)
    )
    with workers(PROPERTIES):
        eventually(lambda: Worker.objects.count() == WORKERS, 30, "both work")
        for row in flood[: FLOOD // 10]:
            tasks.enqueue_sync(row.pk, Trigger.WEBHOOK)
        waiting = QueuedSync.objects.filter(repository__name__startswith="flood", claimed_by="")
        eventually(lambda: waiting.count() > 50, 60, "the leader found many more")
        for number, trigger in enumerate((Trigger.WEBHOOK, Trigger.SCHEDULE), start=2):
            is_served = push(other_repo, f"echo {number}")
            tasks.enqueue_sync(other.pk, trigger)
            before = SyncRun.objects.aggregate(newest=Max("pk"))["newest"]
            eventually(is_served, 60, f"the push, asked for by {trigger}")
            mine = SyncRun.objects.filter(repository=other).latest("pk")
            # Each worker may finish one, and each priority of the flood's tenant may have one with the same number.
            assert begun_between(before, mine.pk) <= WORKERS + 2, trigger
            assert waiting.exists(), "the flood was over, which shows nothing"


def test_two_large_repositories_leave_a_worker_to_another_teams_push(
    work_repo: WorkRepo, other_repo: WorkRepo, other: Repository
) -> None:
    work_repo.publish({f"d/{number}.yaml": yaml_dag(f"d{number}") for number in range(LARGE)})
    large = [
        Repository.objects.create(name=f"large-{number}", url=work_repo.file_url, next_due_at=NOT_DUE)
        for number in range(WORKERS)
    ]
    with workers(PROPERTIES):
        eventually(lambda: Worker.objects.count() == WORKERS, 30, "both work")
        for row in large:
            tasks.enqueue_sync(row.pk, Trigger.WEBHOOK)
        eventually(
            lambda: QueuedSync.objects.filter(is_long=True).count() == 2,
            60,
            "both have turned out to be long",
        )
        assert SyncRun.objects.filter(step="compile").count() == 1
        is_served = push(other_repo, "echo 2")
        tasks.enqueue_sync(other.pk, Trigger.WEBHOOK)
        eventually(is_served, 60, "the push")
        assert SyncRun.objects.filter(state="running", step="compile").count() == 1, (
            "it waited for the large one"
        )
        assert QueuedSync.objects.filter(is_long=True, claimed_by="").count() == 1, (
            "the second large one waits for the first"
        )
        assert {run.repository.name for run in SyncRun.objects.select_related("repository")} == {
            "other",
            SyncRun.objects.get(step="compile").repository.name,
        }, "a sync that was put back left a record"
        Repository.objects.update(
            enabled=False
        )  # running syncs commit nothing, and queued ones end immediately
