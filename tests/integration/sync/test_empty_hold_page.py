"""A held commit on the page of its repository."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from gitsync.models import Repository
from gitsync.sync.empty_hold import hold_of
from tests.integration.conftest import Sync
from tests.support.api_client import make_user
from tests.support.held_commits import UIDS, empty, row, served
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def page(action: str = "change") -> str:
    return f"/admin/gitsync/repository/{row().pk}/{action}/"


def press(browser: Client, **form: Any) -> str:
    return browser.post(page("accept-empty"), form, follow=True).content.decode()


@pytest.mark.parametrize("managed_by", ["admin", "config"])
def test_the_page_shows_the_held_commit_and_accepts_exactly_that(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User, managed_by: str
) -> None:
    Repository.objects.update(managed_by=managed_by)
    browser = Client()
    browser.force_login(ada)
    assert "Held commit" not in browser.get(page()).content.decode()
    commit = empty(work_repo)
    sync()
    # In what the page's script fetches, too: the hold may come while the page is open.
    status = browser.get(page("sync/status")).json()["parts"]["body"]
    shown = browser.get(page()).content.decode()
    for text in (status, shown):
        assert "Held commit" in text
        assert "would prune <strong>all 2 DAGs</strong>" in text
        assert f'form="accept-empty" name="commit" value="{commit}"' in text
    assert f'action="{page("accept-empty")}" id="accept-empty"' in shown

    for wrong in ({"commit": "1" * 40}, {}):
        assert f"is {commit}, not" in press(browser, **wrong)
    assert browser.get(page("accept-empty")).status_code == 405
    shown = press(browser, commit=commit)
    assert f"Accepted commit {commit} of team." in shown
    assert "Accepted by ada." in shown
    assert 'form="accept-empty"' not in shown
    sync()
    assert "Held commit" not in browser.get(page()).content.decode()
    assert served() == []


def test_view_permission_shows_the_hold_without_the_button(
    guarded: Repository, work_repo: WorkRepo, sync: Sync
) -> None:
    viewer = make_user("eve", "view_repository", groups=["team"])
    viewer.is_staff = True
    viewer.save()
    guarded.groups.set(viewer.groups.all())
    commit = empty(work_repo)
    sync()
    browser = Client()
    browser.force_login(viewer)
    shown = browser.get(page()).content.decode()
    assert "Held commit" in shown
    assert 'form="accept-empty"' not in shown
    assert 'id="accept-empty"' not in shown
    assert browser.post(page("accept-empty"), {"commit": commit}).status_code == 403
    assert served() == list(UIDS)


def test_the_page_of_a_paused_repository_shows_why_it_is_not_accepted(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User
) -> None:
    commit = empty(work_repo)
    sync()
    Repository.objects.update(paused_at=timezone.now(), paused_by="eve", pause_reason="r")
    assert hold_of(row()) is None  # a pause is part of the configuration that a sync is fenced by
    browser = Client()
    browser.force_login(ada)
    assert "is paused by eve" in press(browser, commit=commit)
