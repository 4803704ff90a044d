"""Actions on several rows: syncs of the repositories of DAGs, and test notifications of channels."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models.signals import post_init
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gitsync.models import QueuedSync, Repository
from kiok.metadata.models import Dag
from kiok.notifications.models import NotificationChannel, NotificationDelivery
from tests.support.access_rows import logged_in
from tests.support.dag_pages import make_dag, text, words
from tests.support.roles import ROLES, roles

pytestmark = pytest.mark.django_db(transaction=True)

DAGS = "/admin/metadata/dag/"
ASKED = "/admin/gitsync/repository/asked/"
CHANNELS = "/admin/notifications/notificationchannel/"
SYNC, FULL = "sync_repositories", "sync_repositories_full"


def make_repository(name: str, *groups: Group, dags: int = 1, **fields: Any) -> Repository:
    row = Repository.objects.create(name=name, url=f"https://git.example/{name}.git", **fields)
    row.groups.set(groups)
    for number in range(dags):
        make_dag(f"{name}/{number}.yaml")
    return row


def member(role: str, *teams: Group) -> Client:
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.set([roles()[role], *teams])
    return logged_in(user)


def act(client: Client, action: str, *uids: str, address: str = DAGS, **form: str) -> Any:
    chosen = {"action": action, "_selected_action": list(uids)}
    return client.post(address, {**chosen, **form}, follow=True)


def messages_of(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def queued() -> list[tuple[str, bool, str]]:
    """Return the name of each repository whose sync is queued, whether it is full, and who requested it."""
    names = dict(Repository.objects.values_list("pk", "name"))
    found = [(names[row.repository_id], *row.arguments[1:3]) for row in QueuedSync.objects.all()]
    return sorted(found)


def test_each_repository_of_the_selected_dags_is_synced_once(browser: Client) -> None:
    for name in ("a", "b", "c"):
        make_repository(name, dags=3)

    answer = act(browser, SYNC, "a/0.yaml", "a/1.yaml", "b/2.yaml")

    assert answer.redirect_chain == [(ASKED, 302)]
    assert queued() == [("a", False, "ada"), ("b", False, "ada")]
    assert messages_of(answer) == ["Queued a sync of 2 repositories: a, b."]
    logged = LogEntry.objects.order_by("object_repr")
    assert [(str(row), row.user.username) for row in logged] == [
        ("Changed “a” — Requested a sync.", "ada"),
        ("Changed “b” — Requested a sync.", "ada"),
    ]
    shown = words(answer.content.decode())
    assert "a Queued" in shown
    assert "b Queued" in shown


def test_a_full_sync_is_requested_by_its_own_action(browser: Client) -> None:
    make_repository("a")
    answer = act(browser, FULL, "a/0.yaml")
    assert queued() == [("a", True, "ada")]
    assert messages_of(answer) == ["Queued a full sync of 1 repository: a."]
    assert LogEntry.objects.get().get_change_message() == "Requested a full sync."


def test_what_cannot_be_synced_is_named_with_the_reason(browser: Client) -> None:
    make_repository("a")
    make_repository("off", enabled=False)
    make_repository("held", paused_at=timezone.now(), paused_by="grace", pause_reason="A move.")
    make_dag("mine.yaml", origin="manual", repository="")
    make_dag("theirs.yaml", origin="bundle", repository="a")

    answer = act(browser, SYNC, "a/0.yaml", "off/0.yaml", "held/0.yaml", "mine.yaml", "theirs.yaml")

    assert messages_of(answer) == [
        "No sync for 2 DAGs, which do not come from a git repository: mine.yaml, theirs.yaml.",
        "No sync of held was started. held is paused by grace: A move. Resume it first.",
        "No sync of off was started. off is disabled. Enable it first.",
        "Queued a sync of 1 repository: a.",
    ]
    assert queued() == [("a", False, "ada")]


def test_a_selection_without_a_repository_shows_the_list_again(browser: Client) -> None:
    make_dag("mine.yaml", origin="manual", repository="")
    answer = act(browser, SYNC, "mine.yaml")
    assert answer.redirect_chain == [(DAGS, 302)]
    assert messages_of(answer) == ["No sync for 1 DAG, which does not come from a git repository: mine.yaml."]
    assert queued() == []
    assert LogEntry.objects.count() == 0


def test_many_refused_repositories_are_summed_up(browser: Client) -> None:
    for number in range(12):
        make_repository(f"off{number:02}", enabled=False)
    answer = act(browser, SYNC, "off00/0.yaml", select_across="1")
    shown = messages_of(answer)
    assert len(shown) == 6
    assert shown[0] == "No sync of off00 was started. off00 is disabled. Enable it first."
    assert shown[5] == (
        "No sync of 7 other disabled or paused repositories was started: "
        "off05, off06, off07, off08, off09 and 2 more."
    )


@pytest.mark.parametrize("role", ROLES)
def test_only_roles_that_may_sync_can_select_dags(role: str, transactional_db: None) -> None:
    team = Group.objects.create(name="team")
    make_repository("a", team)
    client = member(role, team)

    shown = text(client, DAGS)
    answer = act(client, SYNC, "a/0.yaml")

    may = role != "Viewer"
    assert ('name="_selected_action"' in shown) == may
    assert ('name="action"' in shown) == may
    assert [name for name, *_ in queued()] == (["a"] if may else [])
    assert answer.status_code == 200
    assert LogEntry.objects.count() == int(may)


def test_a_team_member_syncs_only_repositories_of_the_own_team(transactional_db: None) -> None:
    ours, theirs = Group.objects.create(name="ours"), Group.objects.create(name="theirs")
    make_repository("mine", ours)
    make_repository("secret", theirs)
    client = member("Editor", ours)

    for form in ({}, {"select_across": "1"}):
        answer = act(client, SYNC, "mine/0.yaml", "secret/0.yaml", **form)
        assert [name for name, *_ in queued()] == ["mine"]
        assert "secret" not in html.unescape(answer.content.decode())
        QueuedSync.objects.all().delete()
    answer = act(client, SYNC, "secret/0.yaml")
    assert queued() == []
    assert "secret" not in html.unescape(answer.content.decode())


def test_the_whole_filtered_list_can_be_selected(browser: Client) -> None:
    make_repository("a", dags=60)
    make_repository("b", dags=2)
    Dag.objects.filter(uid="b/1.yaml").update(stale_since=timezone.now(), stale_reason="x")
    answer = act(browser, SYNC, "a/0.yaml", address=f"{DAGS}?stale=no&q=0.yaml", select_across="1")
    assert [name for name, *_ in queued()] == ["a", "b"]
    assert messages_of(answer) == ["Queued a sync of 2 repositories: a, b."]
    QueuedSync.objects.all().delete()
    act(browser, SYNC, "a/0.yaml", address=f"{DAGS}?stale=yes", select_across="1")
    assert [name for name, *_ in queued()] == ["b"]


def test_a_selection_of_all_dags_reads_no_dag(browser: Client) -> None:
    """The response reads the rows of one page, as the list does, however many DAGs are selected."""
    make_repository("a")
    made: list[Any] = []

    def count(**_: Any) -> None:
        made.append(1)

    def cost(dags: int) -> tuple[int, int]:
        for number in range(Dag.objects.count(), dags):
            make_dag(f"a/{number}.yaml")
        made.clear()
        post_init.connect(count, sender=Dag)
        try:
            with CaptureQueriesContext(connection) as captured:
                browser.post(DAGS, {"action": SYNC, "_selected_action": ["a/0.yaml"], "select_across": "1"})
        finally:
            post_init.disconnect(count, sender=Dag)
        assert [name for name, *_ in queued()][:1] == ["a"]
        return len(made), len(captured)

    cost(60)
    few = cost(60)
    assert few[0] <= 50
    assert cost(300) == few


# Notification channels.


def make_channel(name: str, **fields: Any) -> NotificationChannel:
    return NotificationChannel.objects.create(name=name, url=f"https://hooks.example/{name}", **fields)


def test_a_test_notification_is_queued_for_each_selected_channel(browser: Client) -> None:
    rows = [make_channel("chat"), make_channel("off", enabled=False), make_channel("pager")]
    make_channel("other")

    answer = act(browser, "test_selected", *(str(row.pk) for row in rows), address=CHANNELS)

    assert messages_of(answer) == [
        "The channel off is disabled. Enable it first.",
        "Queued a test notification for 2 channels: chat, pager. Each channel's page shows its outcome.",
    ]
    told = NotificationDelivery.objects.order_by("channel__name").values_list("channel__name", flat=True)
    assert list(told) == ["chat", "pager"]
    messages = {row.object_repr: row.get_change_message() for row in LogEntry.objects.all()}
    assert messages == dict.fromkeys(("chat", "pager"), "Requested a test notification.")


@pytest.mark.parametrize("role", ROLES)
def test_only_roles_that_may_change_channels_can_test_several(role: str, transactional_db: None) -> None:
    ours, theirs = Group.objects.create(name="ours"), Group.objects.create(name="theirs")
    mine, secret = make_channel("mine"), make_channel("secret")
    mine.groups.add(ours)
    secret.groups.add(theirs)
    client = member(role, ours)

    shown = text(client, CHANNELS)
    act(client, "test_selected", str(mine.pk), str(secret.pk), address=CHANNELS)

    may = role in ("Operator", "Admin")
    assert ("Send a test notification" in shown) == may
    told = NotificationDelivery.objects.order_by("channel__name").values_list("channel__name", flat=True)
    expected = ["mine", "secret"] if role == "Admin" else ["mine"]
    assert list(told) == (expected if may else [])
