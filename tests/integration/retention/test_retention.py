"""Rows and mirrors that retention removes, and those that it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ, Task

from gitsync.models import Delivery, Repository, SyncRun
from gitsync.retention import remove_leftover_mirrors
from gitsync.retention.rules import rules
from gitsync.sync.remote import mirror_of
from kiok.metadata.models import Dag, DagRun, DagVersion, TaskRun
from tests.integration.conftest import Configure, Sync, yaml_dag
from tests.support.old_rows import a_repository, a_run, a_sync, a_version, ago, versions_of
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db


# Removed and kept rows.


def test_old_syncs_expire_except_the_newest_last_good_and_last_failed(clear: Any) -> None:
    team, quiet = a_repository("team"), a_repository("quiet")
    old = [a_sync(team, 100, state) for state in ("failed", "succeeded", "partial", "failed", "abandoned")]
    of_quiet = [a_sync(quiet, 200), a_sync(quiet, 190, "failed")]
    stuck = a_sync(team, 99, "running")
    newest = [a_sync(team, 98, "abandoned"), a_sync(team, 97, "abandoned"), a_sync(team, 1, "abandoned")]
    assert clear(retention_syncs_days=90, retention_syncs_newest=3) == {"syncs": 3}
    kept = {old[2], old[3], stuck, *newest, *of_quiet}
    assert set(SyncRun.objects.values_list("pk", flat=True)) == kept


def test_the_log_of_a_sync_is_removed_before_the_sync(clear: Any) -> None:
    team = a_repository()
    old, newer, young = a_sync(team, 40), a_sync(team, 31), a_sync(team, 29)
    removed = clear(retention_sync_logs_days=30, retention_syncs_newest=2)
    assert removed == {"sync logs": 1}
    logs = dict(SyncRun.objects.values_list("pk", "log"))
    assert logs == {old: "", newer: "0.000 began", young: "0.000 began"}
    assert clear(retention_sync_logs_days=30, retention_syncs_newest=2) == {}


def test_versions_expire_except_the_newest_the_served_and_those_of_runs(clear: Any) -> None:
    for version in range(1, 8):
        a_version("team/a.yaml", version, 400 - version)
        a_version("team/gone.yaml", version, 500)
    a_version("team/young.yaml", 1, 3)
    a_version("team/young.yaml", 2, 2)
    a_version("team/young.yaml", 3, 1)
    a_run("team/a.yaml", 2, 300)
    Dag.objects.create(
        uid="team/a.yaml", version=4, spec={}, origin="git", created_at=ago(9), updated_at=ago(9)
    )  # restored by hand, say
    removed = clear(retention_versions_days=365, retention_versions_newest=2)
    assert removed == {"versions": 8}
    assert versions_of("team/a.yaml") == [2, 4, 6, 7]
    assert versions_of("team/gone.yaml") == [6, 7]
    assert versions_of("team/young.yaml") == [1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_a_dag_that_returns_continues_its_versions_and_runs(
    work_repo: WorkRepo, repository: Repository, sync: Sync, clear: Any
) -> None:
    for number in range(1, 4):
        work_repo.publish({"a.yaml": yaml_dag("a", f"echo {number}"), "b.yaml": yaml_dag("b")})
        sync()
    kept = a_run("team/a.yaml", 1, 900)
    work_repo.git("rm", "-q", "a.yaml")
    work_repo.publish()
    sync()
    DagVersion.objects.update(created_at=ago(800))
    SyncRun.objects.update(started_at=ago(800))
    removed = clear(
        retention_versions_days=1,
        retention_versions_newest=2,
        retention_syncs_days=1,
        retention_syncs_newest=1,
        retention_runs_days=1,
        retention_runs_newest=1,
    )
    assert removed == {"syncs": 3}, "no version is beyond the newest two and that of the kept run"
    assert versions_of("team/a.yaml") == [1, 2, 3]
    work_repo.publish({"a.yaml": yaml_dag("a", "echo 4")})
    assert sync().created == ("team/a.yaml",)
    assert Dag.objects.get(uid="team/a.yaml").version == 4
    assert clear(retention_versions_days=1, retention_versions_newest=2) == {"versions": 1}
    assert versions_of("team/a.yaml") == [1, 3, 4]
    assert DagRun.objects.get().pk == kept


def test_ended_runs_expire_with_their_tasks_and_then_their_versions(clear: Any) -> None:
    for version in (1, 2, 3, 4):
        a_version("team/a.yaml", version, 400)
    ended = [a_run("team/a.yaml", 1, 50, state) for state in ("SUCCESS", "FAILED", "CANCELLED")]
    under_way = [a_run("team/a.yaml", 2, 50, state) for state in ("PENDING", "RUNNING")]
    newest = [a_run("team/a.yaml", 4, 40), a_run("team/a.yaml", 4, 1)]
    other = a_run("other/b.yaml", 1, 90)
    assert clear(retention_runs_days=0, retention_versions_days=0) == {}
    removed = clear(
        retention_runs_days=30,
        retention_runs_newest=2,
        retention_versions_days=365,
        retention_versions_newest=2,
    )
    assert removed == {"runs": len(ended), "versions": 1}
    kept = {*under_way, *newest, other}
    assert set(DagRun.objects.values_list("pk", flat=True)) == kept
    assert set(TaskRun.objects.values_list("dag_run", flat=True)) == kept
    assert versions_of("team/a.yaml") == [2, 3, 4]


def test_a_run_of_many_tasks_is_removed_in_small_transactions(
    clear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitsync.retention.rules.BATCH", 10)
    a_run("team/a.yaml", 1, 50, tasks=35)
    a_run("team/a.yaml", 1, 1)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert clear(retention_runs_days=30, retention_runs_newest=1) == {"runs": 1}
    deletions = [query for query in queries if 'DELETE FROM "metadata_taskrun"' in query["sql"]]
    assert len(deletions) >= 4
    assert TaskRun.objects.count() == DagRun.objects.count() == 1


def test_old_deliveries_sessions_and_tasks_are_removed(clear: Any) -> None:
    team = a_repository()
    for days in (31, 29):
        Delivery.objects.create(repository=team, received_at=ago(days), status=202, outcome="queued")
    for key, days in (("old", 0.01), ("valid", -1)):
        Session.objects.create(session_key=key, session_data="", expire_date=ago(days))
    for key, days in (("old", 8), ("young", 6)):
        for success in (True, False):
            Task.objects.create(
                id=f"{key}{success}",
                name=key,
                func="f",
                started=ago(days),
                stopped=ago(days),
                success=success,
            )
    for key, days in (("nobody's", 8), ("waits", 1), ("under way", -0.01)):
        OrmQ.objects.create(key=key, payload="", lock=ago(days))
    assert clear(retention_deliveries_days=30, retention_tasks_days=7) == {
        "deliveries": 1,
        "sessions": 1,
        "tasks": 2,
        "tasks that no worker took": 1,
    }
    assert Session.objects.get().pk == "valid"
    assert set(OrmQ.objects.values_list("key", flat=True)) == {"waits", "under way"}


def test_rows_without_a_limit_are_kept(clear: Any) -> None:
    team = a_repository()
    for _ in range(200):
        a_sync(team, 4000)
    for version in range(1, 100):
        a_version("team/a.yaml", version, 4000)
    a_run("team/b.yaml", 1, 4000)
    Delivery.objects.create(repository=team, received_at=ago(4000), status=202, outcome="queued")
    Task.objects.create(id="1", name="a", func="f", started=ago(4000), stopped=ago(4000))
    assert clear() == {}


def test_by_default_all_tables_that_grow_are_bounded_except_runs() -> None:
    assert {rule.name for rule in rules(settings.KIOK)} == {
        *("syncs", "sync logs", "versions", "deliveries", "sessions", "tasks", "tasks that no worker took")
    }


# Mirrors.


def test_mirrors_of_removed_repositories_are_deleted_unless_in_use(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A data folder of its own: a call removes some mirrors only, and other tests leave many.
    configure(base_data_dir=tmp_path)
    monkeypatch.setattr("gitsync.git.mirror._LOCK_PATIENCE_SECONDS", 0.1)
    kept = a_repository()
    mirrors = [mirror_of(pk) for pk in (kept.pk, kept.pk + 1, kept.pk + 2)]
    root = mirrors[0].directory.parent
    for mirror in mirrors:
        (mirror.git_directory / "objects").mkdir(parents=True)
    for name in ("notes", "007"):
        (root / name).mkdir(exist_ok=True)
    with mirrors[2].hold():
        assert remove_leftover_mirrors() == 1
    names = {path.name for path in root.iterdir()}
    assert {str(kept.pk), str(kept.pk + 2), "notes", "007"} <= names
    assert str(kept.pk + 1) not in names
    assert remove_leftover_mirrors() == 1
    assert not mirrors[2].directory.exists()
