"""The possible contents of a commit, none of which is on the host."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from django.conf import settings

from gitsync.models import Repository
from gitsync.sync import remote
from kiok.metadata.models import Dag
from tests.integration.conftest import Configure, Sync, yaml_dag
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


class TestLimits:
    """Each limit is a property; over it, the sync reports the numbers and prunes nothing."""

    FILES = {"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b"), "data.txt": "x" * 5000}

    @pytest.mark.parametrize(
        ("limit", "reason", "message"),
        [
            ({"gitsync_max_tree_bytes": 4999}, "tree_too_large", "4999"),
            ({"gitsync_max_files": 2}, "tree_too_large", "2 files"),
            ({"gitsync_max_dags": 1}, "too_many_dags", "2 DAGs; at most 1 .*kiok.gitsync.max.dags"),
        ],
        ids=["bytes", "files", "DAGs"],
    )
    @pytest.mark.rule("content.limit-bytes", "content.limit-files", "content.limit-dags", "failure.absence")
    def test_a_commit_over_a_limit_changes_nothing_and_gives_the_figures(
        self,
        limit: dict[str, int],
        reason: str,
        message: str,
        work_repo: WorkRepo,
        sync: Sync,
        configure: Configure,
    ) -> None:
        work_repo.publish({"old.yaml": yaml_dag("old")})
        sync()
        (work_repo.work / "old.yaml").unlink()
        work_repo.publish(dict(self.FILES))
        before = settings.KIOK
        configure(**limit)
        report = sync()
        assert (report.state, report.reason) == ("failing", reason)
        assert re.search(message, report.message), report.message
        assert list(Dag.objects.values_list("uid", flat=True)) == ["team/old.yaml"]
        configure(**{name: getattr(before, name) for name in limit})
        report = sync()
        assert (len(report.created), report.pruned) == (2, ("team/old.yaml",)), "the old limit counts again"

    @pytest.mark.rule("content.limit-file")
    def test_a_file_over_the_limit_fails_alone_and_stays_served(
        self, work_repo: WorkRepo, sync: Sync, configure: Configure
    ) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
        sync()
        configure(gitsync_max_file_bytes=1000)
        work_repo.publish({"a.yaml": yaml_dag("a", "echo " + "x" * 1000), "c.yaml": yaml_dag("c")})
        report = sync()
        assert report.created == ("team/c.yaml",)
        assert report.stale == ("team/a.yaml",)
        assert [item.path for item in report.failed] == ["a.yaml"]
        assert re.search(r"\d{4} bytes.*kiok\.gitsync\.max\.file\.bytes", report.failed[0].message)
        assert Dag.objects.count() == 3

    @pytest.mark.rule("content.limit-path")
    def test_a_path_over_the_limit_fails_alone_with_the_figures(
        self, work_repo: WorkRepo, sync: Sync, configure: Configure
    ) -> None:
        configure(gitsync_max_path_bytes=64)
        path = "d" * 60 + "/a.yaml"
        work_repo.publish({path: yaml_dag("a"), "b.yaml": yaml_dag("b")})
        report = sync()
        assert report.created == ("team/b.yaml",)
        assert [
            (item.path, "67 bytes, but at most 64 are allowed" in item.message) for item in report.failed
        ] == [(path, True)]


class TestContent:
    @pytest.mark.rule("content.no-work-tree")
    def test_nothing_of_a_commit_is_a_file_on_the_host(self, work_repo: WorkRepo, sync: Sync) -> None:
        files = {"a.yaml": yaml_dag("a"), "folder/unique-name.txt": "unique content of a file\n"}
        work_repo.publish(dict(files))
        sync()
        data = settings.KIOK.base_data_dir
        mirror = remote.mirror_of(Repository.objects.get().pk)
        kept = [path for path in mirror.directory.rglob("*") if path.is_file()]
        assert kept, "there is no mirror to look at"
        assert not [path for path in data.rglob("*") if path.name in ("unique-name.txt", "a.yaml", "index")]
        assert not [path for path in kept if b"unique content of a file" in path.read_bytes()]

    @pytest.mark.rule("content.case-twins")
    def test_names_that_differ_only_in_case_are_two_files(self, work_repo: WorkRepo, sync: Sync) -> None:
        blobs = {
            name: work_repo.git("hash-object", "-w", "--stdin", stdin=yaml_dag(dag_id).encode())
            for name, dag_id in (("A.yaml", "upper"), ("a.yaml", "lower"))
        }
        listing = "".join(f"100644 blob {blob}\t{name}\n" for name, blob in blobs.items())
        tree = work_repo.git("mktree", stdin=listing.encode())
        work_repo.push(f"{work_repo.git('commit-tree', '-m', 'twins', tree)}:refs/heads/main")
        assert sync().created == ("team/A.yaml", "team/a.yaml")
        assert set(Dag.objects.values_list("dag_id", flat=True)) == {"upper", "lower"}

    @pytest.mark.rule("content.named-by-key", "content.private-directory")
    def test_a_mirror_is_named_by_the_primary_key_not_by_url_or_name(
        self, tmp_path: Path, sync: Sync
    ) -> None:
        hostile = WorkRepo(tmp_path / "$(touch x) ..%2f..")
        hostile.publish({"a.yaml": yaml_dag("a")})
        row = Repository.objects.get()
        Repository.objects.update(url=hostile.file_url.replace(" ", "%20").replace("%2f", "%252f"))
        assert sync().state == "in_sync"
        directory = remote.mirror_of(row.pk).directory
        assert directory == settings.KIOK.base_data_dir / "mirrors" / str(row.pk)
        assert directory.stat().st_mode & 0o777 == 0o700

    @pytest.mark.rule("failure.absence")
    def test_a_full_disk_prunes_nothing_and_is_tried_again(
        self, tmp_path: Path, work_repo: WorkRepo, sync: Sync, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A program in git's place prints git's message for a full disk; the rest of the sync is real."""
        work_repo.publish({"a.yaml": yaml_dag("a")})
        sync()
        (work_repo.work / "a.yaml").unlink()
        work_repo.publish({"b.yaml": yaml_dag("b")})
        real = shutil.which("git")
        program = tmp_path / "bin" / "git"
        program.parent.mkdir()
        program.write_text(
            '#!/bin/sh\n[ "$1" != fetch ] && exec ' + str(real) + ' "$@"\n'
            "echo 'fatal: write error: No space left on device' >&2; exit 128\n"
        )
        program.chmod(0o755)
        with monkeypatch.context() as patch:
            patch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
            report = sync()
        assert (report.state, report.reason) == ("failing", "disk_full")
        assert "no space left" in report.message
        assert list(Dag.objects.values_list("uid", flat=True)) == ["team/a.yaml"]
        report = sync()
        assert (report.created, report.pruned) == (("team/b.yaml",), ("team/a.yaml",))
