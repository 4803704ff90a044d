"""What is cleared away by age, what never is, and what that costs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ, Task

from gitsync.models import Delivery, Repository, SyncRun
from gitsync.retention import Retention, batches, remove_leftover_mirrors, rounds
from gitsync.retention.rules import rules
from gitsync.sync.remote import mirror_of
from kiok.metadata.models import Dag, DagRun, DagVersion, TaskRun
from tests.integration.conftest import Sync, yaml_dag
from tests.support.cluster import eventually, workers
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db

NEVER = dict.fromkeys(
    [f"retention_{kind}_days" for kind in ("syncs", "sync_logs", "versions", "runs", "deliveries", "tasks")],
    0,
)


@pytest.fixture
def clear(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Go over everything once, under these properties alone; what was removed."""

    def clear(**given: int) -> Mapping[str, int]:
        monkeypatch.setattr(settings, "KIOK", replace(settings.KIOK, **{**NEVER, **given}))
        return Retention().round()

    return clear


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def a_repository(name: str = "team") -> Repository:
    return Repository.objects.create(name=name, url="file:///nowhere.git", next_due_at=ago(-1))


def a_sync(repository: Repository, days: float, state: str = "succeeded", **values: Any) -> int:
    row = SyncRun.objects.create(
        repository=repository,
        lease_number=1,
        trigger="schedule",
        state=state,
        started_at=ago(days),
        finished_at=None if state == "running" else ago(days),
        **{"log": "0.000 began", **values},
    )
    return row.pk


def a_version(uid: str, version: int, days: float) -> None:
    DagVersion.objects.create(uid=uid, version=version, spec={}, spec_hash="", created_at=ago(days))


def a_run(uid: str, version: int, days: float, state: str = "SUCCESS", tasks: int = 1) -> int:
    run = DagRun.objects.create(uid=uid, version=version, trigger="manual", state=state)
    DagRun.objects.filter(pk=run.pk).update(created_at=ago(days))
    TaskRun.objects.bulk_create(TaskRun(dag_run=run, uid=uid, task_id=f"t{n}") for n in range(tasks))
    return run.pk


def versions_of(uid: str) -> list[int]:
    return list(DagVersion.objects.filter(uid=uid).order_by("version").values_list("version", flat=True))


# What goes, and what stays.


def test_old_syncs_go_but_for_the_newest_the_last_good_one_and_the_last_failed_one(clear: Any) -> None:
    team, quiet = a_repository("team"), a_repository("quiet")
    old = [a_sync(team, 100, state) for state in ("failed", "succeeded", "partial", "failed", "abandoned")]
    of_quiet = [a_sync(quiet, 200), a_sync(quiet, 190, "failed")]
    stuck = a_sync(team, 99, "running")
    newest = [a_sync(team, 98, "abandoned"), a_sync(team, 97, "abandoned"), a_sync(team, 1, "abandoned")]
    assert clear(retention_syncs_days=90, retention_syncs_newest=3) == {"syncs": 3}
    kept = {old[2], old[3], stuck, *newest, *of_quiet}
    assert set(SyncRun.objects.values_list("pk", flat=True)) == kept


def test_the_log_of_a_sync_goes_before_the_sync_does(clear: Any) -> None:
    team = a_repository()
    old, newer, young = a_sync(team, 40), a_sync(team, 31), a_sync(team, 29)
    removed = clear(retention_sync_logs_days=30, retention_syncs_newest=2)
    assert removed == {"sync logs": 1}
    logs = dict(SyncRun.objects.values_list("pk", "log"))
    assert logs == {old: "", newer: "0.000 began", young: "0.000 began"}
    assert clear(retention_sync_logs_days=30, retention_syncs_newest=2) == {}


def test_versions_go_but_for_the_newest_the_served_one_and_those_that_runs_refer_to(clear: Any) -> None:
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
def test_a_dag_that_returns_goes_on_with_its_numbers_and_its_runs(
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


def test_runs_that_ended_go_with_their_tasks_and_then_the_versions_that_they_kept(clear: Any) -> None:
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


def test_a_run_of_many_tasks_goes_in_many_small_transactions(
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


def test_deliveries_sessions_and_what_is_left_of_tasks_go(clear: Any) -> None:
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


def test_what_is_kept_for_ever_is(clear: Any) -> None:
    team = a_repository()
    for _ in range(200):
        a_sync(team, 4000)
    for version in range(1, 100):
        a_version("team/a.yaml", version, 4000)
    a_run("team/b.yaml", 1, 4000)
    Delivery.objects.create(repository=team, received_at=ago(4000), status=202, outcome="queued")
    Task.objects.create(id="1", name="a", func="f", started=ago(4000), stopped=ago(4000))
    assert clear() == {}


def test_by_default_all_that_grows_is_bounded_but_runs_and_what_they_refer_to() -> None:
    assert {rule.name for rule in rules(settings.KIOK)} == {
        *("syncs", "sync logs", "versions", "deliveries", "sessions", "tasks", "tasks that no worker took")
    }


# Mirrors.


def test_the_mirrors_of_repositories_that_are_gone_are_removed_unless_they_are_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gitsync.git.mirror._LOCK_PATIENCE_SECONDS", 0.1)
    kept = a_repository()
    mirrors = [mirror_of(pk) for pk in (kept.pk, kept.pk + 1, kept.pk + 2)]
    root = mirrors[0].directory.parent
    for mirror in mirrors:
        (mirror.git_directory / "objects").mkdir(parents=True)
    for name in ("notes", "007"):
        (root / name).mkdir(exist_ok=True)
    with mirrors[2].hold():
        assert remove_leftover_mirrors() >= 1
    names = {path.name for path in root.iterdir()}
    assert {str(kept.pk), str(kept.pk + 2), "notes", "007"} <= names
    assert str(kept.pk + 1) not in names
    assert remove_leftover_mirrors() == 1
    assert not mirrors[2].directory.exists()


# What it costs, and whom it waits for.

MANY, OLD = 50_000, 4_000
TABLES = ("gitsync_syncrun", "metadata_dagversion", "metadata_dagrun")


def write_many_rows() -> None:
    """Of each kind `MANY`, over 200 repositories and 500 DAGs, the first `OLD` of them 1 000 days old."""
    Repository.objects.bulk_create(Repository(name=f"r{n}", url="file:///nowhere.git") for n in range(200))
    first = Repository.objects.order_by("pk").values_list("pk", flat=True)[0]
    age = f"now() - interval '1 day' * CASE WHEN n <= {OLD} THEN 1000 ELSE 0 END"
    rows = f"FROM generate_series(1, {MANY}) n"
    with connection.cursor() as cursor:
        cursor.execute(f"""INSERT INTO gitsync_syncrun (repository_id, lease_number, trigger, requested_by, "full", state,
            step, reason, message, from_commit, to_commit, changes, unchanged, compiled, reused, failed_files, files_done,
            files_total, log, timings, repeats, started_at, finished_at)
            SELECT {first} + n % 200, n, 'schedule', '', false, CASE WHEN n % 7 = 0 THEN 'failed' ELSE 'succeeded' END,
            '', '', '', '', '', '{{}}', 0, 0, 0, '[]', 0, 0, 'began', '{{}}', 0, {age}, {age} {rows}""")
        cursor.execute(f"""INSERT INTO metadata_dagversion (uid, version, spec, spec_hash, commit_sha, created_at)
            SELECT 'r' || n % 500 || '/a.yaml', 1 + n / 500, '{{}}', '', '', {age} {rows}""")
        cursor.execute(f"""INSERT INTO metadata_dagrun (uid, version, trigger, state, created_at)
            SELECT 'r' || n % 500 || '/a.yaml', 1 + n % 500, 'x', 'SUCCESS', {age} {rows}""")
        cursor.execute(f"ANALYZE {', '.join(TABLES)}")


def test_among_fifty_thousand_rows_a_pass_looks_at_the_old_ones_alone_by_index(
    clear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "ROUND_SECONDS", 600)
    write_many_rows()
    wanted = {f"retention_{kind}_days": 365 for kind in ("syncs", "sync_logs", "versions", "runs")}
    newest = {f"retention_{kind}_newest": 10 for kind in ("syncs", "versions", "runs")}
    with CaptureQueriesContext(connection) as captured:
        removed = clear(**wanted, **newest)
    kept_by_runs = 7  # `r0` to `r6` ran at an old version, and still do
    assert removed == {"syncs": OLD, "versions": OLD - kept_by_runs, "runs": OLD}
    steps = 4 * (1 + OLD // batches.BATCH)
    assert len(captured) <= 10 * steps
    whole_tables = [f"Seq Scan on {table}" for table in TABLES]
    plans = [plan_of(query["sql"]) for query in captured if any(table in query["sql"] for table in TABLES)]
    assert len(plans) > 40
    found = [plan for plan in plans if any(read in plan for read in whole_tables)]
    assert not found, found[0]


def plan_of(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(row[0] for row in cursor.fetchall())


def test_a_round_stops_when_its_time_is_up_and_the_next_goes_on(
    clear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = a_repository()
    for _ in range(30):
        a_sync(team, 100)
    monkeypatch.setattr(batches, "BATCH", 10)
    monkeypatch.setattr(rounds, "ROUND_SECONDS", -1)
    monkeypatch.setattr(
        settings,
        "KIOK",
        replace(settings.KIOK, **NEVER | {"retention_syncs_days": 90, "retention_syncs_newest": 1}),
    )
    retention = Retention()
    assert [retention.round().get("syncs", 0) for _ in range(3)] == [10, 10, 9]
    while retention._under_way:
        assert retention.round() == {}
    a_sync(team, 100)
    a_sync(team, 100)
    assert retention.round() == {}, "all of it was gone over within the hour"


@pytest.mark.django_db(transaction=True)
def test_rows_that_another_transaction_holds_are_left_for_the_next_time(clear: Any) -> None:
    team = a_repository()
    syncs = [a_sync(team, 100) for _ in range(5)]
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        other = connections["default"].copy()
        try:
            other.set_autocommit(False)
            with other.cursor() as cursor:
                cursor.execute("SELECT 1 FROM gitsync_syncrun WHERE id = %s FOR UPDATE", [syncs[1]])
                held.set()
                done.wait(600)
            other.rollback()
        finally:
            other.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(600)
        assert clear(retention_syncs_days=90, retention_syncs_newest=1) == {"syncs": 3}
    finally:
        done.set()
        thread.join()
    assert set(SyncRun.objects.values_list("pk", flat=True)) == {syncs[1], syncs[4]}
    assert clear(retention_syncs_days=90, retention_syncs_newest=1) == {"syncs": 1}


@pytest.mark.django_db(transaction=True)
def test_a_kind_that_cannot_be_cleared_away_stops_no_other(
    clear: Any, caplog: pytest.LogCaptureFixture
) -> None:
    team = a_repository()
    for _ in range(3):
        a_sync(team, 100)
        a_version("team/a.yaml", SyncRun.objects.count(), 400)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE gitsync_syncrun RENAME COLUMN started_at TO began_at")
    try:
        removed = clear(retention_syncs_days=90, retention_versions_days=365, retention_versions_newest=2)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE gitsync_syncrun RENAME COLUMN began_at TO started_at")
    assert removed == {"versions": 1}
    assert "retention of syncs failed" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_leader_clears_away_while_repositories_sync(work_repo: WorkRepo, repository: Repository) -> None:
    old = [a_sync(repository, 100) for _ in range(20)]
    mirror = mirror_of(repository.pk + 1)
    mirror.git_directory.mkdir(parents=True)
    work_repo.publish({"a.yaml": yaml_dag("a")})
    limits = {"KIOK_RETENTION_SYNCS_NEWEST": "3", "KIOK_GITSYNC_INTERVAL_MS": "1000", "KIOK_WORKERS": "1"}
    with workers(limits):
        eventually(lambda: not SyncRun.objects.filter(pk__in=old[:17]).exists(), 60, "old syncs gone")
        eventually(lambda: Dag.objects.filter(uid="team/a.yaml"), 60, "the sync")
        eventually(lambda: not mirror.directory.exists(), 60, "the mirror gone")
    assert Path(mirror_of(repository.pk).git_directory).exists()
