"""One correlation id for a request and its task, rows, log lines, container and response."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.test import Client

from compilers.sandbox.config import LABEL_CORRELATION
from gitsync import tasks
from gitsync.models import Delivery, Repository, SyncRun, Trigger
from gitsync.sync.lease import RENEW_SECONDS, leave_request
from gitsync.sync.run import SyncOptions, sync_repository
from gitsync.worker.poller import RepositoryPoller
from kiok import correlation
from kiok.connections.models import Connection
from kiok.server.logging import LineFormatter
from tests.integration.conftest import yaml_dag
from tests.support import git_services
from tests.support.api_client import ROOT, make_token
from tests.support.canary.surfaces import ContainerWatch
from tests.support.cluster import eventually
from tests.support.queue_state import run_now, waiting
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

# It takes long enough for the engine to be asked about its container.
PYTHON = "import time\nfrom kiok import Dag\nd = Dag('p')\nd.task('a', script='s')\ntime.sleep(5)\n"
SECRET = "a secret of the hook"
MAIN = "refs/heads/main"


@contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    """Collect the log events of the block, parsed from JSON."""
    events: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            events.append(json.loads(self.format(record)))

    handler = Keep(logging.INFO)
    handler.setFormatter(LineFormatter("json"))
    loggers = [logging.getLogger(), logging.getLogger("django-q")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield events
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def post_sync(**headers: str) -> Any:
    token = make_token(User.objects.create_superuser("ada", password="x"))[0]
    return Client().post(
        f"{ROOT}/repositories/team/sync",
        {},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}", **headers},
    )


def hook(identity: str, secret: str = SECRET) -> Any:
    push = git_services.GITHUB.push(MAIN)
    headers = git_services.GITHUB.headers(push.event, identity, push.body, secret)
    return Client().post("/hooks/team/", push.body, content_type="application/json", headers=headers)


@pytest.fixture
def hooked(repository: Repository) -> Repository:
    row = Connection(id="team-hook", type=Connection.Type.SECRET)
    row.set_properties({"secret": SECRET})
    Repository.objects.update(webhook_secret=row)
    return repository


def test_one_id_follows_a_request_through_task_log_row_and_container(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "p.py": PYTHON})
    with logged() as requested:
        answer = post_sync(**{"X-Request-ID": "from-the-client.1"})
    assert answer.status_code == 202, answer.content
    assert answer["X-Request-ID"] == "from-the-client.1"
    assert {event["correlation_id"] for event in requested if event["logger"] == "gitsync.queue.enqueue"} == {
        "from-the-client.1"
    }
    [task] = waiting()

    with logged() as done, ContainerWatch(f"{LABEL_CORRELATION}=from-the-client.1") as watch:
        run_now(*task)
    assert {event["correlation_id"] for event in done} == {"from-the-client.1"}
    assert {event["repository"] for event in done} == {"team"}
    assert any(event["event"].startswith("synced team to ") for event in done)
    [run] = SyncRun.objects.filter(correlation_id="from-the-client.1")
    assert run.state == "succeeded", run.message
    names = {found["Name"] for text in watch.seen.popitem()[1] if "Name" in (found := json.loads(text))}
    assert [name.partition(".")[2] for name in names] == [f"{str(run.pk).encode().hex()}.from-the-client.1"]

    browser = Client()
    browser.force_login(User.objects.get())
    assert b"from-the-client.1" in browser.get(f"/admin/gitsync/syncrun/{run.pk}/change/").content
    found = browser.get("/admin/gitsync/syncrun/", query_params={"q": "from-the-client.1"})
    assert found.context["cl"].result_count == 1
    token = make_token(User.objects.get(), name="another")[0]
    listed = Client().get(
        f"{ROOT}/syncs",
        query_params={"correlationId": "from-the-client.1"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert [item["correlationId"] for item in listed.json()["items"]] == ["from-the-client.1"]


@pytest.mark.parametrize("given", ["", "two\nlines", "a b", "'; --", "é", "x" * 65])
def test_an_id_that_is_not_well_formed_is_replaced(repository: Repository, given: str) -> None:
    answer = post_sync(**({"X-Request-ID": given} if given else {}))
    made = answer["X-Request-ID"]
    assert correlation.is_well_formed(made)
    assert made != given
    [task] = waiting()
    assert task[-1] == made


def test_every_request_has_its_own_id_in_answer_and_log(
    repository: Repository,
) -> None:
    with logged() as events:
        answers = [Client().get(path) for path in ("/healthz", "/nowhere", "/nowhere", f"{ROOT}/me")]
    ids = [answer["X-Request-ID"] for answer in answers]
    assert len(set(ids)) == len(ids)
    logged_ids = {event["correlation_id"] for event in events if event["event"] == "Not Found: /nowhere"}
    assert logged_ids == set(ids[1:3])
    assert correlation.current() == ""


def test_a_signed_delivery_gives_its_id_and_an_unsigned_one_gives_none(hooked: Repository) -> None:
    assert hook("delivery-1")["X-Request-ID"] == "delivery-1"
    [task] = waiting()
    assert task[-1] == "delivery-1"
    assert Delivery.objects.get().correlation_id == "delivery-1"

    with logged() as events:
        refused = hook("delivery-2", secret="guessed")
    assert refused["X-Request-ID"] != "delivery-2"
    assert Delivery.objects.latest("id").correlation_id == refused["X-Request-ID"]
    assert {event["correlation_id"] for event in events} == {refused["X-Request-ID"]}

    odd = hook("odd id\t{7}")
    assert correlation.is_well_formed(odd["X-Request-ID"])
    assert Delivery.objects.latest("id").correlation_id == odd["X-Request-ID"]


def test_a_coalesced_request_logs_the_id_of_the_queued_one(hooked: Repository) -> None:
    hook("first")
    with logged() as events:
        assert hook("second").json()["outcome"] == "waiting"
    [joined] = [event for event in events if event["logger"] == "gitsync.tasks"]
    assert joined["correlation_id"] == "second"
    assert joined["event"].endswith("this request is coalesced into first")
    assert [task[-1] for task in waiting()] == ["first"]


def test_a_request_during_a_sync_keeps_its_id_and_later_ones_join_it(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})

    def progress(step: str, _detail: str) -> None:
        if step == "apply" and correlation.current() == "holder":
            work_repo.publish({"b.yaml": yaml_dag("b")})
            for known in ("asked", "asked-too"):
                with correlation.bound(known):
                    assert leave_request(repository.pk, Trigger.ADMIN)

    with logged() as events, correlation.bound("holder"):
        sync_repository(repository.pk, SyncOptions(), progress)
        assert correlation.current() == "holder"
    assert list(SyncRun.objects.order_by("id").values_list("correlation_id", flat=True)) == [
        "holder",
        "asked",
    ]
    logged_ids = {
        event["correlation_id"]: event["event"] for event in events if event["logger"] == "gitsync.sync.lease"
    }
    assert logged_ids == {
        "asked": "this request waits for holder, which is syncing team",
        "asked-too": "another sync of team follows the running one; this request is coalesced into asked",
    }
    synced = [event["correlation_id"] for event in events if event["event"].startswith("synced team to")]
    assert synced == ["holder", "asked"]


def test_each_poll_of_the_leader_has_an_id_that_its_task_inherits(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    Repository.objects.create(name="bad", url="file:///nowhere.git")
    looked: list[str] = []

    def hand_over(repository_id: int) -> None:
        looked.append(correlation.current())
        tasks.hand_to_worker(repository_id)

    poller = RepositoryPoller(hand_over, 8, 4)
    with logged() as events:
        poller.tick()
        eventually(lambda: not poller.under_way(), 30, "the polls")
    [task] = waiting()
    failed = SyncRun.objects.get(repository__name="bad")
    assert looked == [task[-1]]
    assert correlation.is_well_formed(looked[0])
    assert correlation.is_well_formed(failed.correlation_id)
    assert task[-1] != failed.correlation_id
    [failure] = [event for event in events if event["event"].startswith("sync of bad failed")]
    assert (failure["correlation_id"], failure["repository"]) == (failed.correlation_id, "bad")


def test_log_lines_of_a_lease_renewal_have_the_id_of_the_sync(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database ends the session that renews, while the sync waits."""
    from gitsync.sync import lease

    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    assert RENEW_SECONDS == 5.0
    held = lease.acquire(repository.pk)
    assert held
    with logged() as events, correlation.bound("an-id"):
        killed = threading.Event()

        def kill() -> None:
            with connections["default"].cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND datname = current_database() AND query LIKE 'UPDATE%%'"
                )
                if cursor.rowcount:
                    killed.set()

        with lease.keep_alive(held, 30):
            eventually(
                lambda: kill() or any("cannot renew" in e["event"] for e in events), 20, "a lost session"
            )
    assert {event["correlation_id"] for event in events if "cannot renew" in event["event"]} == {"an-id"}


def test_a_command_has_one_id_for_all_its_syncs(work_repo: WorkRepo, repository: Repository) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    Repository.objects.create(name="more", url=work_repo.file_url)
    call_command("gitsync", "--now", "--json")
    ids = list(SyncRun.objects.values_list("correlation_id", flat=True))
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert correlation.is_well_formed(ids[0])
    assert correlation.current() == ""


def test_a_task_queued_by_an_older_version_runs_and_gets_an_id(
    work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    run_now(repository.pk, "schedule", False, "")
    assert correlation.is_well_formed(SyncRun.objects.get().correlation_id)


def test_a_follow_up_that_an_older_version_left_is_done(work_repo: WorkRepo, repository: Repository) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})

    def progress(step: str, _detail: str) -> None:
        if step == "apply" and SyncRun.objects.count() == 1:
            left = {"trigger": "webhook", "requested_by": "github", "full": True}
            Repository.objects.filter(pk=repository.pk).update(pending_request=left)

    sync_repository(repository.pk, SyncOptions(), progress)
    assert list(SyncRun.objects.order_by("id").values_list("trigger", "full")) == [
        ("command", False),
        ("webhook", True),
    ]
