"""A paused repository is not synced and keeps its DAGs, declared or not, until it is resumed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from gitsync import tasks
from gitsync.actions import ActionRefused, ask_for_dry_run, ask_for_sync, pause, resume
from gitsync.models import Delivery, ManagedBy, Repository, SourceFile, SyncRun
from gitsync.repositories.declared import follow_declaration
from gitsync.sync.lease import leave_request
from gitsync.sync.report import SyncReport
from gitsync.sync.run import SyncOptions, sync_repository
from gitsync.worker.poller import RepositoryPoller
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.cluster import eventually, workers
from tests.support.git_services import SENDERS
from tests.support.processes import gitsync
from tests.support.queue_state import run_now
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

WHY = "the team moves its tables"


@pytest.fixture
def ada(transactional_db: None) -> User:
    return User.objects.create_superuser("ada", password="x")


def interrupt(repository: Repository, action: Callable[[], object]) -> SyncReport:
    """Sync, and have `action` happen just before anything is written."""
    done = []

    def progress(step: str, _detail: str) -> None:
        if step == "apply" and not done:
            done.append(True)
            action()

    report = sync_repository(repository.pk, SyncOptions(), progress)
    assert done, "there was nothing to apply"
    return report


def served() -> list[tuple[str, int]]:
    return list(Dag.objects.order_by("uid").values_list("uid", "version"))


def poll_due() -> list[int]:
    """Run one tick of the leader, and return the keys of the repositories that it passed to a worker."""
    handed: list[int] = []
    before = threading.active_count()
    poller = RepositoryPoller(handed.append, 4, 4)
    poller.tick()
    eventually(
        lambda: poller.under_way() == 0 and threading.active_count() <= before, 30, "the end of the polls"
    )
    return handed


def test_a_paused_repository_is_not_synced_by_any_trigger(
    ada: User, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    other = Repository.objects.create(name="other", url=work_repo.file_url)
    secret = Connection(id="hook", type="secret")
    secret.set_properties({"secret": "s3cret-of-the-hook"})
    Repository.objects.filter(pk=repository.pk).update(webhook_secret=secret, next_due_at=timezone.now())
    work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
    repository.refresh_from_db()
    pause(ada, repository, WHY)
    before = Repository.objects.filter(pk=repository.pk).values().get()

    assert poll_due() == [other.pk]

    assert run_now(repository.pk, "schedule") == f"team: failing the repository is paused by ada: {WHY}"
    with pytest.raises(ActionRefused, match=WHY) as refused:
        ask_for_sync(ada, repository)
    assert refused.value.code == "paused"
    browser = Client()
    browser.force_login(ada)
    page = f"/admin/gitsync/repository/{repository.pk}"
    shown = browser.post(f"{page}/sync/", follow=True).content.decode()
    assert f"team is paused by ada: {WHY}. Resume it first." in shown

    github = SENDERS["github"]
    push = github.push("refs/heads/main")
    headers = github.headers(push.event, "one", push.body, "s3cret-of-the-hook")
    answer = Client().generic("POST", "/hooks/team/", push.body, "application/json", headers=headers)
    assert (answer.status_code, answer.json()["outcome"]) == (200, "paused")
    assert Delivery.objects.get().outcome == "paused"

    named = gitsync("--now", "--repo", "team", "--json")
    assert named.returncode == 1
    (entry,) = json.loads(named.stdout)["repositories"]
    assert (entry["reason"], entry["message"]) == ("paused", f"the repository is paused by ada: {WHY}")

    assert OrmQ.objects.count() == 0
    assert SyncRun.objects.filter(repository=repository).count() == 1
    assert Repository.objects.filter(pk=repository.pk).values().get() == before
    assert served() == [("team/a.yaml", 1)]


def test_the_command_skips_paused_ones_with_a_line_and_lists_them(
    ada: User, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    pause(ada, repository, WHY)
    alone = gitsync("--now")
    assert (alone.returncode, alone.stdout) == (0, "")
    assert f"team is paused by ada: {WHY}. Resume it first. It is skipped." in alone.stderr
    Repository.objects.create(name="other", url=work_repo.file_url)

    done = gitsync("--now", "--json")

    assert done.returncode == 0
    assert [entry["name"] for entry in json.loads(done.stdout)["repositories"]] == ["other"]
    assert "team is paused" in done.stderr
    assert served() == [("other/a.yaml", 1)]
    shown = gitsync("--list", COLUMNS="160").stdout
    assert "Paused" in shown
    assert f"by ada: {WHY}" in shown
    rows = {
        row["name"]: row["paused"] for row in json.loads(gitsync("--list", "--json").stdout)["repositories"]
    }
    assert rows["other"] is None
    assert (rows["team"]["by"], rows["team"]["reason"]) == ("ada", WHY)
    assert rows["team"]["at"].startswith(str(timezone.now().year))


def switch_off(repository: Repository) -> None:
    Repository.objects.filter(pk=repository.pk).update(enabled=False)


def hold_back(repository: Repository) -> None:
    pause(User.objects.get(), repository, WHY)


@pytest.mark.parametrize("action", [hold_back, switch_off])
@pytest.mark.parametrize("is_asked_again", [False, True])
def test_a_sync_under_way_commits_nothing_and_is_not_repeated(
    action: Callable[[Repository], None],
    is_asked_again: bool,
    ada: User,
    work_repo: WorkRepo,
    repository: Repository,
    sync: Sync,
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    work_repo.publish({"a.yaml": yaml_dag("a", "echo 2"), "b.yaml": yaml_dag("b")})

    def act() -> None:
        if is_asked_again:
            assert leave_request(repository.pk, "webhook", full=True)
        action(repository)

    report = interrupt(repository, act)

    assert report.reason == "configuration_changed"
    assert served() == [("team/a.yaml", 1)]
    assert DagVersion.objects.count() == SourceFile.objects.count() == 1
    assert list(SyncRun.objects.order_by("id").values_list("state", flat=True)) == ["succeeded", "abandoned"]
    row = Repository.objects.get()
    assert (row.lease_holder, row.pending_request, row.state) == ("", None, "in_sync")


def test_resuming_polls_immediately_and_compiles_only_changes(
    ada: User, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    repository.refresh_from_db()
    pause(ada, repository, "first")
    pause(ada, repository, WHY)
    assert Repository.objects.get().pause_reason == WHY

    resume(ada, repository)

    row = Repository.objects.get()
    assert (row.paused_at, row.paused_by, row.pause_reason) == (None, "", "")
    assert row.next_due_at <= timezone.now()
    assert poll_due() == [], "nothing is new, so no worker is asked"
    assert Repository.objects.get().checked_at > row.checked_at  # type: ignore[operator]
    assert SyncRun.objects.count() == 1

    pause(ada, row, WHY)
    work_repo.publish({"b.yaml": yaml_dag("b", "echo 2")})
    resume(ada, row)
    assert Repository.objects.get().next_due_at <= timezone.now()
    report = sync()
    assert (report.compiled, report.reused, report.updated) == (1, 1, ("team/b.yaml",))


def test_requests_before_the_pause_are_dropped_and_resumed_ones_synced(
    ada: User, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    other = Repository.objects.create(name="other", url=work_repo.file_url)
    ask_for_sync(ada, repository)
    pause(ada, repository, WHY)

    with workers({"KIOK_GITSYNC_INTERVAL_MS": "1000", "KIOK_WORKERS": "2"}):
        eventually(lambda: Dag.objects.filter(repository="other"), 30, "the other's first sync")
        first_poll = Repository.objects.get(pk=other.pk).checked_at
        eventually(lambda: Repository.objects.get(pk=other.pk).checked_at != first_poll, 20, "its next look")
        eventually(lambda: not OrmQ.objects.exists(), 20, "the task of before the pause")
        assert Repository.objects.get(pk=repository.pk).checked_at is None
        assert not SyncRun.objects.filter(repository=repository).exists()

        resume(ada, Repository.objects.get(pk=repository.pk))
        eventually(lambda: Dag.objects.filter(repository="team"), 20, "the sync of what was resumed")


def test_a_dry_run_shows_what_resuming_would_do_and_writes_nothing(
    ada: User, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    pause(ada, repository, WHY)
    assert ask_for_dry_run(ada, repository)
    assert tasks.dry_run(repository.pk)["report"]["created"] == ["team/a.yaml"]
    shown = gitsync("--now", "--dry-run", "--json")
    assert json.loads(shown.stdout)["repositories"][0]["created"] == ["team/a.yaml"]
    assert Dag.objects.count() == SyncRun.objects.count() == 0
    assert Repository.objects.get().is_paused


def test_a_declared_repository_stays_paused_over_restarts_and_edits(
    ada: User, work_repo: WorkRepo, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_repo.publish({"dags/a.yaml": yaml_dag("a")})

    def declare(subpath: str) -> Any:
        return gitsync("--now", "--json", KIOK_GITSYNC_REPOS=f"ours|{work_repo.file_url}|main|{subpath}")

    assert declare("").returncode == 0
    row = Repository.objects.get()
    assert row.managed_by == ManagedBy.CONFIG
    pause(ada, row, WHY)

    for subpath in ("", "dags"):
        assert json.loads(declare(subpath).stdout)["repositories"] == []

    row.refresh_from_db()
    assert (row.subpath, row.paused_by, row.pause_reason) == ("dags", "ada", WHY)
    assert follow_declaration() == []  # of a process without declarations
    assert served() == [("ours/dags/a.yaml", 1)]
    resume(ada, row)
    assert json.loads(declare("dags").stdout)["repositories"][0]["unchanged"] == 1


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 501])
def test_a_pause_needs_a_reason_that_fits(reason: str, ada: User, repository: Repository) -> None:
    with pytest.raises(ActionRefused):
        pause(ada, repository, reason)
    assert not Repository.objects.get().is_paused


def test_pausing_writes_nothing_but_the_pause(ada: User, repository: Repository) -> None:
    stale = Repository.objects.get()
    Repository.objects.update(last_good_commit="1" * 40, lease_number=7, ref="other")
    pause(ada, stale, WHY)
    row = Repository.objects.get()
    assert (row.last_good_commit, row.lease_number, row.ref, row.is_paused) == ("1" * 40, 7, "other", True)
    connections.close_all()
