"""Looks, limits and recovery, end to end: what a person sees of a repository when things go wrong and right again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from django.utils import timezone

from gitsync import leader, remote
from gitsync import looks as looks_module
from gitsync.configuration import look_at_once
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.url import parse_url
from gitsync.looks import Looks
from gitsync.models import Repository, SyncRun, Trigger
from gitsync.sync.look import look
from gitsync.sync.run import Request, sync_repository
from gitsync.sync.schedule import MAX_BACKOFF_SECONDS, SPREAD, next_due
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagVersion
from tests.integration.cluster import eventually, workers
from tests.integration.conftest import Sync, yaml_dag
from tests.integration.test_gitsync_command import gitsync
from tests.servers.https import Fault, HttpsServer
from tests.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set properties, by their attribute, for this test."""

    def change(**values: Any) -> None:
        monkeypatch.setattr(settings, "KIOK", replace(settings.KIOK, **values))
        remote.client.cache_clear()

    yield change
    remote.client.cache_clear()


@pytest.fixture
def trusting(https_server: HttpsServer, configure: Callable[..., None]) -> None:
    """As if kiok.gitsync.ssl.ca.info named the server's CA."""
    configure(gitsync_ssl_ca_info=https_server.ca_file)


def _due_again() -> None:
    Repository.objects.update(next_due_at=timezone.now(), queued_until=None)


class Queue(list[int]):
    """What the looks found changed, by primary key; each waits for a worker from then on, as in the service."""

    def put(self, repository_id: int) -> None:
        until = timezone.now() + timedelta(hours=1)
        Repository.objects.filter(pk=repository_id).update(queued_until=until)
        self.append(repository_id)


class TestLooks:
    @pytest.mark.rule("failure.global-cap", "failure.host-cap")
    def test_at_most_so_many_looks_run_at_once_and_fewer_at_one_host(
        self, work_repo: WorkRepo, https_server: HttpsServer, trusting: None
    ) -> None:
        commit = work_repo.publish({"a.yaml": yaml_dag("a")})
        https_server.delay_seconds = 0.3
        for number in range(6):
            # Different refs, so that no two share a probe.
            work_repo.push(f"{commit}:refs/heads/b{number}")
            url = https_server.url("dags.git", host="127.0.0.1" if number > 3 else "localhost")
            Repository.objects.create(name=f"r{number}", url=url, ref=f"b{number}")
        changed = Queue()
        looks = Looks(changed.put, parallelism=3, host_parallelism=2)
        eventually(lambda: looks.start_due() or len(changed) == 6, 20, "every look")
        assert https_server.most_at_once["localhost"] == 2
        assert https_server.most_at_once["127.0.0.1"] <= 2
        assert https_server.most_at_once[""] == 3

    @pytest.mark.rule("failure.slow-lane")
    def test_a_look_that_hangs_gives_up_its_place_and_does_not_take_one_the_next_time(
        self,
        work_repo: WorkRepo,
        https_server: HttpsServer,
        trusting: None,
        configure: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        configure(gitsync_git_timeout_ms=6000)
        work_repo.publish({"a.yaml": yaml_dag("a")})
        https_server.faults["hangs.git"] = Fault.HANG
        Repository.objects.create(name="hangs", url=https_server.url("hangs.git"))
        Repository.objects.create(name="good", url=https_server.url("dags.git"))
        changed = Queue()
        looks = Looks(changed.put, parallelism=1, host_parallelism=1)
        began = time.monotonic()
        eventually(lambda: looks.start_due() or changed, 10, "the good one")
        assert 0.9 < time.monotonic() - began < 5.5
        eventually(lambda: Repository.objects.filter(reason="timeout").exists(), 10, "the hanging one told")
        eventually(lambda: not looks.under_way(), 10, "all looks ended")

        _due_again()
        Repository.objects.filter(name="hangs").update(next_due_at=timezone.now() - timedelta(hours=1))
        changed.clear()
        monkeypatch.setattr(looks_module, "SLOW_SECONDS", 60.0)
        began = time.monotonic()
        eventually(lambda: looks.start_due() or changed, 10, "the good one")
        assert time.monotonic() - began < 5.5, "the one that hung before was waited for"
        eventually(lambda: not looks.under_way(), 10, "all looks ended")

    @pytest.mark.rule("failure.shared-probe")
    def test_a_probe_is_shared_only_where_url_ref_and_credential_match(
        self, work_repo: WorkRepo, https_server: HttpsServer, trusting: None
    ) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        work_repo.push("HEAD:refs/heads/other")
        https_server.accounts = {"ada": "first-secret", "bob": "second-secret"}
        url = https_server.url("dags.git")
        for name, secret in (("ada", "first-secret"), ("bob", "second-secret"), ("eve", "wrong-secret")):
            row = Connection(id=name, type="git")
            row.set_properties({"username": name, "password": secret})
            row.save()
        rows = {
            name: Repository.objects.create(name=name, url=url, ref=ref, subpath=subpath, credential_id=who)
            for name, ref, subpath, who in (
                ("one", "main", "", "ada"),
                ("same", "main", "folder", "ada"),
                ("other-ref", "other", "", "ada"),
                ("other-credential", "main", "", "bob"),
                ("wrong-credential", "main", "", "eve"),
                ("no-credential", "main", "", None),
            )
        }

        def asked(name: str) -> int:
            before = len(https_server.requests)
            look(rows[name].pk)
            return len(https_server.requests) - before

        assert asked("one") > 0
        assert asked("same") == 0
        assert asked("other-ref") > 0
        assert asked("other-credential") > 0
        assert asked("wrong-credential") > 0
        assert asked("no-credential") > 0
        refused = Repository.objects.filter(reason="authentication_failed")
        assert set(refused.values_list("name", flat=True)) == {"wrong-credential", "no-credential"}
        # Whoever asks by hand has just pushed: no answer from before will do.
        before = len(https_server.requests)
        sync_repository(rows["one"].pk, Request(trigger=Trigger.COMMAND))
        assert len(https_server.requests) > before

    @pytest.mark.rule("failure.shared-probe", "failure.probe")
    def test_looks_at_the_same_time_share_one_probe(
        self, work_repo: WorkRepo, https_server: HttpsServer, trusting: None
    ) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        https_server.delay_seconds = 0.2
        for number in range(5):
            Repository.objects.create(
                name=f"r{number}", url=https_server.url("dags.git"), subpath=f"s{number}"
            )
        changed = Queue()
        looks = Looks(changed.put, parallelism=5, host_parallelism=5)
        eventually(lambda: looks.start_due() or len(changed) == 5, 10, "every look")
        assert sum(path.endswith("service=git-upload-pack") for _, path, _ in https_server.requests) == 1

    @pytest.mark.rule("failure.spread")
    def test_a_thousand_repositories_do_not_ask_at_once(self) -> None:
        now = timezone.now()
        rows = [Repository(name=f"repository-{number}", interval_ms=60_000) for number in range(1000)]
        seconds = sorted((next_due(row, now) - now).total_seconds() for row in rows)
        assert 60 * (1 - SPREAD) <= seconds[0] < 54.1
        assert 59.9 < seconds[-1] <= 60
        for start in range(54, 60):
            assert 100 < sum(start <= second < start + 1 for second in seconds) < 240

    @pytest.mark.rule("running.version")
    def test_an_old_git_is_warned_of_when_somebody_leads(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        old = tmp_path / "git"
        old.write_text("#!/bin/sh\necho git version 2.30.2\n")
        old.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        candidate = leader.Candidate(lambda _pk: None)
        candidate.start()
        try:
            eventually(lambda: "git 2.30.2 is installed; below 2.39" in caplog.text, 10, "the warning")
        finally:
            candidate.stop()
            candidate.join(10)

    def test_no_git_is_told_when_somebody_leads(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        leader.warn_of_git()
        assert "git is not installed" in caplog.text


class TestPauses:
    @pytest.fixture
    def pause(self, repository: Repository) -> Callable[[], float]:
        """Look, as the leader does, and tell the seconds until the next look."""

        def run() -> float:
            look(repository.pk)
            row = Repository.objects.get()
            assert row.state == "failing"
            return (row.next_due_at - timezone.now()).total_seconds()

        return run

    @pytest.fixture
    def away(self, work_repo: WorkRepo, sync: Sync) -> Path:
        """The repository, in sync once and away since; where it is now."""
        work_repo.publish({"a.yaml": yaml_dag("a")})
        assert sync().state == "in_sync"
        away = work_repo.bare.with_name("away")
        work_repo.bare.rename(away)
        Repository.objects.update(url="https://localhost:9/dags.git")
        return away

    @pytest.mark.rule("failure.back-off")
    @pytest.mark.case("time.failures-counted")
    def test_transient_failures_double_the_pause_up_to_fifteen_minutes_and_are_counted(
        self, away: Path, pause: Callable[[], float]
    ) -> None:
        assert [round(pause() / 60) for _ in range(7)] == [1, 2, 4, 8, 15, 15, 15]
        row = Repository.objects.get()
        assert (row.reason, row.consecutive_failures) == ("network", 7)
        assert MAX_BACKOFF_SECONDS == 15 * 60
        run = SyncRun.objects.filter(state="failed").get()
        assert run.repeats == 6, "the same failure is counted, not listed again"

    @pytest.mark.rule("failure.back-off-reset")
    def test_somebody_who_asks_and_an_edit_end_the_pauses(
        self, away: Path, pause: Callable[[], float], sync: Sync, repository: Repository
    ) -> None:
        for _ in range(5):
            pause()
        assert sync().reason == "network"
        row = Repository.objects.get()
        assert row.consecutive_failures == 1
        assert 50 < (row.next_due_at - timezone.now()).total_seconds() <= 60
        for _ in range(5):
            pause()
        row = Repository.objects.get()
        look_at_once(row)
        row.save()
        assert row.next_due_at <= timezone.now()
        assert round(pause() / 60) == 1

    @pytest.mark.case("time.quick-retries")
    def test_until_the_first_success_it_is_tried_again_quickly(
        self, repository: Repository, work_repo: WorkRepo, pause: Callable[[], float]
    ) -> None:
        Repository.objects.update(url="https://localhost:9/dags.git")
        assert [round(pause()) for _ in range(4)] == [5, 10, 20, 40]
        work_repo.publish({"a.yaml": yaml_dag("a")})
        Repository.objects.update(url=work_repo.file_url)
        assert look(repository.pk), "there is work to do"

    @pytest.mark.rule("failure.person")
    def test_what_a_person_must_mend_is_looked_at_each_interval_and_stated_once(
        self, work_repo: WorkRepo, sync: Sync, pause: Callable[[], float]
    ) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        sync()
        Repository.objects.update(ref="mian")
        assert all(0 < pause() <= 60 for _ in range(4))
        assert SyncRun.objects.filter(reason="ref_missing").count() == 1
        assert Dag.objects.get().stale_since is None

    @pytest.mark.rule("failure.absence")
    def test_a_time_out_prunes_nothing(
        self,
        work_repo: WorkRepo,
        https_server: HttpsServer,
        trusting: None,
        configure: Callable[..., None],
        sync: Sync,
    ) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        Repository.objects.update(url=https_server.url("dags.git"))
        assert sync().state == "in_sync"
        (work_repo.work / "a.yaml").unlink()
        work_repo.publish({"README": "empty now\n"})
        https_server.faults["dags.git"] = Fault.HANG
        configure(gitsync_git_timeout_ms=1000)
        assert sync().reason == "timeout"
        assert Dag.objects.get().stale_since is None
        https_server.faults.clear()
        assert sync().pruned == ("team/a.yaml",)

    @pytest.mark.case("surface.error-stored", "surface.error-cleared")
    def test_an_error_is_stored_and_cleared_by_success(self, work_repo: WorkRepo, sync: Sync) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        Repository.objects.update(ref="mian")
        sync()
        row = Repository.objects.get()
        assert (row.state, row.reason) == ("failing", "ref_missing")
        assert "'mian'" in row.message
        Repository.objects.update(ref="main")
        sync()
        row = Repository.objects.get()
        assert (row.state, row.reason, row.message, row.consecutive_failures) == ("in_sync", "", "", 0)

    @pytest.mark.case("time.short-limit", "time.long-limit")
    def test_a_slow_server_publishes_nothing_within_a_short_limit_and_all_within_a_long_one(
        self,
        work_repo: WorkRepo,
        repository: Repository,
        https_server: HttpsServer,
        trusting: None,
        configure: Callable[..., None],
        sync: Sync,
    ) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        https_server.delay_seconds = 0.7
        Repository.objects.update(url=https_server.url("dags.git"))
        configure(gitsync_git_timeout_ms=1000)
        assert sync().reason == "timeout"
        assert not Dag.objects.exists()
        configure(gitsync_git_timeout_ms=30_000)
        assert sync().created == ("team/a.yaml",)


class TestLimits:
    """Each is a property; over it, the sync says the figures and prunes nothing."""

    FILES = {"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b"), "data.txt": "x" * 5000}

    @pytest.mark.parametrize(
        ("limit", "reason", "says"),
        [
            ({"gitsync_max_tree_bytes": 4999}, "tree_too_large", "4999"),
            ({"gitsync_max_files": 2}, "tree_too_large", "2 files"),
            ({"gitsync_max_dags": 1}, "too_many_dags", "2 DAGs; at most 1 .*kiok.gitsync.max.dags"),
        ],
        ids=["bytes", "files", "DAGs"],
    )
    @pytest.mark.rule("content.limit-bytes", "content.limit-files", "content.limit-dags", "failure.absence")
    def test_a_commit_over_a_limit_changes_nothing_and_the_message_has_the_figures(
        self,
        limit: dict[str, int],
        reason: str,
        says: str,
        work_repo: WorkRepo,
        sync: Sync,
        configure: Callable[..., None],
    ) -> None:
        work_repo.publish({"old.yaml": yaml_dag("old")})
        sync()
        (work_repo.work / "old.yaml").unlink()
        work_repo.publish(dict(self.FILES))
        before = settings.KIOK
        configure(**limit)
        report = sync()
        assert (report.state, report.reason) == ("failing", reason)
        assert re.search(says, report.message), report.message
        assert list(Dag.objects.values_list("uid", flat=True)) == ["team/old.yaml"]
        configure(**{name: getattr(before, name) for name in limit})
        report = sync()
        assert (len(report.created), report.pruned) == (2, ("team/old.yaml",)), "the old limit counts again"

    @pytest.mark.rule("content.limit-file")
    def test_a_file_over_the_limit_fails_alone_with_the_figures_and_keeps_serving(
        self, work_repo: WorkRepo, sync: Sync, configure: Callable[..., None]
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
        self, work_repo: WorkRepo, sync: Sync, configure: Callable[..., None]
    ) -> None:
        configure(gitsync_max_path_bytes=64)
        path = "d" * 60 + "/a.yaml"
        work_repo.publish({path: yaml_dag("a"), "b.yaml": yaml_dag("b")})
        report = sync()
        assert report.created == ("team/b.yaml",)
        assert [(item.path, "67 bytes; allowed are 64" in item.message) for item in report.failed] == [
            (path, True)
        ]


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
        # What is there is no repository, so git would look for one further up.
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
    def test_the_old_and_the_new_commit_of_a_forced_push_and_a_moved_tag_are_recorded(
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
    def test_a_restarted_service_goes_on_with_what_is_there(
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
    def test_a_change_notice_is_made_only_when_something_changed(
        self, work_repo: WorkRepo, sync: Sync
    ) -> None:
        """The record of a sync is what tells that there was a change, and a version which."""
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
    def test_a_mirror_is_named_by_the_primary_key_whatever_the_url_and_the_name(
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
        """A program in git's place says what git says when the disk is full; the sync around it is real."""
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


class TestCredentialSource:
    @pytest.fixture
    def private(
        self, work_repo: WorkRepo, repository: Repository, https_server: HttpsServer, trusting: None
    ) -> Repository:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        https_server.accounts = {"ada": "some-secret"}
        row = Connection(id="ada", type="git")
        row.set_properties({"username": "ada", "password": "some-secret"})
        row.save()
        repository.url, repository.credential = https_server.url("dags.git"), row
        repository.save()
        return repository

    @pytest.mark.case("auth.source-failing", "auth.source-recovering")
    def test_a_source_that_fails_is_said_and_one_that_recovered_is_used(
        self, private: Repository, sync: Sync, monkeypatch: pytest.MonkeyPatch, https_server: HttpsServer
    ) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(settings, "KIOK_MASTER_KEY", lambda: "another master key, also long enough")
            report = sync()
        assert (report.state, report.reason) == ("failing", "credential")
        assert "'ada'" in report.message
        assert https_server.requests == [], "asked without the credential that was configured"
        assert sync().created == ("team/a.yaml",)

    @pytest.mark.case("auth.source-slow")
    def test_a_source_that_is_slow_is_waited_for(self, private: Repository, sync: Sync) -> None:
        held = threading.Event()

        def hold() -> None:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("LOCK TABLE connections_connection IN ACCESS EXCLUSIVE MODE")
                held.set()
                time.sleep(1.0)
                cursor.execute("COMMIT")
            connections.close_all()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        began = time.monotonic()
        try:
            assert sync().created == ("team/a.yaml",)
            assert time.monotonic() - began > 0.8
        finally:
            thread.join()
