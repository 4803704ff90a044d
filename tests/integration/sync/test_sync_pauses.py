"""Transient and permanent failures: reasons, and the time of the next attempt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from gitsync.models import Repository, SyncRun
from gitsync.repositories.declared import poll_now
from gitsync.sync.backoff import MAX_BACKOFF_SECONDS
from gitsync.sync.poll import poll
from kiok.metadata.models import Dag
from tests.integration.conftest import Configure, Sync, yaml_dag
from tests.support.servers.https import Fault, HttpsServer
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def seconds_to_next(row: Repository) -> float:
    """Return the seconds from the last poll to the next, by the database's clock."""
    return (row.next_due_at - row.checked_at).total_seconds()


class TestPauses:
    @pytest.fixture
    def pause(self, repository: Repository) -> Callable[[], float]:
        """Return a function that polls as the leader does, and returns the seconds to the next poll."""

        def run() -> float:
            poll(repository.pk)
            row = Repository.objects.get()
            assert row.state == "failing"
            return seconds_to_next(row)

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
    def test_transient_failures_double_the_pause_up_to_fifteen_minutes(
        self, away: Path, pause: Callable[[], float]
    ) -> None:
        assert [pause() / 60 for _ in range(7)] == [1, 2, 4, 8, 15, 15, 15]
        row = Repository.objects.get()
        assert (row.reason, row.consecutive_failures) == ("network", 7)
        assert MAX_BACKOFF_SECONDS == 15 * 60
        run = SyncRun.objects.filter(state="failed").get()
        assert run.repeats == 6, "the same failure is counted, not listed again"

    @pytest.mark.rule("failure.back-off-reset")
    def test_a_manual_request_and_an_edit_end_the_back_off(
        self, away: Path, pause: Callable[[], float], sync: Sync, repository: Repository
    ) -> None:
        for _ in range(5):
            pause()
        assert sync().reason == "network"
        row = Repository.objects.get()
        assert row.consecutive_failures == 1
        assert seconds_to_next(row) == 60
        for _ in range(5):
            pause()
        row = Repository.objects.get()
        poll_now(row)
        row.save()
        assert row.next_due_at <= timezone.now()
        assert pause() == 60

    @pytest.mark.case("time.quick-retries")
    def test_until_the_first_success_it_is_tried_again_quickly(
        self, repository: Repository, work_repo: WorkRepo, pause: Callable[[], float]
    ) -> None:
        Repository.objects.update(url="https://localhost:9/dags.git")
        assert [pause() for _ in range(4)] == [5, 10, 20, 40]
        work_repo.publish({"a.yaml": yaml_dag("a")})
        Repository.objects.update(url=work_repo.file_url)
        assert poll(repository.pk), "there is work to do"

    @pytest.mark.rule("failure.person")
    def test_a_persistent_failure_is_polled_each_interval_and_notified_once(
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
        configure: Configure,
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
        configure(gitsync_git_timeout_ms=120_000)
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
    def test_a_slow_server_publishes_all_in_a_long_limit_only(
        self,
        work_repo: WorkRepo,
        repository: Repository,
        https_server: HttpsServer,
        trusting: None,
        configure: Configure,
        sync: Sync,
    ) -> None:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        https_server.delay_seconds = 0.7
        Repository.objects.update(url=https_server.url("dags.git"))
        configure(gitsync_git_timeout_ms=1000)
        assert sync().reason == "timeout"
        assert not Dag.objects.exists()
        configure(gitsync_git_timeout_ms=120_000)
        assert sync().created == ("team/a.yaml",)
