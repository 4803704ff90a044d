"""The owner and the tags of DAGs in the store, and the default owner of their repository."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from gitsync.models import Repository
from gitsync.repositories.owner import give_owner
from gitsync.sync import apply as store
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.metadata.models import Dag, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.environment import url_of
from tests.support.servers.repositories import WorkRepo
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def labelled(dag_id: str, *lines: str) -> str:
    return yaml_dag(dag_id).replace("tasks:", "".join(f"  {line}\n" for line in lines) + "tasks:")


def stored() -> dict[str, tuple[str, list[str], int]]:
    """Return owner, tags and version of each DAG by the name of its file."""
    rows = Dag.objects.values_list("source_path", "owner", "tags", "version")
    return {path.partition(".")[0]: (owner, tags, version) for path, owner, tags, version in rows}


def change_owner(repository: Repository, owner: str) -> int:
    with transaction.atomic():
        Repository.objects.filter(pk=repository.pk).update(owner=owner)
        return give_owner(Repository.objects.get(pk=repository.pk))


def test_a_sync_stores_owner_and_tags(work_repo: WorkRepo, repository: Repository, sync: Sync) -> None:
    work_repo.publish(
        {
            "own.yaml": labelled("own", "owner: Équipe <b>x</b>", "tags: [b, a]"),
            "none.yaml": yaml_dag("none"),
        }
    )
    sync()
    assert stored() == {"own": ("Équipe <b>x</b>", ["b", "a"], 1), "none": ("", [], 1)}


def test_a_dag_without_an_owner_has_that_of_its_repository(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    Repository.objects.update(owner="Team Sales")
    work_repo.publish({"own.yaml": labelled("own", "owner: Ada"), "none.yaml": yaml_dag("none")})
    sync()
    assert stored() == {"own": ("Ada", [], 1), "none": ("Team Sales", [], 1)}
    assert "owner" not in Dag.objects.get(dag_id="none").spec


def test_an_edit_of_owner_or_tags_is_a_new_version(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    Repository.objects.update(owner="Team Sales")
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    for version, lines, owner, tags in (
        (2, ["owner: Ada"], "Ada", []),
        (3, ["owner: Ada", "tags: [x]"], "Ada", ["x"]),
        (4, ["tags: [y, x]"], "Team Sales", ["y", "x"]),
        (5, [], "Team Sales", []),
    ):
        work_repo.publish({"a.yaml": labelled("a", *lines)})
        assert sync().updated == ("team/a.yaml",)
        assert stored() == {"a": (owner, tags, version)}
    first, last = DagVersion.objects.filter(version__in=(1, 5)).order_by("version")
    assert first.spec_hash == last.spec_hash


def test_a_file_that_breaks_keeps_owner_and_tags(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": labelled("a", "owner: Ada", "tags: [x]")})
    sync()
    work_repo.publish({"a.yaml": labelled("a", "owner: ' x'", "tags: [y]")})
    report = sync()
    assert report.state == "degraded"
    assert "DAG 'a', key 'owner': ' x' is not an owner; allowed" in (Dag.objects.get().stale_reason or "")
    assert stored() == {"a": ("Ada", ["x"], 1)}


def test_a_new_default_owner_is_given_with_one_statement(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish(
        {"own.yaml": labelled("own", "owner: Ada"), "a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")}
    )
    sync()
    other = Repository.objects.create(name="other", url=repository.url)
    foreign = Dag.objects.get(dag_id="a")
    foreign.pk, foreign.repository, foreign.source_path = "other/c.yaml", "other", "c.yaml"
    foreign.save(force_insert=True)
    with CaptureQueriesContext(connection) as captured:
        assert give_owner(Repository(pk=repository.pk, name="team", owner="Team Sales")) == 2
    assert len(captured) == 1
    assert stored() == {
        "own": ("Ada", [], 1),
        "a": ("Team Sales", [], 1),
        "b": ("Team Sales", [], 1),
        "c": ("", [], 1),
    }
    assert change_owner(repository, "") == 2
    assert {owner for owner, *_ in stored().values()} == {"Ada", ""}
    assert change_owner(other, "") == 0


def test_a_new_default_owner_makes_no_version_and_no_sync(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    before = Repository.objects.get().config_hash
    change_owner(repository, "Team Sales")
    assert Repository.objects.get().config_hash == before
    report = sync()
    assert (report.updated, report.compiled) == ((), 0)
    assert stored() == {"a": ("Team Sales", [], 1)}


class OwnerChange:
    """A change of the repository's owner in another connection, which commits when the test says."""

    def __init__(self, repository: Repository) -> None:
        self.is_written, self.may_commit = threading.Event(), threading.Event()
        self.errors: list[BaseException] = []
        self._repository = repository
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            with transaction.atomic():
                Repository.objects.filter(pk=self._repository.pk).update(owner="Team Sales")
                give_owner(Repository.objects.get(pk=self._repository.pk))
                self.is_written.set()
                assert self.may_commit.wait(PATIENCE_SECONDS)
        except BaseException as exc:  # noqa: BLE001 - handed to the test
            self.errors.append(exc)
        finally:
            connections.close_all()

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self.may_commit.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        assert self.errors == []


def closing(action: Callable[[], None]) -> Callable[[], None]:
    """Return the action for a thread: it closes the thread's connections."""

    def run() -> None:
        try:
            action()
        finally:
            connections.close_all()

    return run


def waiting_sessions() -> int:
    """Return the number of sessions that wait for a lock."""
    with psycopg.connect(url_of(str(connection.settings_dict["NAME"]))) as own:
        row = own.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND cardinality(pg_blocking_pids(pid)) > 0"
        ).fetchone()
    return int(row[0]) if row else 0


def test_a_sync_that_waits_for_a_new_owner_registers_it(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    change = OwnerChange(repository)

    def commit_once_the_sync_waits() -> None:
        wait_until(waiting_sessions, "the sync waits for the repository's row")
        assert not Dag.objects.exists()
        change.may_commit.set()

    def at_apply(step: str, detail: str) -> None:
        if step == "apply" and not change.is_written.is_set():
            change.start()
            assert change.is_written.wait(PATIENCE_SECONDS)
            committer.start()

    committer = threading.Thread(target=closing(commit_once_the_sync_waits), daemon=True)
    report = sync_repository(repository.pk, SyncOptions(), at_apply)
    change.end()
    assert report.created == ("team/a.yaml",)
    assert stored() == {"a": ("Team Sales", [], 1)}


def test_an_owner_that_waits_for_a_sync_is_given_to_its_dags(
    work_repo: WorkRepo, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    change = OwnerChange(repository)
    change.may_commit.set()
    record_files = store._record_files

    def record_once_the_change_waits(*arguments: Any) -> None:
        change.start()
        wait_until(waiting_sessions, "the change waits for the repository's row")
        record_files(*arguments)

    monkeypatch.setattr(store, "_record_files", record_once_the_change_waits)
    report = sync_repository(repository.pk, SyncOptions())
    change.end()
    assert report.created == ("team/a.yaml",)
    assert stored() == {"a": ("Team Sales", [], 1)}
