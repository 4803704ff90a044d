"""The shown state of a repository: one function for pages, API and commands, also while its sync waits in the queue."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from gitsync.admin.overview_query import OverviewFilter, by_state, wanted_repositories
from gitsync.models import Priority, QueuedSync, Repository, Trigger
from gitsync.repositories.states import LABELS, shown_label, shown_state, with_queue
from gitsync.tasks import enqueue_once, enqueue_sync
from tests.support.api_client import Api, make_token
from tests.support.processes import gitsync

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()
POLLED = NOW - timedelta(minutes=1)
LEASED = {"lease_holder": "worker", "lease_expires_at": NOW + timedelta(hours=1)}
WAITS: dict[str, Any] = {}
CLAIMED = {"claimed_by": "worker", "claimed_at": NOW}
# The row of the repository, the row of its sync in the queue if there is one, and the label.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, str]] = {
    "never": ({"checked_at": None}, None, "Never synced"),
    "rests": ({"state": "in_sync"}, None, "In sync"),
    "waits": ({"state": "in_sync"}, WAITS, "Queued"),
    "first": ({"checked_at": None}, WAITS, "Queued"),
    "claimed": ({"state": "failing"}, CLAIMED, "Queued"),
    "claimed-first": ({"checked_at": None}, CLAIMED, "Queued"),
    "polled-since": ({"state": "degraded", "checked_at": NOW + timedelta(seconds=1)}, CLAIMED, "Degraded"),
    "left": ({"state": "in_sync", "pending_request": {"full": False}}, None, "Queued"),
    "leased": ({"state": "in_sync", **LEASED}, CLAIMED, "Syncing"),
    "leased-and-left": ({"pending_request": {"full": False}, **LEASED}, None, "Syncing"),
    "held-back": ({"paused_at": NOW, "paused_by": "ada"}, WAITS, "Paused"),
    "off": ({"enabled": False}, WAITS, "Disabled"),
}


def add(name: str) -> Repository:
    fields, queued, _ = CASES[name]
    row = Repository.objects.create(name=name, url=f"file:///{name}", **{"checked_at": POLLED, **fields})
    if queued is not None:
        QueuedSync.objects.create(
            id=name,
            repository=row,
            arguments=[],
            priority=Priority.SCHEDULED,
            number=1,
            requested_at=NOW,
            **queued,
        )
    return row


def test_every_part_shows_the_same_state(admin_user: Any) -> None:
    rows = {name: add(name) for name in CASES}
    wanted = {name: label for name, (_, _, label) in CASES.items()}

    assert {name: shown_label(row) for name, row in rows.items()} == wanted
    annotated = with_queue(Repository.objects.all())
    assert {row.name: LABELS[shown_state(row)] for row in annotated} == wanted
    counted = {LABELS[state]: number for state, number in by_state(admin_user).items()}
    labels = list(wanted.values())
    assert counted == {label: labels.count(label) for label in labels}
    for state, label in LABELS.items():
        found = wanted_repositories(admin_user, OverviewFilter(state=state))
        assert {row.name for row in found} == {name for name in wanted if wanted[name] == label}

    browser = Client()
    browser.force_login(admin_user)
    assert (
        badges(browser, "/admin/gitsync/repository/", r'<span class="kiok-one" title="([\w-]+)">') == wanted
    )
    overview = browser.get("/admin/gitsync/overview/status/").json()["rows"]
    assert {first_word(cells[0]): first_word(cells[1]) for _, cells in overview} == wanted
    for name, row in rows.items():
        line = browser.get(f"/admin/gitsync/repository/{row.pk}/sync/status/").json()["parts"]["line"]
        assert first_word(line) == wanted[name], name

    listed = Api(make_token(admin_user)[0]).ok("repositories")["items"]
    assert {item["name"]: item["stateLabel"] for item in listed} == wanted
    as_json = json.loads(gitsync("--list", "--json").stdout)["repositories"]
    assert {item["name"]: item["state_label"] for item in as_json} == wanted
    table = gitsync("--list").stdout
    label = "|".join(LABELS.values())
    assert dict(re.findall(rf"^ *([\w-]+) +({label})  ", table, re.MULTILINE)) == wanted, table


@pytest.mark.parametrize("is_full", [False, True])
def test_a_requested_sync_is_queued(is_full: bool, repository: Repository) -> None:
    Repository.objects.update(checked_at=timezone.now(), state="in_sync")
    if is_full:
        enqueue_sync(repository.pk, Trigger.ADMIN, full=True)
    else:
        enqueue_once(repository.pk, Trigger.WEBHOOK)
    assert shown_label(Repository.objects.get()) == "Queued"


def first_word(html: str) -> str:
    """Return the first text between tags."""
    return str(next(text.strip() for text in re.findall(r">([^<]+)<", f">{html}<") if text.strip()))


def badges(browser: Client, address: str, name: str) -> dict[str, str]:
    """Return the first badge of each row of a list by the row's name."""
    rows = re.findall(r"<tr>(.*?)</tr>", browser.get(address).content.decode(), re.DOTALL)
    found = ((re.search(name, row), re.search(r"kiok-badge[^>]*>([^<]+)<", row)) for row in rows)
    return {match[1]: badge[1] for match, badge in found if match and badge}
