"""Pausing in the admin: with a reason that other users see, for declared repositories and for many together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from gitsync import actions
from gitsync.models import ManagedBy, Repository
from gitsync.sync.lease import acquire
from tests.integration.conftest import Sync, yaml_dag
from tests.support.admin_pages import page
from tests.support.dag_pages import words
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/gitsync/repository/"


def post(browser: Client, repository: Repository, action: str, **form: str) -> str:
    """Press the button; the page that comes of it."""
    answer = browser.post(page(repository, action), form, follow=True)
    assert answer.redirect_chain[-1][0] == page(repository)
    return answer.content.decode()


def messages() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


@pytest.mark.parametrize("managed_by", list(ManagedBy))
def test_a_repository_is_paused_with_a_reason_that_is_shown_and_resumed(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync, managed_by: ManagedBy
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    Repository.objects.update(managed_by=managed_by)

    shown = post(browser, repository, "pause", reason=" release   <weekend> ")

    assert "Paused team. It is not checked or synced." in shown
    assert "By ada" in shown
    assert "release &lt;weekend&gt;" in shown
    assert "<weekend>" not in shown
    repository.refresh_from_db()
    assert (repository.paused_by, repository.pause_reason) == ("ada", "release <weekend>")
    listed = browser.get(LIST).content.decode()
    assert "Paused by ada: release <weekend>" in words(listed)
    assert "release &lt;weekend&gt;" in listed
    assert "No sync of team was started." in post(browser, repository, "sync")
    assert OrmQ.objects.count() == 0

    post(browser, repository, "pause", reason="all of next week")
    repository.refresh_from_db()
    assert repository.pause_reason == "all of next week"

    shown = post(browser, repository, "resume")
    assert "Resumed team. It is checked next." in shown
    assert 'id="pause"' not in shown
    assert "Nothing to resume: team is not paused" in post(browser, repository, "resume")
    repository.refresh_from_db()
    assert repository.paused_at is None
    assert repository.next_due_at <= timezone.now()
    assert messages() == ["Paused: release <weekend>", "Paused: all of next week", "Resumed."]


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501], ids=["none", "blank", "too long"])
def test_without_a_sound_reason_nothing_is_paused(
    browser: Client, repository: Repository, reason: str
) -> None:
    shown = post(browser, repository, "pause", reason=reason)
    assert "Not paused." in shown
    assert not Repository.objects.filter(paused_at__isnull=False).exists()
    assert messages() == []


def test_pausing_reports_what_happens_to_a_running_sync(browser: Client, repository: Repository) -> None:
    assert acquire(repository.pk)
    shown = post(browser, repository, "pause", reason="broken push")
    assert shown.count("The running sync commits nothing") == 2
    Repository.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert "running sync commits nothing" not in browser.get(page(repository)).content.decode()


def test_pausing_and_resuming_take_a_post_and_the_change_permission(
    browser: Client, repository: Repository
) -> None:
    group = Group.objects.create(name="data")
    repository.groups.add(group)

    def staff(name: str, codename: str, *groups: Group) -> Client:
        user = User.objects.create_user(name, password="x", is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename=codename))
        user.groups.add(*groups)
        client = Client()
        client.force_login(user)
        return client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    viewer, stranger = (
        staff("vera", "view_repository", group),
        staff("sten", "change_repository"),
    )
    for action in ("pause", "resume"):
        assert browser.get(page(repository, action)).status_code == 405
        assert strict.post(page(repository, action), {"reason": "x"}).status_code == 403
        assert viewer.post(page(repository, action), {"reason": "x"}).status_code == 403
        assert stranger.post(page(repository, action), {"reason": "x"}).status_code == 404
    forged = {"action": "pause_selected", "_selected_action": [str(repository.pk)], "reason": "x"}
    assert "team" not in stranger.post(LIST, forged, follow=True).content.decode()
    assert not Repository.objects.filter(paused_at__isnull=False).exists()
    shown = viewer.get(page(repository)).content.decode()
    assert "Pause" not in shown

    editor = staff("ed", "change_repository", group)
    editor.post(page(repository, "pause"), {"reason": "mine"})
    assert "By ed" in viewer.get(page(repository)).content.decode()
    assert "Resume" not in viewer.get(page(repository)).content.decode()


def test_the_actions_pause_many_with_one_reason_and_resume_them(
    browser: Client, repository: Repository
) -> None:
    declared = Repository.objects.create(name="declared", url=repository.url, managed_by=ManagedBy.CONFIG)
    left = Repository.objects.create(name="left", url=repository.url)
    chosen = {"_selected_action": [str(repository.pk), str(declared.pk)]}

    requested = browser.post(LIST, {"action": "pause_selected", **chosen}).content.decode()
    assert "Reason" in requested
    assert "declared" in requested
    refused = browser.post(LIST, {"action": "pause_selected", **chosen, "reason": " "}).content.decode()
    assert "Enter a reason for the pause" in refused
    assert not Repository.objects.filter(paused_at__isnull=False).exists()

    done = browser.post(
        LIST, {"action": "pause_selected", **chosen, "reason": "audit"}, follow=True
    ).content.decode()
    assert "Paused team." in done
    paused = Repository.objects.filter(paused_at__isnull=False)
    assert set(paused.values_list("name", "pause_reason")) == {("team", "audit"), ("declared", "audit")}
    only_paused = browser.get(f"{LIST}?paused=yes").context["cl"].queryset
    assert {row.name for row in only_paused} == {"team", "declared"}
    others = browser.get(f"{LIST}?paused=no").context["cl"].queryset
    assert [row.name for row in others] == [left.name]

    everything = [str(pk) for pk in Repository.objects.values_list("pk", flat=True)]
    done = browser.post(
        LIST, {"action": "resume_selected", "_selected_action": everything}, follow=True
    ).content.decode()
    assert "Nothing to resume: left is not paused" in done
    assert not paused.exists()
    assert messages() == ["Paused: audit", "Paused: audit", "Resumed.", "Resumed."]


def test_disabled_buttons_show_the_reason(browser: Client, repository: Repository) -> None:
    actions.pause(User.objects.get(), repository, "audit")
    shown = browser.get(page(repository)).content.decode()
    assert shown.count(" disabled>") == 2
    assert shown.count("<strong>The repository is paused.</strong>") == 2
    assert "Save reason" in shown
