"""Syncs after a change from outside: moved refs, deleted mirrors, a new URL, a restart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from django.utils import timezone

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.url import parse_url
from gitsync.models import Repository, SyncRun
from gitsync.sync import remote
from kiok.metadata.models import Dag, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.cluster import eventually, workers
from tests.support.processes import gitsync
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


class TestRecovery:
    @pytest.mark.case("recovery.inside-another")
    def test_a_mirror_inside_another_repository_leaves_that_one_alone(
        self, tmp_path: Path, work_repo: WorkRepo
    ) -> None:
        outer = tmp_path / "outer"
        subprocess.run(["git", "init", "-q", str(outer)], check=True)
        before = sorted(path.relative_to(outer) for path in outer.rglob("*"))
        file = frozenset({"file"})
        client = GitClient(GitSettings(home=tmp_path / "home", allow_protocols=file))
        mirror = Mirror(outer / "mirrors" / "1", client)
        # The folder is no repository, so git would search its parents for one.
        mirror.git_directory.mkdir(parents=True)
        commit = work_repo.publish({"a.yaml": "dag: {id: a}\n"})
        url = parse_url(work_repo.file_url, allow_protocols=file)
        assert mirror.fetch(url, parse_ref("main"), None) == commit
        assert [entry.path for entry in mirror.tree(commit).entries] == ["a.yaml"]
        after = sorted(path.relative_to(outer) for path in outer.rglob("*"))
        assert [path for path in after if path.parts[0] != "mirrors"] == before

    @pytest.mark.case("recovery.vanished")
    def test_the_mirror_may_vanish_between_syncs(self, work_repo: WorkRepo, sync: Sync) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        sync()
        remote.mirror_of(Repository.objects.get().pk).discard()
        work_repo.publish({"b.yaml": yaml_dag("b")})
        report = sync()
        assert (report.created, report.unchanged) == (("team/b.yaml",), 1)

    @pytest.mark.case("refs.url-changed")
    def test_another_url_is_followed_with_the_mirror_kept(
        self, tmp_path: Path, work_repo: WorkRepo, sync: Sync
    ) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        sync()
        other = WorkRepo(tmp_path / "elsewhere")
        commit = other.publish({"b.yaml": yaml_dag("b")})
        Repository.objects.update(url=other.file_url)
        report = sync()
        assert (report.to_commit, report.created, report.pruned) == (
            commit,
            ("team/b.yaml",),
            ("team/a.yaml",),
        )

    @pytest.mark.case("refs.switched")
    def test_another_branch_is_followed_and_back(self, work_repo: WorkRepo, sync: Sync) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        work_repo.git("checkout", "-q", "-b", "next")
        work_repo.publish({"b.yaml": yaml_dag("b")})
        sync()
        Repository.objects.update(ref="next")
        assert sync().created == ("team/b.yaml",)
        Repository.objects.update(ref="main")
        assert sync().pruned == ("team/b.yaml",)

    @pytest.mark.rule("paths.moves")
    @pytest.mark.case("refs.forward-and-back")
    def test_a_branch_is_followed_forward_and_back(self, work_repo: WorkRepo, sync: Sync) -> None:
        first = work_repo.publish({"a.yaml": yaml_dag("a")})
        sync()
        work_repo.publish({"b.yaml": yaml_dag("b")})
        assert sync().created == ("team/b.yaml",)
        work_repo.push(f"{first}:refs/heads/main", force=True)
        report = sync()
        assert (report.to_commit, report.pruned) == (first, ("team/b.yaml",))
        assert (Repository.objects.get().last_good_commit, Dag.objects.count()) == (first, 1)

    @pytest.mark.rule("paths.moves-recorded")
    @pytest.mark.case("refs.tag-moves")
    def test_commits_of_a_forced_push_and_a_moved_tag_are_recorded(
        self, work_repo: WorkRepo, sync: Sync
    ) -> None:
        first = work_repo.publish({"a.yaml": yaml_dag("a")})
        work_repo.tag("v1")
        sync()
        second = work_repo.rewrite({"a.yaml": yaml_dag("a", "echo 2")})
        sync()
        Repository.objects.update(ref="tag:v1")
        sync()
        work_repo.tag("v1", at=second)
        sync()
        moves = list(SyncRun.objects.order_by("id").values_list("from_commit", "to_commit"))
        assert moves == [("", first), (first, second), (second, first), (first, second)]

    @pytest.mark.case("surface.restart")
    def test_a_restarted_service_continues_with_the_stored_state(
        self, work_repo: WorkRepo, repository: Repository
    ) -> None:
        commit = work_repo.publish({"a.yaml": yaml_dag("a")})
        assert gitsync("--now").returncode == 0
        before = Repository.objects.get()
        Repository.objects.update(next_due_at=timezone.now())
        with workers({"KIOK_WORKERS": "1"}):
            eventually(
                lambda: Repository.objects.get().checked_at > before.checked_at,
                20,
                "the look after the start",
            )
        after = Repository.objects.get()
        assert (after.state, after.last_good_commit, after.last_good_at) == (
            "in_sync",
            commit,
            before.last_good_at,
        )
        assert (SyncRun.objects.count(), DagVersion.objects.count()) == (1, 1)

    @pytest.mark.case("surface.change-notice")
    def test_a_change_is_recorded_only_when_something_changed(self, work_repo: WorkRepo, sync: Sync) -> None:
        """The record of a sync shows that there was a change, and a version shows which."""
        work_repo.publish({"a.yaml": yaml_dag("a")})
        sync()
        for _ in range(3):
            sync()
        assert (SyncRun.objects.count(), DagVersion.objects.count()) == (1, 1)
        work_repo.publish({"README": "no DAG of this changed\n"})
        sync()
        latest = SyncRun.objects.first()
        assert latest is not None
        assert (SyncRun.objects.count(), any(latest.changes.values()), latest.unchanged) == (2, False, 1)
        assert DagVersion.objects.count() == 1

    @pytest.mark.case("surface.readiness")
    def test_a_repository_is_marked_never_until_its_first_sync(
        self, work_repo: WorkRepo, repository: Repository
    ) -> None:
        listed = gitsync("--list", "--json")
        assert '"state": "never"' in listed.stdout
        work_repo.publish({"a.yaml": yaml_dag("a")})
        assert gitsync("--now").returncode == 0
        assert '"state": "in_sync"' in gitsync("--list", "--json").stdout
