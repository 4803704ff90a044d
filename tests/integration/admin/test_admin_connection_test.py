"""The button "Test connection" in the admin, its result from a worker, and the button for a first host key."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.signing import SignedPackage

from gitsync.models import ManagedBy, Repository, SyncRun
from gitsync.repositories import connection_test_tasks
from kiok.cluster.models import LeaderLease
from kiok.connections.models import Connection
from tests.integration.conftest import yaml_dag
from tests.support.admin_pages import page
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/gitsync/repository/"


def work() -> int:
    """Do every queued task and record its end, as django-q2's worker and monitor do; how many there were."""
    rows = list(OrmQ.objects.order_by("id"))
    for row in rows:
        task = SignedPackage.loads(row.payload)
        function = {
            connection_test_tasks.CHECK: connection_test_tasks.check_remote,
            connection_test_tasks.ACCEPT: connection_test_tasks.accept,
        }[task["func"]]
        Task.objects.create(
            id=task["id"], name=task["name"], func=task["func"], group=task["group"],
            result=function(*task["args"]), started=task["started"], stopped=timezone.now(), success=True,
        )  # fmt: skip
        row.delete()
    return len(rows)


def panel(browser: Client, repository: Repository) -> dict[str, Any]:
    shown: dict[str, Any] = browser.get(page(repository, "check/status")).json()
    return shown


def press(browser: Client, repository: Repository) -> dict[str, Any]:
    """Press the button, and wait for the answer."""
    answer = browser.post(page(repository, "check"))
    assert answer.headers["Location"] == page(repository)
    assert panel(browser, repository)["settled"] is False
    assert work() == 1
    return panel(browser, repository)


@pytest.fixture
def unknown_host(work_repo: WorkRepo, repository: Repository, ssh_server: SshServer) -> Repository:
    """The repository, over ssh, with a connection that knows no host."""
    work_repo.publish({"a.yaml": yaml_dag("a")})
    row = Connection(id="deploy", type="git")
    row.set_properties({"privateKey": ssh_server.client_key()})
    repository.url = ssh_server.url(work_repo.bare)
    repository.credential = row
    repository.save()
    return repository


def test_the_button_returns_immediately_and_the_answer_is_shown_later(
    browser: Client, work_repo: WorkRepo, repository: Repository
) -> None:
    commit = work_repo.publish({"a.yaml": yaml_dag("a")})
    work_repo.tag("v1")
    assert "remote-check" not in browser.get(page(repository)).content.decode()

    browser.post(page(repository, "check"))
    waiting = browser.get(page(repository)).content.decode()
    assert 'id="remote-check"' in waiting
    assert "Waiting for a worker" in waiting

    assert work() == 1
    shown = panel(browser, repository)
    assert shown["settled"] is True
    assert "Reachable" in shown["parts"]["line"]
    assert commit[:10] in shown["parts"]["body"]
    assert "1: main" in shown["parts"]["body"]
    assert "1: v1" in shown["parts"]["body"]
    assert shown["parts"]["line"] in browser.get(page(repository)).content.decode()
    assert SyncRun.objects.count() == 0


def test_a_refusal_is_the_answer(browser: Client, repository: Repository) -> None:
    Repository.objects.update(url="file:///nowhere/at/all.git")
    shown = press(browser, Repository.objects.get())
    assert shown["settled"] is True
    assert "kiok-bad" in shown["parts"]["line"]
    assert "repository_not_found" in shown["parts"]["line"]


def test_names_from_the_server_are_escaped(
    browser: Client, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    work_repo.tag("<script>alert(1)</script>")
    body = press(browser, repository)["parts"]["body"]
    assert "<script>" not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body


def test_an_answer_about_another_configuration_is_not_shown(
    browser: Client, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    press(browser, repository)
    Repository.objects.update(ref="other")
    assert 'id="remote-check"' not in browser.get(page(repository)).content.decode()
    assert panel(browser, repository)["parts"]["line"] == ""


def test_the_answer_is_shown_only_to_the_session_that_requested_it(
    browser: Client, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    press(browser, repository)
    other = Client()
    other.force_login(User.objects.get())
    assert 'id="remote-check"' not in other.get(page(repository)).content.decode()


def test_the_page_reports_a_missing_worker_and_times_out(browser: Client, repository: Repository) -> None:
    LeaderLease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    browser.post(page(repository, "check"))
    assert "No worker is running" in panel(browser, repository)["parts"]["line"]

    session = browser.session
    (requested,) = session["gitsync_operations_connection-test"]
    requested["at"] -= 3600
    session.save()

    shown = panel(browser, repository)
    assert shown["settled"] is True
    assert "Test again" in shown["parts"]["line"]


def test_a_failed_worker_is_reported_without_its_traceback(browser: Client, repository: Repository) -> None:
    browser.post(page(repository, "check"))
    task = SignedPackage.loads(OrmQ.objects.get().payload)
    Task.objects.create(
        id=task["id"], name="x", func=task["func"], result="Traceback: hunter2secret",
        started=timezone.now(), stopped=timezone.now(), success=False,
    )  # fmt: skip
    shown = panel(browser, repository)
    assert shown["settled"] is True
    assert "The worker failed" in shown["parts"]["line"]
    assert "hunter2secret" not in str(shown)


def test_a_repository_deleted_before_the_check_is_reported(repository: Repository) -> None:
    repository.delete()
    assert connection_test_tasks.check_remote(77)["check"]["reason"] == "gone"
    assert connection_test_tasks.accept(77, "ssh-ed25519 SHA256:x", 1)["check"]["reason"] == "gone"


# The first host key.


def accepted() -> int:
    """Return the number of log entries of accepted host keys."""
    return LogEntry.objects.exclude(change_message="Requested a connection test.").count()


def accept_form(html: str) -> tuple[str, str]:
    """Address and fingerprint of the form that is shown."""
    address = re.search(r'<form method="post" action="([^"]+)"', html)
    fingerprint = re.search(r'name="fingerprint" value="([^"]+)"', html)
    assert address
    assert fingerprint
    assert "csrfmiddlewaretoken" in html
    return address[1], fingerprint[1]


def test_a_first_host_key_is_accepted_with_one_click_and_tested(
    browser: Client, unknown_host: Repository, ssh_server: SshServer
) -> None:
    shown = press(browser, unknown_host)
    assert "host_key_unknown" in shown["parts"]["line"]
    assert ssh_server.fingerprint in shown["parts"]["body"]
    address, fingerprint = accept_form(shown["parts"]["body"])

    assert browser.post(address, {"fingerprint": fingerprint}).headers["Location"] == page(unknown_host)
    assert accepted() == 0, "nothing is accepted before the server was asked again"
    assert work() == 1

    after = panel(browser, unknown_host)
    assert "Reachable" in after["parts"]["line"]
    assert "Accepted." in after["parts"]["body"]
    assert "fingerprint" not in after["parts"]["body"]
    assert Connection.objects.get().properties()["knownHosts"] == ssh_server.known_hosts
    entry = LogEntry.objects.get(object_id="deploy")
    assert (entry.object_id, entry.user.get_username()) == ("deploy", "ada")
    assert ssh_server.fingerprint in entry.get_change_message()
    assert (
        ssh_server.fingerprint
        in browser.get("/admin/connections/connection/deploy/history/").content.decode()
    )


def test_a_host_key_that_changed_since_it_was_shown_is_refused(
    browser: Client, unknown_host: Repository, ssh_server: SshServer
) -> None:
    address, fingerprint = accept_form(press(browser, unknown_host)["parts"]["body"])
    ssh_server.change_host_key()
    browser.post(address, {"fingerprint": fingerprint})
    work()
    shown = panel(browser, unknown_host)
    assert "No host key was accepted" in shown["parts"]["body"]
    assert "Accepted." not in shown["parts"]["body"]
    assert "knownHosts" not in Connection.objects.get().property_names()
    assert accepted() == 0


def test_a_changed_host_key_has_no_button(
    browser: Client, unknown_host: Repository, ssh_server: SshServer
) -> None:
    Connection.objects.get().update_properties({"knownHosts": ssh_server.known_hosts})
    before = ssh_server.fingerprint
    ssh_server.change_host_key()
    shown = press(browser, unknown_host)["parts"]
    assert "host_key_changed" in shown["line"]
    assert before in shown["body"]
    assert ssh_server.fingerprint in shown["body"]
    assert "<form" not in shown["body"]


def test_an_acceptance_without_a_fingerprint_is_refused(browser: Client, unknown_host: Repository) -> None:
    answer = browser.post(page(unknown_host, "accept-host-key"), follow=True)
    assert "Test the connection first" in answer.content.decode()
    assert OrmQ.objects.count() == 0


# Permissions.


def staff(*permissions: str) -> Client:
    user = User.objects.create_user("vera", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_a_connection_test_needs_permission_to_change_repositories(repository: Repository) -> None:
    viewer = staff("view_repository")
    assert "Test connection" not in viewer.get(page(repository)).content.decode()
    assert viewer.post(page(repository, "check")).status_code == 403
    assert OrmQ.objects.count() == 0


def test_accepting_a_key_needs_permission_to_change_connections(unknown_host: Repository) -> None:
    editor = staff("view_repository", "change_repository", "view_all_repositories")
    shown = press(editor, unknown_host)["parts"]["body"]
    assert "<form" not in shown
    assert "permission to change connections" in shown
    form = {"fingerprint": "ssh-ed25519 SHA256:x"}
    assert editor.post(page(unknown_host, "accept-host-key"), form).status_code == 403
    assert OrmQ.objects.count() == 0


@pytest.mark.parametrize("action", ["check", "accept-host-key"])
def test_only_a_post_with_a_csrf_token_is_taken(browser: Client, repository: Repository, action: str) -> None:
    form = {"fingerprint": "ssh-ed25519 SHA256:x"}
    assert browser.get(page(repository, action)).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    assert strict.post(page(repository, action), form).status_code == 403
    assert Client().post(page(repository, action), form).headers["Location"].startswith("/admin/login/")
    assert OrmQ.objects.count() == 0
    missing = Repository(pk=repository.pk + 1)
    assert browser.post(page(missing, action), form).status_code == 404


def test_a_declared_repository_is_tested_too(
    browser: Client, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    Repository.objects.update(managed_by=ManagedBy.CONFIG)
    assert "Test connection" in browser.get(page(repository)).content.decode()
    assert "Reachable" in press(browser, Repository.objects.get())["parts"]["line"]
