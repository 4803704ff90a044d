"""The effect of a sync on the metadata store, with a real repository and a real PostgreSQL."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gitsync.models import Repository, RepositoryState, SourceFile, SyncRun
from kiok.metadata.models import Dag, DagRun, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_push_registers_its_dags(work_repo: WorkRepo, sync: Sync) -> None:
    commit = work_repo.publish({"dags/a.yaml": yaml_dag("a"), "b.yml": yaml_dag("b"), "notes.txt": "x"})

    report = sync()

    assert report.state == RepositoryState.IN_SYNC
    assert report.created == ("team/b.yml", "team/dags/a.yaml")
    dag = Dag.objects.get(uid="team/dags/a.yaml")
    assert (dag.origin, dag.repository, dag.source_path) == ("git", "team", "dags/a.yaml")
    assert (dag.version, dag.commit_sha, dag.dag_id) == (1, commit, "a")
    assert dag.source == yaml_dag("a")
    assert dag.spec["tasks"][0]["script"] == "echo a"


def test_an_edit_updates_in_place_and_a_comment_makes_no_version(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    work_repo.publish({"a.yaml": yaml_dag("a", "echo changed")})
    assert sync().updated == ("team/a.yaml",)
    assert Dag.objects.get().version == 2

    work_repo.publish({"a.yaml": "# a comment\n" + yaml_dag("a", "echo changed")})
    report = sync()

    assert (report.updated, report.unchanged) == ((), 1)
    dag = Dag.objects.get()
    assert dag.version == 2
    assert dag.source is not None
    assert dag.source.startswith("# a comment")
    assert DagVersion.objects.count() == 2


def test_a_renamed_dag_keeps_its_uid_and_its_history(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("before")})
    sync()
    DagRun.objects.create(uid="team/a.yaml", version=1, trigger="manual")
    work_repo.publish({"a.yaml": yaml_dag("after")})
    sync()
    assert Dag.objects.get(uid="team/a.yaml").dag_id == "after"
    assert DagRun.objects.filter(uid="team/a.yaml").count() == 1


def test_history_survives_prune_and_continues_when_the_file_returns(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    DagRun.objects.create(uid="team/a.yaml", version=1, trigger="manual", state="SUCCESS")

    (work_repo.work / "a.yaml").unlink()
    work_repo.publish()
    assert sync().pruned == ("team/a.yaml",)
    assert set(Dag.objects.values_list("uid", flat=True)) == {"team/b.yaml"}
    assert DagRun.objects.filter(uid="team/a.yaml").count() == 1

    work_repo.publish({"a.yaml": yaml_dag("a")})
    assert sync().created == ("team/a.yaml",)
    assert Dag.objects.get(uid="team/a.yaml").version == 2
    assert DagRun.objects.filter(uid="team/a.yaml").count() == 1


def test_a_file_that_breaks_keeps_its_last_good_dag_as_stale(work_repo: WorkRepo, sync: Sync) -> None:
    good = work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    work_repo.publish({"a.yaml": "dag:\n  id: a\ntasks:\n- id: x\n  require: [y]\n"})

    report = sync()

    assert report.state == RepositoryState.DEGRADED
    assert report.stale == ("team/a.yaml",)
    assert {item.path for item in report.failed} == {"a.yaml"}
    assert any("requires" in item.message for item in report.failed)
    dag = Dag.objects.get(uid="team/a.yaml")
    assert (dag.commit_sha, dag.version) == (good, 1)
    assert dag.stale_since is not None
    assert "a.yaml" in (dag.stale_reason or "")

    work_repo.publish({"a.yaml": yaml_dag("a")})
    assert sync().state == RepositoryState.IN_SYNC
    dag.refresh_from_db()
    assert (dag.stale_since, dag.stale_reason, dag.version) == (None, None, 1)


def test_a_new_broken_file_registers_nothing_and_is_listed(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"good.yaml": yaml_dag("g"), "bad.yaml": "dag: {id: a\n"})
    report = sync()
    assert report.created == ("team/good.yaml",)
    assert [item.path for item in report.failed] == ["bad.yaml"]
    assert report.failed[0].line is not None
    assert SourceFile.objects.get(path="bad.yaml").first_failed_at is not None


def test_one_broken_document_leaves_the_files_other_dags_alone(work_repo: WorkRepo, sync: Sync) -> None:
    both = yaml_dag("a") + "---\n" + yaml_dag("b")
    work_repo.publish({"two.yaml": both})
    assert sync().created == ("team/two.yaml::a", "team/two.yaml::b")
    work_repo.publish({"two.yaml": yaml_dag("a", "echo new") + "---\n" + "dag: {id: b}\ntasks: []\n"})
    report = sync()
    assert report.updated == ("team/two.yaml::a",)
    assert report.stale == ("team/two.yaml::b",)
    assert report.pruned == ()


def test_a_second_broken_document_does_not_make_the_first_serve_twice(
    work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.publish({"x.yaml": yaml_dag("a")})
    sync()
    work_repo.publish({"x.yaml": yaml_dag("a") + "---\ndag: {id: b}\ntasks: []\n"})
    sync()
    assert list(Dag.objects.values_list("uid", "dag_id")) == [("team/x.yaml::a", "a")]


def test_a_file_that_stops_being_a_dag_prunes_its_dag(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    work_repo.publish({"a.yaml": "services: {}\n"})
    report = sync()
    assert report.pruned == ("team/a.yaml",)
    assert report.not_a_dag == ("a.yaml",)


@pytest.mark.rule("failure.nothing-new")
@pytest.mark.case("publish.once")
def test_a_sync_with_nothing_new_writes_one_row(
    work_repo: WorkRepo, sync: Sync, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    before = Repository.objects.get()
    with CaptureQueriesContext(connection) as queries:
        report = sync()
    writes = [q["sql"] for q in queries if not q["sql"].startswith(("SELECT", "BEGIN", "COMMIT"))]
    assert len(writes) == 1, writes
    assert writes[0].startswith('UPDATE "gitsync_repository"')
    assert len(queries) == 4, "the repository, the time, the write, and one for all of the report"
    assert report.unchanged == 1
    after = Repository.objects.get()
    assert after.checked_at is not None
    assert before.checked_at is not None
    assert after.checked_at > before.checked_at
    for field in Repository._meta.concrete_fields:
        if field.name not in ("checked_at", "next_due_at"):
            assert getattr(after, field.name) == getattr(before, field.name), field.name
    assert SyncRun.objects.count() == 1


def test_a_dry_run_shows_what_would_happen_and_writes_nothing(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    before = list(Repository.objects.values())
    (work_repo.work / "a.yaml").unlink()
    work_repo.publish({"b.yaml": yaml_dag("b", "echo 2"), "c.yaml": yaml_dag("c")})

    with CaptureQueriesContext(connection) as queries:
        report = sync(dry_run=True)

    assert not [q["sql"] for q in queries if not q["sql"].startswith("SELECT")]
    assert (report.created, report.updated, report.pruned) == (
        ("team/c.yaml",),
        ("team/b.yaml",),
        ("team/a.yaml",),
    )
    assert list(Repository.objects.values()) == before
    assert SyncRun.objects.count() == 1


@pytest.mark.rule("failure.absence")
@pytest.mark.case("refs.missing")
def test_a_missing_branch_prunes_nothing_and_is_reported(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    Repository.objects.update(ref="mian")
    report = sync()
    assert (report.state, report.reason) == ("failing", "ref_missing")
    assert "mian" in report.message
    assert Dag.objects.count() == 1
    # The same failure again is counted, not listed again.
    sync()
    assert SyncRun.objects.filter(state="failed").values_list("repeats", flat=True).get() == 1
    Repository.objects.update(ref="main")
    assert sync().state == "in_sync"


@pytest.mark.rule("failure.absence")
def test_a_remote_that_is_away_prunes_nothing_and_its_return_needs_no_work(
    work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    away = work_repo.bare.with_name("away")
    work_repo.bare.rename(away)
    report = sync()
    assert report.state == "failing"
    assert Repository.objects.get().consecutive_failures == 1
    assert Dag.objects.get().stale_since is None
    away.rename(work_repo.bare)
    assert sync().state == "in_sync"
    assert SyncRun.objects.filter(state="succeeded").count() == 1
    assert Repository.objects.get().consecutive_failures == 0


@pytest.mark.rule("failure.absence")
def test_a_subpath_that_never_existed_is_an_error_and_prunes_nothing(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"dags/a.yaml": yaml_dag("a")})
    Repository.objects.update(subpath="dags")
    sync()
    Repository.objects.update(subpath="dgas")
    report = sync()
    assert (report.state, report.reason) == ("failing", "subpath_missing")
    assert Dag.objects.count() == 1
    assert sync().reason == "subpath_missing"  # judged once, still said
    assert SyncRun.objects.filter(reason="subpath_missing").count() == 1


def test_a_subpath_whose_last_file_was_deleted_prunes(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"dags/a.yaml": yaml_dag("a"), "README": "x"})
    Repository.objects.update(subpath="dags")
    sync()
    (work_repo.work / "dags/a.yaml").unlink()
    work_repo.publish()
    report = sync()
    assert (report.state, report.pruned) == ("in_sync", ("team/dags/a.yaml",))


@pytest.mark.rule("paths.subpath-components")
def test_the_subpath_is_compared_by_components(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"dags/a.yaml": yaml_dag("a"), "dags2/b.yaml": yaml_dag("b"), "c.yaml": yaml_dag("c")})
    Repository.objects.update(subpath="dags")
    assert sync().created == ("team/dags/a.yaml",)


def test_an_ignored_file_is_listed_and_its_dag_pruned(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "drafts/b.yaml": yaml_dag("b")})
    sync()
    work_repo.publish({".kiokignore": "drafts/\n"})
    report = sync()
    assert report.pruned == ("team/drafts/b.yaml",)
    assert report.ignored == ("drafts/b.yaml",)


@pytest.mark.rule("content.links")
def test_a_symlink_and_a_path_with_the_separator_are_listed_not_followed(
    work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.write({"a.yaml": yaml_dag("a"), "x::y.yaml": yaml_dag("b")})
    (work_repo.work / "link.yaml").symlink_to("/etc/passwd")
    work_repo.publish()
    report = sync()
    assert report.created == ("team/a.yaml",)
    assert report.ignored == ("link.yaml",)
    assert [item.path for item in report.failed] == ["x::y.yaml"]


@pytest.mark.rule("paths.moves")
@pytest.mark.case("refs.tag-stays", "refs.tag-peeled")
def test_a_moved_tag_and_a_forced_push_are_followed(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    work_repo.tag("v1", annotated=True)
    Repository.objects.update(ref="tag:v1")
    assert sync().created == ("team/a.yaml",)
    work_repo.publish({"a.yaml": yaml_dag("a", "echo later")})
    assert sync().updated == ()
    work_repo.tag("v1", annotated=True)
    assert sync().updated == ("team/a.yaml",)
    Repository.objects.update(ref="main")
    sync()
    work_repo.rewrite({"b.yaml": yaml_dag("b")})
    report = sync()
    assert (report.created, report.pruned) == (("team/b.yaml",), ("team/a.yaml",))


def test_two_repositories_with_the_same_paths_do_not_meet(work_repo: WorkRepo, sync: Sync) -> None:
    other = Repository.objects.create(name="other", url=work_repo.file_url)
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    from gitsync.sync.run import sync_repository

    assert sync_repository(other.pk).created == ("other/a.yaml",)
    (work_repo.work / "a.yaml").unlink()
    work_repo.publish()
    sync()
    assert list(Dag.objects.values_list("uid", flat=True)) == ["other/a.yaml"]


def test_a_dag_of_another_origin_is_never_touched(work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    Dag.objects.update(origin="manual")
    work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
    report = sync()
    assert [item.path for item in report.failed] == ["a.yaml"]
    assert Dag.objects.get().spec["tasks"][0]["script"] == "echo a"
    (work_repo.work / "a.yaml").unlink()
    work_repo.publish()
    sync()
    assert Dag.objects.count() == 1
