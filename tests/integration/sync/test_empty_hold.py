"""A commit that prunes every DAG of a repository whose allowEmpty is false is held."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gitsync.models import Repository, SyncRun
from gitsync.sync.empty_hold import hold_of
from gitsync.sync.poll import poll
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.metadata.models import Dag
from tests.integration.conftest import Sync, yaml_dag
from tests.support.held_commits import TWO, UIDS, empty, row, served
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def delete_the_files(work_repo: WorkRepo) -> None:
    empty(work_repo)


def ignore_all(work_repo: WorkRepo) -> None:
    work_repo.publish({".kiokignore": "*\n"})


def make_them_no_dags(work_repo: WorkRepo) -> None:
    work_repo.publish(dict.fromkeys(TWO, "on: push\n"))


def follow_a_branch_without_dags(work_repo: WorkRepo) -> None:
    work_repo.git("checkout", "-q", "-b", "bare")
    empty(work_repo)
    work_repo.git("checkout", "-q", "main")
    Repository.objects.update(ref="bare")


def choose_a_folder_without_dags(work_repo: WorkRepo) -> None:
    work_repo.publish({"other/README": "x"})
    Repository.objects.update(subpath="other")


def rewrite_the_history(work_repo: WorkRepo) -> None:
    work_repo.rewrite({"README": "new", "dags/README": "new"})


@pytest.mark.parametrize(
    "lose",
    [
        delete_the_files,
        ignore_all,
        make_them_no_dags,
        follow_a_branch_without_dags,
        choose_a_folder_without_dags,
        rewrite_the_history,
    ],
)
@pytest.mark.parametrize("full", [False, True])
def test_whatever_would_prune_every_dag_is_held_and_changes_nothing(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, lose: Callable[[WorkRepo], None], full: bool
) -> None:
    before = row()
    lose(work_repo)
    report = sync(full=full)
    assert (report.state, report.reason, report.pruned) == ("failing", "would_empty", ())
    assert report.to_commit[:12] in report.message
    assert "would prune all 2 DAGs of the repository, and its allowEmpty is false" in report.message
    after = row()
    assert (after.state, after.reason, after.message) == ("failing", "would_empty", report.message)
    assert (after.last_commit, after.last_good_commit) == (report.to_commit, before.last_good_commit)
    assert served() == list(UIDS)
    hold = hold_of(after)
    assert hold
    assert (hold.commit, hold.dags, hold.accepted_by) == (report.to_commit, 2, "")
    assert SyncRun.objects.filter(state="failed", reason="would_empty").count() == 1


def test_the_default_prunes_and_an_upgrade_changes_no_digest(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    assert Repository().allow_empty
    before = repository.config_hash
    work_repo.publish(TWO)
    sync()
    empty(work_repo)
    assert (sync().pruned, served()) == (UIDS, [])
    repository.allow_empty = False
    assert repository.config_hash != before


def test_a_commit_that_leaves_a_dag_or_finds_none_is_not_held(
    guarded: Repository, work_repo: WorkRepo, sync: Sync
) -> None:
    (work_repo.work / "dags/a.yaml").unlink()
    work_repo.publish()
    assert sync().pruned == ("team/dags/a.yaml",)  # one of two
    (work_repo.work / "dags/b.yaml").unlink()
    work_repo.publish({"dags/c.yaml": yaml_dag("c")})
    assert (sync().state, served()) == ("in_sync", ["team/dags/c.yaml"])  # the last one moved
    work_repo.publish({"dags/c.yaml": "dag: {id: c}\ntasks: 5\n"})
    assert sync().stale == ("team/dags/c.yaml",)  # the only one fails: it is left, stale
    Dag.objects.all().delete()
    empty(work_repo)
    (work_repo.work / "dags/c.yaml").unlink()
    work_repo.publish()
    assert sync().state == "in_sync"  # there was none to prune


def test_the_hold_lasts_and_a_commit_with_dags_ends_it(
    guarded: Repository, work_repo: WorkRepo, sync: Sync
) -> None:
    empty(work_repo)
    held = sync()
    runs = SyncRun.objects.count()
    assert poll(guarded.pk) is False  # polls find nothing to do, and write no sync
    assert (sync().reason, row().message, SyncRun.objects.count()) == ("would_empty", held.message, runs)
    work_repo.publish({"dags/c.yaml": yaml_dag("c")})
    report = sync()
    assert (report.state, report.pruned, report.created) == ("in_sync", UIDS, ("team/dags/c.yaml",))
    assert row().empty_hold is None


def test_switching_it_on_releases_the_hold_at_the_next_poll(
    guarded: Repository, work_repo: WorkRepo, sync: Sync
) -> None:
    empty(work_repo)
    sync()
    assert poll(guarded.pk) is False
    Repository.objects.update(allow_empty=True)
    assert hold_of(row()) is None
    assert poll(guarded.pk) is True
    assert sync_repository(guarded.pk, SyncOptions()).pruned == UIDS
