"""Rounds of retention: their queries, their time limit, and rows that others lock."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from gitsync.models import Repository, SyncRun
from gitsync.retention import Retention, batches, rounds
from gitsync.sync.remote import mirror_of
from kiok.metadata.models import Dag
from tests.integration.conftest import yaml_dag
from tests.support.cluster import eventually, workers
from tests.support.old_rows import NEVER, a_repository, a_sync, a_version
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db


MANY, OLD = 50_000, 4_000
TABLES = ("gitsync_syncrun", "metadata_dagversion", "metadata_dagrun")


def write_many_rows() -> None:
    """Create `MANY` rows of each kind, for 200 repositories and 500 DAGs; the first `OLD` are 1 000 days old."""
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


def test_a_pass_over_fifty_thousand_rows_reads_only_old_ones_by_index(
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


def test_a_round_stops_when_its_time_is_up_and_the_next_continues(
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
