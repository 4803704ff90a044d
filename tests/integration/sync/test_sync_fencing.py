"""One commit, one transaction, fenced: a sync without the claim, or with an old configuration, commits nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from gitsync.models import Repository, SourceFile, SyncRun, Trigger
from gitsync.sync import apply as store
from gitsync.sync import context
from gitsync.sync.backoff import poll_now
from gitsync.sync.lease import SyncLease, acquire, leave_request, release
from gitsync.sync.poll import poll, settled
from gitsync.sync.remote import Remote
from gitsync.sync.report import SyncReport
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.cluster.clock import database_now
from kiok.metadata.models import Dag, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.queue_state import run_now
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def interrupt(repository: Repository, step: str, action: Callable[[], object]) -> SyncReport:
    """Sync, and have `action` happen when that step begins."""
    done = []

    def progress(name: str, detail: str) -> None:
        if name == step and not done:
            done.append(True)
            action()

    report = sync_repository(repository.pk, SyncOptions(), progress)
    assert done, f"the step {step} was never reached"
    return report


def test_a_worker_whose_claim_was_taken_over_commits_nothing(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    work_repo.publish({"a.yaml": yaml_dag("a", "echo 2"), "b.yaml": yaml_dag("b")})

    def take_over() -> None:
        Repository.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        assert acquire(repository.pk) is not None

    report = interrupt(repository, "apply", take_over)

    assert report.reason == "lease_lost"
    assert list(Dag.objects.values_list("uid", "version")) == [("team/a.yaml", 1)]
    assert SourceFile.objects.count() == 1
    assert SyncRun.objects.first().state == "abandoned"  # type: ignore[union-attr]
    Repository.objects.update(lease_holder="", lease_expires_at=None)
    assert sync().created == ("team/b.yaml",)


def test_an_edit_during_a_sync_voids_it_and_the_new_configuration_follows(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"old/a.yaml": yaml_dag("a"), "new/b.yaml": yaml_dag("b")})
    Repository.objects.update(subpath="old")
    report = interrupt(repository, "apply", lambda: Repository.objects.update(subpath="new"))
    assert report.created == ("team/new/b.yaml",)
    assert list(Dag.objects.values_list("uid", flat=True)) == ["team/new/b.yaml"]
    assert list(SyncRun.objects.order_by("id").values_list("state", flat=True)) == ["abandoned", "succeeded"]


def test_an_edit_between_apply_and_finish_is_synced_next(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"old/a.yaml": yaml_dag("a"), "new/b.yaml": yaml_dag("b")})
    Repository.objects.update(subpath="old")
    interrupt(repository, "finish", lambda: Repository.objects.update(subpath="nwe"))
    report = sync()
    assert report.reason == "subpath_missing"  # not taken for a folder that an earlier sync saw
    assert Dag.objects.count() == 1
    Repository.objects.update(subpath="new")
    assert sync().created == ("team/new/b.yaml",)


def test_a_repository_deleted_during_its_sync_leaves_no_dags(
    work_repo: WorkRepo, repository: Repository
) -> None:
    from gitsync.repositories.declared import remove_repository

    work_repo.publish({"a.yaml": yaml_dag("a")})
    interrupt(repository, "apply", lambda: remove_repository(Repository.objects.get()))
    assert Dag.objects.count() == 0
    assert Repository.objects.count() == 0


def test_readers_see_the_old_commit_or_the_new_one_never_half(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    names = [f"d{number:03}" for number in range(200)]
    work_repo.publish({f"{name}.yaml": yaml_dag(name) for name in names})
    sync()
    seen: set[tuple[int, ...]] = set()
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                seen.add(tuple(sorted(set(Dag.objects.values_list("version", flat=True)))))
        finally:
            connections.close_all()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(2, 6):
            work_repo.publish({f"{name}.yaml": yaml_dag(name, f"echo {number}") for name in names})
            sync()
    finally:
        stop.set()
        reader.join()
    assert all(len(versions) == 1 for versions in seen), seen
    assert len(seen) > 1


def test_an_error_in_the_middle_of_apply_undoes_all_of_it(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    (work_repo.work / "b.yaml").unlink()
    work_repo.publish({"a.yaml": yaml_dag("a", "echo 2"), "c.yaml": yaml_dag("c")})
    # The database itself refuses the last thing apply writes.
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE 'refused'; END $$ LANGUAGE plpgsql;"
            "CREATE TRIGGER refuse BEFORE INSERT ON gitsync_sourcefile EXECUTE FUNCTION refuse();"
        )
    try:
        assert sync().reason == "internal"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER refuse ON gitsync_sourcefile; DROP FUNCTION refuse();")
    assert list(Dag.objects.order_by("uid").values_list("uid", "version")) == [
        ("team/a.yaml", 1),
        ("team/b.yaml", 1),
    ]
    assert DagVersion.objects.count() == 2
    report = sync()
    assert (report.created, report.updated, report.pruned) == (
        ("team/c.yaml",),
        ("team/a.yaml",),
        ("team/b.yaml",),
    )


def test_concurrent_syncs_have_the_result_of_one(work_repo: WorkRepo, repository: Repository) -> None:
    work_repo.publish({f"d{number}.yaml": yaml_dag(f"d{number}") for number in range(20)})
    reports: list[SyncReport] = []

    def run() -> None:
        try:
            reports.append(sync_repository(repository.pk, SyncOptions(wait=True)))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {report.state for report in reports} == {"in_sync"}
    assert Dag.objects.count() == DagVersion.objects.count() == 20
    assert not Repository.objects.exclude(lease_holder="").exists()


def test_a_task_delivered_twice_does_its_work_once(work_repo: WorkRepo, repository: Repository) -> None:

    work_repo.publish({"a.yaml": yaml_dag("a")})
    run_now(repository.pk, "schedule")
    run_now(repository.pk, "schedule")
    assert (SyncRun.objects.count(), DagVersion.objects.count()) == (1, 1)
    repository.delete()
    assert "was deleted" in run_now(999, "schedule")


def test_a_lease_is_exclusive_and_requests_during_it_are_kept(repository: Repository) -> None:
    held = acquire(repository.pk)
    assert held is not None
    assert acquire(repository.pk) is None
    assert leave_request(repository.pk, "admin")
    assert leave_request(repository.pk, "webhook", "hook", full=True)
    assert leave_request(repository.pk, "admin", "operator")
    requested = {"trigger": "admin", "requested_by": "operator", "full": True, "correlation_id": ""}
    assert release(held) == requested
    assert release(held) is None
    assert not leave_request(repository.pk, "admin")
    again = acquire(repository.pk)
    assert again is not None
    assert again.number == held.number + 1


def test_an_invalid_repository_stops_no_other(work_repo: WorkRepo, repository: Repository) -> None:
    from django.core.management import call_command

    Repository.objects.create(name="aaa-broken", url="ext::sh -c evil", ref="..", subpath="/../..")
    work_repo.publish({"a.yaml": yaml_dag("a")})
    with pytest.raises(SystemExit) as ended:
        call_command("gitsync", "--now", "--json")
    assert ended.value.code == 1
    assert Repository.objects.get(name="team").state == "in_sync"
    assert Repository.objects.get(name="aaa-broken").reason == "url_invalid"


def test_the_store_writes_batches_with_a_constant_number_of_statements(
    work_repo: WorkRepo, repository: Repository, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.test.utils import CaptureQueriesContext

    monkeypatch.setattr(context, "WRITE_SECONDS", 600.0)  # progress is written twice a second
    counts = []
    for size in (10, 300):
        work_repo.rewrite(
            {f"d{number}.yaml": yaml_dag(f"d{number}", f"echo {size}") for number in range(size)}
        )
        with CaptureQueriesContext(connection) as queries:
            sync()
        counts.append(len(queries))
    assert abs(counts[0] - counts[1]) <= 4, counts
    assert store.BATCH == 1000


@pytest.mark.parametrize("is_in_reach", [True, False])
def test_an_edit_during_a_poll_is_noticed(
    is_in_reach: bool, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    row = Repository.objects.get()
    row.url = row.url if is_in_reach else "file:///nowhere.git"
    row.save()

    def ask(remote: Remote) -> str:
        edited = Repository.objects.get()
        edited.url, edited.include = work_repo.file_url, "*.txt"
        poll_now(edited)
        edited.save()
        return remote.probe()

    settled(row, SyncOptions(trigger=Trigger.SCHEDULE), ask)

    row = Repository.objects.get()
    assert row.next_due_at <= database_now()
    assert (row.state, row.reason) == ("in_sync", "")
    assert SyncRun.objects.count() == 1


def test_a_repository_deleted_between_poll_and_lease_holds_no_worker(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    with pytest.raises(Repository.DoesNotExist):
        sync_repository(repository.pk, SyncOptions(), lambda *_: Repository.objects.all().delete())


def test_a_request_that_another_worker_claims_first_is_left_to_it(
    work_repo: WorkRepo, repository: Repository
) -> None:
    """The other one claims in the moment in which the first has given the repository back."""
    work_repo.publish({"a.yaml": yaml_dag("a")})
    others: list[SyncLease | None] = []
    is_given_back = threading.Event()

    def claim_elsewhere() -> None:
        try:
            others.append(acquire(repository.pk))
        finally:
            connections.close_all()

    def watch(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if is_given_back.is_set() and not others:
            other = threading.Thread(target=claim_elsewhere)
            other.start()
            other.join()
        if "SET lease_holder = '', lease_expires_at = NULL" in sql:
            is_given_back.set()
        return execute(sql, *rest)

    def ask_meanwhile(step: str, _detail: str) -> None:
        if step == "finish" and SyncRun.objects.count() == 1:
            assert leave_request(repository.pk, "admin", "ada", full=True)

    with connection.execute_wrapper(watch):
        assert sync_repository(repository.pk, SyncOptions(), ask_meanwhile).ok

    assert [other is not None for other in others] == [True]
    left = Repository.objects.get().pending_request or {}
    assert (left.get("trigger"), left.get("requested_by"), left.get("full")) == ("admin", "ada", True)


def test_a_request_that_came_during_a_sync_outlives_a_lost_database(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()

    def lose_the_session(step: str, _detail: str) -> None:
        if step != "apply":
            return
        assert leave_request(repository.pk, "admin", "ada", full=True)
        with connection.cursor() as cursor, suppress(OperationalError):
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(OperationalError):
        sync_repository(repository.pk, SyncOptions(full=True), lose_the_session)

    assert poll(repository.pk)
    sync_repository(repository.pk, SyncOptions(trigger=Trigger.SCHEDULE))
    assert SyncRun.objects.filter(trigger="admin", full=True, state="succeeded").count() == 1
    assert Repository.objects.get().pending_request is None
