"""Syncs that fail for a transient cause: a sandbox without engine, a commit, an unreachable server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gitsync.models import Repository, SyncRun, Trigger
from gitsync.worker import sandbox
from kiok.cluster.clock import database_now
from tests.integration.conftest import yaml_dag
from tests.support.polled_repository import GOOD, INTERVAL, Polled
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The Docker client is pointed at a socket that does not exist."""
    with monkeypatch.context() as away:
        away.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        sandbox.sandbox.cache_clear()
        yield
    sandbox.sandbox.cache_clear()


class TestWithoutAnEngine:
    @pytest.fixture
    def waiting(self, polled: Polled, work_repo: WorkRepo, no_engine: None) -> Polled:
        work_repo.publish({"good.py": GOOD, "a.yaml": yaml_dag("a")})
        report = polled.poll()
        assert report is not None
        assert (report.reason, report.created) == ("sandbox_unavailable", ("team/a.yaml",))
        return polled

    @pytest.mark.rule("failure.back-off")
    def test_files_are_retried_after_pauses_that_grow_and_pushes_are_synced(
        self, waiting: Polled, work_repo: WorkRepo
    ) -> None:
        found = []
        for number in range(7):
            assert waiting.poll() is None, "nothing to do before the retry"
            file, row = waiting.file("good.py"), waiting.row
            assert file.retry_at is not None
            assert row.next_due_at - database_now() <= INTERVAL
            at = f"{file.retry_at:%Y-%m-%d %H:%M:%S} UTC"
            assert row.message.endswith(
                f"Retrying good.py at {at} at the latest, or at the first check that finds the sandbox available"
            )
            found.append(waiting.polls_until(file.retry_at))
            waiting.let_pass(file.retry_at)
            assert waiting.poll() is not None
            assert waiting.file("good.py").attempts == number + 2
        assert found == [1, 2, 4, 8, 15, 15, 15]
        work_repo.publish({"b.yaml": yaml_dag("b")})
        report = waiting.poll()
        assert report is not None
        assert report.created == ("team/b.yaml",)

    def test_files_are_compiled_at_the_first_poll_that_finds_the_engine(
        self, polled: Polled, work_repo: WorkRepo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as away:
            away.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
            sandbox.sandbox.cache_clear()
            work_repo.publish({"good.py": GOOD})
            assert polled.poll() is not None
            assert polled.poll() is None
        sandbox.sandbox.cache_clear()
        assert polled.file("good.py").retry_at > database_now()  # type: ignore[operator]
        report = polled.poll()
        assert report is not None
        assert (report.state, report.created) == ("in_sync", ("team/good.py::good",))
        assert polled.file("good.py").retry_at is None


class TestACommitThatFails:
    """A program in git's place fails where the commit's files are listed, as on a full disk; all else is real."""

    @pytest.fixture
    def failing(
        self, polled: Polled, work_repo: WorkRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Polled]:
        work_repo.publish({"a.yaml": yaml_dag("a")})
        assert polled.poll() is not None
        self.broken = work_repo.publish({"b.yaml": yaml_dag("b")})
        program = tmp_path / "bin" / "git"
        program.parent.mkdir()
        program.write_text(
            f'#!/bin/sh\ncase " $* " in *" ls-tree "*{self.broken}*) ;; *) exec {shutil.which("git")} "$@";; esac\n'
            "echo 'fatal: write error: No space left on device' >&2; exit 128\n"
        )
        program.chmod(0o755)
        with monkeypatch.context() as patch:
            patch.setenv("PATH", str(program.parent), prepend=":")
            yield polled

    def test_retries_pause_longer_each_time_while_polling_keeps_its_interval(self, failing: Polled) -> None:
        found = []
        for _ in range(3):
            report = failing.poll()
            assert report is not None
            assert (report.reason, report.to_commit) == ("disk_full", self.broken)
            row = failing.row
            until = datetime.fromisoformat(row.last_outcome["until"])
            assert row.next_due_at - database_now() <= INTERVAL
            assert row.message.endswith(f"Retrying this commit at {until:%Y-%m-%d %H:%M:%S} UTC")
            assert failing.poll() is None, "nothing to do before the retry"
            assert failing.row.state == "failing"
            found.append(failing.polls_until(until))
            failing.let_pass(until)
        assert found == [1, 2, 4]

    @pytest.mark.rule("failure.own-retry")
    def test_does_not_delay_the_next_commit(self, failing: Polled, work_repo: WorkRepo) -> None:
        for _ in range(3):
            failing.poll()
            failing.let_pass(datetime.fromisoformat(failing.row.last_outcome["until"]))
        failing.poll()
        commit = work_repo.publish({"c.yaml": yaml_dag("c")})
        report = failing.poll()
        assert report is not None
        assert (report.state, report.to_commit) == ("in_sync", commit)
        assert failing.row.consecutive_failures == 0

    @pytest.mark.parametrize("trigger", [Trigger.ADMIN, Trigger.WEBHOOK])
    def test_is_tried_when_it_is_requested(self, failing: Polled, trigger: Trigger) -> None:
        failing.poll()
        runs = SyncRun.objects.count()
        assert failing.sync(trigger).reason == "disk_full"
        assert SyncRun.objects.count() == runs + 1


@pytest.mark.rule("failure.back-off-reset")
def test_a_webhook_is_served_while_polls_of_an_unreachable_server_back_off(
    polled: Polled, work_repo: WorkRepo
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    assert polled.poll() is not None
    away = work_repo.bare.with_name("away")
    work_repo.bare.rename(away)
    Repository.objects.update(url="https://localhost:9/dags.git")
    for _ in range(6):
        polled.poll()
    row = polled.row
    assert row.checked_at is not None
    assert row.next_due_at - row.checked_at == timedelta(minutes=15)
    away.rename(work_repo.bare)
    Repository.objects.update(url=work_repo.file_url)
    commit = work_repo.publish({"b.yaml": yaml_dag("b")})
    assert polled.sync(Trigger.WEBHOOK).to_commit == commit
