"""Files and commits that fail for a cause that may pass: polling keeps its interval, and only their own retry waits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from gitsync.models import Repository, SourceFile, SyncRun, Trigger
from gitsync.sync import poll as polling
from gitsync.sync.poll import poll
from gitsync.sync.probe_cache import ProbeCache
from gitsync.sync.report import SyncReport
from gitsync.sync.run import SyncOptions, sync_repository
from gitsync.worker import sandbox
from kiok.cluster.clock import database_now
from kiok.cluster.conf import properties
from kiok.metadata.models import Dag
from tests.integration.conftest import yaml_dag
from tests.support.api_client import Api, make_token
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

INTERVAL = timedelta(seconds=60)
HEADER = "from kiok import Dag\n"
GOOD = HEADER + "d = Dag('good')\nd.task('a', script='s')\n"
LOOPS = "while True: pass\n"
LOOPING_DAG = HEADER + "import helper\n" + LOOPS


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A short time limit for one file, as after a restart with another property."""
    yield from _limits(monkeypatch, sandbox_file_timeout_ms=3000)


def _limits(monkeypatch: pytest.MonkeyPatch, **limits: int) -> Iterator[None]:
    caches = (sandbox.sandbox, sandbox._limits)
    with monkeypatch.context() as changed:
        changed.setattr(settings, "KIOK", replace(properties(), **limits))
        for cache in caches:
            cache.cache_clear()
        yield
    for cache in caches:
        cache.cache_clear()


class Polled:
    """The repository, synced as the leader has it synced: when a poll finds something to do."""

    def __init__(self, pk: int) -> None:
        self._pk = pk

    @property
    def row(self) -> Repository:
        return Repository.objects.get(pk=self._pk)

    def file(self, path: str) -> SourceFile:
        return SourceFile.objects.get(repository=self._pk, path=path)

    def poll(self) -> SyncReport | None:
        """Poll once, and sync if there is something to do; None where there is nothing."""
        # Between two polls the answer that repositories share becomes too old.
        polling._probe_cache = ProbeCache()
        return self.sync(Trigger.SCHEDULE) if poll(self._pk) else None

    def sync(self, trigger: Trigger, **options: bool) -> SyncReport:
        return sync_repository(self._pk, SyncOptions(trigger, **options))

    def polls_until(self, moment: datetime) -> int:
        """Return the number of polls that come before the moment, and the one at it."""
        return 1 + round((moment - self.row.next_due_at) / INTERVAL)

    def let_pass(self, moment: datetime) -> None:
        """Move the repository's times back, as if the moment were now."""
        by = moment - database_now()
        row = self.row
        for key in ("retry_at", "until"):
            if at := row.last_outcome.get(key):
                row.last_outcome[key] = (datetime.fromisoformat(at) - by).isoformat()
        row.next_due_at -= by
        row.save(update_fields=["last_outcome", "next_due_at"])
        for file in SourceFile.objects.filter(repository=self._pk, retry_at__isnull=False):
            SourceFile.objects.filter(pk=file.pk).update(retry_at=file.retry_at - by)  # type: ignore[operator]


@pytest.fixture
def polled(repository: Repository) -> Polled:
    return Polled(repository.pk)


@pytest.fixture
def looping(polled: Polled, work_repo: WorkRepo, short_limits: None) -> Polled:
    """After the sync of a commit with a good file, and one that loops for ever."""
    work_repo.publish(
        {"good.py": GOOD, "loop.py": LOOPING_DAG, "helper.py": "V = 1\n", "a.yaml": yaml_dag("a")}
    )
    report = polled.poll()
    assert report is not None
    assert [item.path for item in report.failed] == ["loop.py"]
    return polled


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The Docker client is pointed at a socket that does not exist."""
    with monkeypatch.context() as away:
        away.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        sandbox.sandbox.cache_clear()
        yield
    sandbox.sandbox.cache_clear()


class TestALoopingFile:
    @pytest.mark.rule("failure.own-retry")
    def test_leaves_polling_on_its_interval_and_says_when_it_is_retried(self, looping: Polled) -> None:
        row, file = looping.row, looping.file("loop.py")
        assert row.checked_at is not None
        assert file.retry_at is not None
        assert timedelta(0) < row.next_due_at - row.checked_at <= INTERVAL
        assert (row.state, row.reason, row.consecutive_failures) == ("degraded", "files_failed", 0)
        assert row.message == f"1 file failed. Retrying loop.py at {file.retry_at:%Y-%m-%d %H:%M:%S} UTC"
        assert SyncRun.objects.get().message == row.message
        assert (file.attempts, looping.polls_until(file.retry_at)) == (1, 1)
        assert looping.poll() is None, "nothing to do before the retry"
        assert SyncRun.objects.count() == 1

    @pytest.mark.rule("failure.own-retry")
    def test_does_not_delay_a_push_and_is_not_compiled_for_it(
        self, looping: Polled, work_repo: WorkRepo
    ) -> None:
        before = looping.file("loop.py")
        commit = work_repo.publish({"b.yaml": yaml_dag("b"), "good.py": GOOD.replace("'s'", "'t'")})
        report = looping.poll()
        assert report is not None
        assert (report.to_commit, report.created, report.updated) == (
            commit,
            ("team/b.yaml",),
            ("team/good.py::good",),
        )
        assert (report.compiled, report.reused) == (2, 3)
        assert [item.path for item in report.failed] == ["loop.py"]
        assert looping.file("loop.py").retry_at == before.retry_at
        assert "Retrying loop.py at" in looping.row.message
        log = SyncRun.objects.order_by("-pk")[0].log
        assert "not compiled, because the retry is not due: loop.py" in log
        assert looping.poll() is None

    @pytest.mark.rule("failure.back-off")
    def test_is_retried_alone_after_pauses_that_grow(self, looping: Polled) -> None:
        for attempts, polls in ((2, 2), (3, 4)):
            retry_at = looping.file("loop.py").retry_at
            assert retry_at is not None
            looping.let_pass(retry_at)
            report = looping.poll()
            assert report is not None
            assert (report.compiled, report.reused) == (1, 3)
            file = looping.file("loop.py")
            assert file.retry_at is not None
            assert (file.attempts, looping.polls_until(file.retry_at)) == (attempts, polls)
            assert looping.poll() is None

    @pytest.mark.parametrize("path", ["loop.py", "helper.py"])
    def test_is_compiled_when_it_or_what_it_imports_changes(
        self, looping: Polled, work_repo: WorkRepo, path: str
    ) -> None:
        cure = "raise RuntimeError('no longer')\n" if path == "helper.py" else GOOD
        work_repo.publish({path: cure})
        report = looping.poll()
        assert report is not None
        file = looping.file("loop.py")
        assert (file.retry_at, file.attempts) == (None, 0)
        assert "Retrying" not in looping.row.message

    @pytest.mark.parametrize("trigger", [Trigger.COMMAND, Trigger.ADMIN, Trigger.API])
    @pytest.mark.rule("failure.back-off-reset")
    def test_is_compiled_when_a_person_requests_a_sync(self, looping: Polled, trigger: Trigger) -> None:
        retry_at = looping.file("loop.py").retry_at
        assert retry_at is not None
        looping.let_pass(retry_at)
        assert looping.poll() is not None
        assert looping.file("loop.py").attempts == 2
        assert looping.sync(trigger).compiled == 1
        assert looping.file("loop.py").attempts == 1, "the pauses begin again"

    def test_is_not_compiled_for_a_webhook(self, looping: Polled, work_repo: WorkRepo) -> None:
        assert looping.sync(Trigger.WEBHOOK).compiled == 0
        assert SyncRun.objects.count() == 1, "nothing new at this commit"
        work_repo.publish({"b.yaml": yaml_dag("b")})
        assert looping.sync(Trigger.WEBHOOK).created == ("team/b.yaml",)
        assert SyncRun.objects.order_by("-pk")[0].compiled == 1

    def test_keeps_its_dag_until_it_is_good_again(
        self, polled: Polled, work_repo: WorkRepo, short_limits: None
    ) -> None:
        work_repo.publish({"good.py": GOOD})
        polled.poll()
        work_repo.publish({"good.py": GOOD + LOOPS})
        report = polled.poll()
        assert report is not None
        assert report.stale == ("team/good.py::good",)
        stale = Dag.objects.values().get()
        work_repo.publish({"a.yaml": yaml_dag("a")})
        report = polled.poll()
        assert report is not None
        assert (report.stale, report.pruned, report.created) == (
            ("team/good.py::good",),
            (),
            ("team/a.yaml",),
        )
        assert Dag.objects.filter(dag_id="good").values().get() == stale
        work_repo.publish({"good.py": GOOD})
        report = polled.poll()
        assert report is not None
        assert (report.state, report.stale) == ("in_sync", ())

    def test_shows_its_retry_in_the_file_page_the_errors_page_and_the_api(self, looping: Polled) -> None:
        file = looping.file("loop.py")
        assert file.retry_at is not None
        browser = Client()
        browser.force_login(User.objects.create_superuser("ada", password="x"))
        shown = f'datetime="{file.retry_at:%Y-%m-%dT%H:%M:%S}'
        page = browser.get(f"/admin/gitsync/sourcefile/{file.pk}/change/").content.decode()
        assert "Next retry" in page
        assert shown in page
        assert "after 1 consecutive failure" in page
        api = Api(make_token(User.objects.get(username="ada"))[0])
        retry_at = file.retry_at.isoformat(timespec="milliseconds")[:23]
        (listed,) = api("GET", "repositories/team/files", state="failed").json()["items"]
        (failing,) = api("GET", "errors").json()["items"]
        read = api("GET", "repositories/team/file", path="loop.py").json()
        assert [item["retryAt"][:23] for item in (listed, failing, read)] == [retry_at] * 3
        errors = browser.get("/admin/gitsync/errors/").content.decode()
        assert "Next retry" in errors
        assert shown in errors


def test_a_file_that_is_no_dag_and_loops_is_compiled_once(
    polled: Polled, work_repo: WorkRepo, short_limits: None
) -> None:
    work_repo.publish({"serve.py": "import helper\n" + LOOPS, "helper.py": "", "a.yaml": yaml_dag("a")})
    report = polled.poll()
    assert report is not None
    assert (report.state, report.not_a_dag) == ("in_sync", ("helper.py", "serve.py"))
    work_repo.publish({"b.yaml": yaml_dag("b")})
    report = polled.poll()
    assert report is not None
    assert (report.compiled, report.reused, report.not_a_dag) == (1, 3, ("helper.py", "serve.py"))
    work_repo.publish({"helper.py": "import kiok\n"})
    report = polled.poll()
    assert report is not None
    assert [item.path for item in report.failed] == ["serve.py"]


def test_files_that_loops_left_no_time_for_get_their_turn_at_the_next_poll(
    polled: Polled, work_repo: WorkRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops = {f"a{number}.py": HEADER + LOOPS for number in range(2)}
    for _ in _limits(monkeypatch, sandbox_file_timeout_ms=3000, sandbox_deadline_ms=6000):
        work_repo.publish({**loops, "good.py": GOOD})
        report = polled.poll()
        assert report is not None
        assert [item.path for item in report.failed] == ["a0.py", "a1.py", "good.py"]
        for paths in (["a0.py", "a1.py", "good.py"], ["a0.py", "a1.py"]):
            retry_at = polled.file("good.py").retry_at
            assert retry_at is not None
            assert polled.polls_until(retry_at) == 1
            polled.let_pass(retry_at)
            report = polled.poll()
            assert report is not None
            assert [item.path for item in report.failed] == paths
        assert report.created == ("team/good.py::good",)
        assert report.compiled == 1, "the loops wait for their own retries"


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

    def test_is_retried_after_pauses_that_grow_while_polling_keeps_its_interval(
        self, failing: Polled
    ) -> None:
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
