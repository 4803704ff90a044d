"""The button "Sync now" in the admin: its result is shown when it is ready. Tasks run as a worker runs them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.signing import SignedPackage

from gitsync import tasks
from gitsync.models import Delivery, QueuedSync, Repository, SyncRun
from gitsync.sync.lease import acquire, release
from kiok.cluster.models import LeaderLease
from tests.integration.conftest import Sync, yaml_dag
from tests.support.queue_state import run_now
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/gitsync/repository/"


@pytest.fixture(autouse=True)
def a_leader(transactional_db: None) -> None:
    lease = {"holder": "here", "number": 1, "expires_at": timezone.now() + timedelta(hours=1)}
    LeaderLease.objects.update_or_create(pk=1, defaults=lease)


def status(browser: Client, repository: Repository) -> dict[str, Any]:
    answer: dict[str, Any] = browser.get(f"{LIST}{repository.pk}/sync/status/").json()
    return answer


def work() -> int:
    """Do every queued task and record its end, as django-q2's worker and monitor do; how many there were."""
    rows = list(OrmQ.objects.order_by("id"))
    for row in rows:
        task = SignedPackage.loads(row.payload)
        queued = QueuedSync.objects.get(pk=task["id"])
        result = run_now(queued.repository_id, *queued.arguments)
        assert task["func"] == tasks.SYNC
        Task.objects.create(
            id=task["id"],
            name=task["name"],
            func=task["func"],
            group=task["group"],
            result=result,
            started=task["started"],
            stopped=timezone.now(),
            success=True,
        )
        row.delete()
        queued.delete()
    return len(rows)


def press(browser: Client, repository: Repository, **form: str) -> Any:
    return browser.post(f"{LIST}{repository.pk}/sync/", form)


def test_the_button_returns_immediately_and_the_result_is_shown_later(
    browser: Client, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})

    answer = press(browser, repository)

    assert answer.headers["Location"] == f"{LIST}{repository.pk}/change/"
    assert SyncRun.objects.count() == 0
    waiting = status(browser, repository)
    assert waiting["settled"] is False
    assert "Waiting for a worker" in waiting["parts"]["line"]
    page = browser.get(f"{LIST}{repository.pk}/change/").content.decode()
    assert "Waiting for a worker" in page
    assert "<noscript>" in page

    assert work() == 1
    done = status(browser, repository)
    assert done["settled"] is True
    assert "1 created" in done["parts"]["line"]
    assert "<dt>DAGs</dt><dd>1</dd>" in done["parts"]["body"]
    run = SyncRun.objects.get()
    assert (run.trigger, run.requested_by, run.full) == ("admin", "ada", False)
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (str(repository.pk), "Requested a sync.")


def test_full_is_handed_on(browser: Client, work_repo: WorkRepo, repository: Repository) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    press(browser, repository, full="1")
    work()
    assert SyncRun.objects.get().full is True
    assert LogEntry.objects.get().get_change_message() == "Requested a full sync."


def test_a_check_that_finds_nothing_new_ends_the_waiting(
    browser: Client, work_repo: WorkRepo, sync: Sync, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    press(browser, repository)
    assert status(browser, repository)["settled"] is False
    work()
    done = status(browser, repository)
    assert done["settled"] is True
    assert "Nothing new" in done["parts"]["line"]
    assert SyncRun.objects.count() == 1


def test_a_failure_is_the_result_also_when_it_is_the_same_again(
    browser: Client, work_repo: WorkRepo, repository: Repository
) -> None:
    Repository.objects.update(url="file:///nowhere/at/all.git")
    for _ in range(2):
        press(browser, repository)
        assert status(browser, repository)["settled"] is False
        work()
        done = status(browser, repository)
        assert done["settled"] is True
        assert "Failing" in done["parts"]["line"] + done["parts"]["body"]
        assert "kiok-bad" in done["parts"]["line"]
    assert SyncRun.objects.get().repeats == 1


def test_a_request_during_a_sync_waits_for_the_next_sync(
    browser: Client, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    held = acquire(repository.pk)
    assert held is not None
    running = SyncRun.objects.create(
        repository=repository, lease_number=held.number, trigger="schedule", started_at=timezone.now()
    )
    SyncRun.objects.filter(pk=running.pk).update(step="compile")
    press(browser, repository)
    work()
    line = status(browser, repository)["parts"]["line"]
    assert "Syncing" in line
    assert "compile" in line

    SyncRun.objects.update(state="succeeded", finished_at=timezone.now())
    assert status(browser, repository)["settled"] is False
    assert release(held)
    # Between the end of the first and the beginning of the second.
    assert status(browser, repository)["settled"] is False
    run_now(repository.pk, "admin")
    done = status(browser, repository)
    assert done["settled"] is True
    assert "1 created" in done["parts"]["line"]


def test_a_request_that_the_running_sync_served_ends_with_the_next_poll(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    held = acquire(repository.pk)
    assert held is not None
    SyncRun.objects.update(state="running")
    press(browser, repository)
    work()
    ended = timezone.now() - timedelta(minutes=1)
    Repository.objects.update(pending_request=None, checked_at=ended)
    SyncRun.objects.update(state="succeeded", finished_at=ended)
    release(held)
    assert status(browser, repository)["settled"] is False

    sync()

    done = status(browser, repository)
    assert done["settled"] is True
    assert "Nothing new" in done["parts"]["line"]
    assert SyncRun.objects.count() == 1


def test_the_action_requests_all_selected_and_shows_them_on_one_page(
    browser: Client, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    second = Repository.objects.create(name="second", url=work_repo.file_url)
    off = Repository.objects.create(name="off", url=work_repo.file_url, enabled=False)
    selected = [str(row.pk) for row in (repository, second, off)]

    answer = browser.post(LIST, {"action": "sync_now", "_selected_action": selected}, follow=True)

    assert answer.redirect_chain == [(f"{LIST}asked/", 302)]
    assert "No sync of off was started. off is disabled." in answer.content.decode()
    assert 'data-settled="false"' in answer.content.decode()
    assert work() == 2
    done = browser.get(f"{LIST}asked/status/").json()
    assert done["settled"] is True
    assert done["parts"]["line"].count("1 created") == 2
    assert LogEntry.objects.count() == 2


def test_the_page_reports_that_there_is_no_worker(browser: Client, repository: Repository) -> None:
    press(browser, repository)
    assert "No worker is running" not in status(browser, repository)["parts"]["line"]
    LeaderLease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "No worker is running" in status(browser, repository)["parts"]["line"]
    assert "manage.py run" in browser.get(f"{LIST}{repository.pk}/change/").content.decode()


def test_a_failed_worker_is_reported_without_its_traceback(browser: Client, repository: Repository) -> None:
    press(browser, repository)
    task = SignedPackage.loads(OrmQ.objects.get().payload)
    Task.objects.create(
        id=task["id"], name="x", func=tasks.SYNC, result="Traceback: hunter2secret",
        started=timezone.now(), stopped=timezone.now(), success=False,
    )  # fmt: skip
    shown = status(browser, repository)
    assert shown["settled"] is True
    assert "The worker failed" in shown["parts"]["line"]
    assert "hunter2secret" not in str(shown)


def test_only_a_post_with_a_csrf_token_requests_a_sync(browser: Client, repository: Repository) -> None:
    assert browser.get(f"{LIST}{repository.pk}/sync/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    assert strict.post(f"{LIST}{repository.pk}/sync/").status_code == 403
    assert Client().post(f"{LIST}{repository.pk}/sync/").headers["Location"].startswith("/admin/login/")
    assert OrmQ.objects.count() == 0


def test_no_sync_is_requested_of_a_disabled_repository(browser: Client, repository: Repository) -> None:
    Repository.objects.update(enabled=False)
    press(browser, repository)
    assert OrmQ.objects.count() == 0
    assert "Disabled" in status(browser, repository)["parts"]["line"]


def test_status_costs_the_same_queries_for_2_and_for_20_requests(
    browser: Client, work_repo: WorkRepo
) -> None:
    def queries(number: int) -> int:
        rows = [
            Repository.objects.create(name=f"n{number}-{i}", url=work_repo.file_url) for i in range(number)
        ]
        browser.post(LIST, {"action": "sync_now", "_selected_action": [str(row.pk) for row in rows]})
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(f"{LIST}asked/status/").json()["settled"] is False
        return len(captured)

    assert queries(2) == queries(20)


def test_an_idle_panel_is_sent_again_only_after_a_change(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    Repository.objects.update(next_due_at=timezone.now() + timedelta(hours=1))
    address = f"{LIST}{repository.pk}/sync/status/"
    known = {"If-None-Match": browser.get(address)["ETag"]}
    again = browser.get(address, headers=known)
    assert (again.status_code, again.content) == (304, b"")

    def is_sent() -> bool:
        return browser.get(address, headers=known).status_code == 200

    Repository.objects.update(next_due_at=timezone.now() - timedelta(seconds=1))
    assert is_sent()
    assert "ETag" not in browser.get(address)  # queued: it is polled until it is settled
    Repository.objects.update(next_due_at=timezone.now() + timedelta(hours=1))
    known = {"If-None-Match": browser.get(address)["ETag"]}
    Delivery.objects.create(repository=repository, outcome="ping", status=200)
    assert is_sent()
