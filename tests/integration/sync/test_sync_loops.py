"""Python files that loop forever: the next poll, their retries and their DAGs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from gitsync.models import SyncRun, Trigger
from kiok.metadata.models import Dag
from tests.integration.conftest import yaml_dag
from tests.support.api_client import Api, make_token
from tests.support.polled_repository import GOOD, HEADER, INTERVAL, LOOPS, Polled, changed_limits
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


LOOPING_DAG = HEADER + "import helper\n" + LOOPS


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A short time limit for one file, as after a restart with another property."""
    yield from changed_limits(monkeypatch, sandbox_file_timeout_ms=3000)


@pytest.fixture
def looping(polled: Polled, work_repo: WorkRepo, short_limits: None) -> Polled:
    """Sync a commit with a good file, and one that loops forever."""
    work_repo.publish(
        {"good.py": GOOD, "loop.py": LOOPING_DAG, "helper.py": "V = 1\n", "a.yaml": yaml_dag("a")}
    )
    report = polled.poll()
    assert report is not None
    assert [item.path for item in report.failed] == ["loop.py"]
    return polled


class TestALoopingFile:
    @pytest.mark.rule("failure.own-retry")
    def test_leaves_polling_on_its_interval_and_shows_its_retry(self, looping: Polled) -> None:
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


def test_files_that_loops_left_no_time_for_compile_at_the_next_poll(
    polled: Polled, work_repo: WorkRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops = {f"a{number}.py": HEADER + LOOPS for number in range(2)}
    for _ in changed_limits(monkeypatch, sandbox_file_timeout_ms=3000, sandbox_deadline_ms=6000):
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
