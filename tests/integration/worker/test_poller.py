"""The leader's polls: how many run together, which share a probe, and warnings about git."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from gitsync.models import Repository, Trigger
from gitsync.sync.backoff import SPREAD, next_due
from gitsync.sync.poll import poll
from gitsync.sync.run import SyncOptions, sync_repository
from gitsync.worker import jobs
from gitsync.worker import poller as poller_module
from gitsync.worker.poller import RepositoryPoller
from kiok.cluster import leader
from kiok.connections.models import Connection
from tests.integration.conftest import Configure, yaml_dag
from tests.support.cluster import eventually
from tests.support.servers.https import Fault, HttpsServer
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def _due_again() -> None:
    Repository.objects.update(next_due_at=timezone.now(), queued_until=None)


class Queue(list[int]):
    """The repositories that polls found changed, by primary key; each waits for a worker, as in the service."""

    def put(self, repository_id: int) -> None:
        until = timezone.now() + timedelta(hours=1)
        Repository.objects.filter(pk=repository_id).update(queued_until=until)
        self.append(repository_id)


class TestPolls:
    @pytest.mark.rule("failure.global-cap", "failure.host-cap")
    def test_concurrent_polls_are_limited_in_total_and_per_host(
        self,
        work_repo: WorkRepo,
        https_server: HttpsServer,
        trusting: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(poller_module, "SLOW_SECONDS", 60.0)  # on a busy machine none releases its slot
        commit = work_repo.publish({"a.yaml": yaml_dag("a")})
        https_server.delay_seconds = 0.1
        https_server.min_at_once = 3
        # More repositories of one host than of the other: the rest of them run without the other host.
        for number in range(9):
            # Different refs, so that no two share a probe.
            work_repo.push(f"{commit}:refs/heads/b{number}")
            url = https_server.url("dags.git", host="127.0.0.1" if number > 6 else "localhost")
            Repository.objects.create(name=f"r{number}", url=url, ref=f"b{number}")
        changed = Queue()
        poller = RepositoryPoller(changed.put, parallelism=3, host_parallelism=2)
        eventually(lambda: poller.tick() or len(changed) == 9, 20, "every poll")
        assert https_server.most_at_once["localhost"] == 2
        assert https_server.most_at_once["127.0.0.1"] <= 2
        assert https_server.most_at_once[""] == 3

    @pytest.mark.rule("failure.slow-lane")
    def test_a_poll_that_hangs_releases_its_slot_and_takes_none_the_next_time(
        self,
        work_repo: WorkRepo,
        https_server: HttpsServer,
        trusting: None,
        configure: Configure,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        configure(gitsync_git_timeout_ms=15_000)
        work_repo.publish({"a.yaml": yaml_dag("a")})
        https_server.faults["hangs.git"] = Fault.HANG
        Repository.objects.create(name="hangs", url=https_server.url("hangs.git"))
        Repository.objects.create(name="good", url=https_server.url("dags.git"))
        changed = Queue()
        poller = RepositoryPoller(changed.put, parallelism=1, host_parallelism=1)
        eventually(lambda: poller.tick() or changed, 10, "the good one")
        assert poller.under_way(), "the hanging one was waited for"
        eventually(
            lambda: Repository.objects.filter(reason="timeout").exists(), 10, "the timeout of the hanging one"
        )
        eventually(lambda: not poller.under_way(), 10, "all polls ended")

        _due_again()
        Repository.objects.filter(name="hangs").update(next_due_at=timezone.now() - timedelta(hours=1))
        changed.clear()
        monkeypatch.setattr(poller_module, "SLOW_SECONDS", 60.0)
        eventually(lambda: poller.tick() or changed, 10, "the good one")
        assert poller.under_way(), "the one that hung before was waited for"
        eventually(lambda: not poller.under_way(), 10, "all polls ended")

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

        def requested(name: str) -> int:
            before = len(https_server.requests)
            poll(rows[name].pk)
            return len(https_server.requests) - before

        assert requested("one") > 0
        assert requested("same") == 0
        assert requested("other-ref") > 0
        assert requested("other-credential") > 0
        assert requested("wrong-credential") > 0
        assert requested("no-credential") > 0
        refused = Repository.objects.filter(reason="authentication_failed")
        assert set(refused.values_list("name", flat=True)) == {"wrong-credential", "no-credential"}
        # A user who requests a poll has just pushed: an earlier answer is not enough.
        before = len(https_server.requests)
        sync_repository(rows["one"].pk, SyncOptions(trigger=Trigger.COMMAND))
        assert len(https_server.requests) > before

    @pytest.mark.rule("failure.shared-probe", "failure.probe")
    def test_concurrent_polls_share_one_probe(
        self, work_repo: WorkRepo, https_server: HttpsServer, trusting: None
    ) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        https_server.delay_seconds = 0.2
        for number in range(5):
            Repository.objects.create(
                name=f"r{number}", url=https_server.url("dags.git"), subpath=f"s{number}"
            )
        changed = Queue()
        poller = RepositoryPoller(changed.put, parallelism=5, host_parallelism=5)
        eventually(lambda: poller.tick() or len(changed) == 5, 10, "every poll")
        assert sum(path.endswith("service=git-upload-pack") for _, path, _ in https_server.requests) == 1

    @pytest.mark.rule("failure.spread")
    def test_polls_of_a_thousand_repositories_are_spread(self) -> None:
        now = timezone.now()
        rows = [Repository(name=f"repository-{number}", interval_ms=60_000) for number in range(1000)]
        seconds = sorted((next_due(row, now) - now).total_seconds() for row in rows)
        assert 60 * (1 - SPREAD) <= seconds[0] < 54.1
        assert 59.9 < seconds[-1] <= 60
        for start in range(54, 60):
            assert 100 < sum(start <= second < start + 1 for second in seconds) < 240

    @pytest.mark.rule("running.version")
    def test_the_leader_warns_of_an_old_git(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        old = tmp_path / "git"
        old.write_text("#!/bin/sh\necho git version 2.30.2\n")
        old.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        candidate = leader.LeaderElector()
        candidate.start()
        try:
            eventually(
                lambda: "git 2.30.2 is installed; versions below 2.39" in caplog.text, 10, "the warning"
            )
        finally:
            candidate.stop()
            candidate.join(600)

    def test_the_leader_warns_of_a_missing_git(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        jobs.warn_of_git()
        assert "git is not installed" in caplog.text
