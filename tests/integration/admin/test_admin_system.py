"""The system page: the check of the sandbox that a session requested, until its result."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.signing import SignedPackage

pytestmark = pytest.mark.django_db(transaction=True)


def panel(browser: Client) -> Any:
    return browser.get(reverse("admin:gitsync_system_status")).json()


def request_check(browser: Client) -> dict[str, Any]:
    assert browser.post(reverse("admin:gitsync_system_check")).status_code == 302
    task: dict[str, Any] = SignedPackage.loads(OrmQ.objects.latest("pk").payload)
    return task


def finish(task: dict[str, Any], result: Any, *, success: bool = True) -> None:
    now = timezone.now()
    Task.objects.create(
        id=task["id"], name="x", func=task["func"], result=result, started=now, stopped=now, success=success
    )


def test_a_requested_check_is_awaited_by_its_session_only(browser: Client) -> None:
    assert "No check has run yet" in panel(browser)["parts"]["line"]
    task = request_check(browser)
    assert panel(browser)["settled"] is False
    other = Client()
    other.force_login(User.objects.get())
    assert panel(other)["settled"] is True
    finish(task, {"error": "No engine answers.", "examination": None})
    for client in (browser, other):
        shown = panel(client)
        assert shown["settled"] is True
        assert "No engine answers." in shown["parts"]["line"]


def test_a_check_whose_worker_failed_shows_no_traceback(browser: Client) -> None:
    finish(request_check(browser), "Traceback: hunter2secret", success=False)
    shown = panel(browser)
    assert "The worker failed" in shown["parts"]["line"]
    assert "hunter2secret" not in str(shown)


def test_a_check_without_a_result_is_awaited_for_a_quarter_of_an_hour(browser: Client) -> None:
    request_check(browser)
    session = browser.session
    (requested,) = session["gitsync_operations_sandbox-check"]
    requested["at"] -= 14 * 60
    session.save()
    assert panel(browser)["settled"] is False
    requested["at"] -= 2 * 60
    session.save()
    assert "No check has run yet" in panel(browser)["parts"]["line"]
