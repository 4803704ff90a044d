"""The admin's log: it has every change and every requested sync, with its user and without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from gitsync import actions
from gitsync.models import Repository
from gitsync.repositories import connection_test_tasks
from gitsync.repositories.connection_test import check
from kiok.connections.models import Connection
from tests.integration.conftest import yaml_dag
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

pytestmark = pytest.mark.django_db(transaction=True)

REPOSITORIES = "/admin/gitsync/repository/"
CONNECTIONS = "/admin/connections/connection/"
SECRET = "hunter2-the-secret"


@pytest.fixture
def ada(transactional_db: None) -> User:
    return User.objects.create_superuser("ada", password="x")


@pytest.fixture
def browser(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


def log() -> list[tuple[str, str, str]]:
    """Return (action, object, message) of each log entry, oldest first. All entries are ada's."""
    entries = LogEntry.objects.order_by("pk").select_related("user")
    assert {entry.user.get_username() for entry in entries} <= {"ada"}
    return [
        (entry.get_action_flag_display(), entry.object_repr, entry.get_change_message()) for entry in entries
    ]


def done(browser: Client, address: str, **form: Any) -> None:
    answer = browser.post(address, form)
    assert answer.status_code == 302, answer.content.decode()


def form_of(**fields: Any) -> dict[str, Any]:
    return {"ref": "main", "verify": "off", "allow_empty": "on", "enabled": "on", "include": "*.py", **fields}


def test_repositories_that_are_added_edited_and_removed(browser: Client) -> None:
    url = "https://git.example.com/a.git"
    for name in ("a", "b", "c"):
        done(browser, f"{REPOSITORIES}add/", **form_of(name=name, url=url))
    first, *others = Repository.objects.order_by("name")

    edited = form_of(name="a", url=url, ref="release", interval_ms="5000")
    done(browser, f"{REPOSITORIES}{first.pk}/change/", **edited)
    done(browser, f"{REPOSITORIES}{first.pk}/delete/", post="yes")
    chosen = {"action": "delete_selected", "_selected_action": [row.pk for row in others], "post": "yes"}
    done(browser, REPOSITORIES, **chosen)

    assert Repository.objects.count() == 0
    entries = log()
    assert [entry[:2] for entry in entries[:4]] == [
        ("Addition", "a"),
        ("Addition", "b"),
        ("Addition", "c"),
        ("Change", "a"),
    ]
    assert "branch or tag" in entries[3][2].lower()
    assert "interval" in entries[3][2].lower()
    assert "url" not in entries[3][2].lower()
    assert sorted(entry[:2] for entry in entries[4:]) == [
        ("Deletion", "a"),
        ("Deletion", "b"),
        ("Deletion", "c"),
    ]


def test_syncs_by_hand_one_and_several(browser: Client, ada: User) -> None:
    rows = [Repository.objects.create(name=name, url="https://git.example.com/a.git") for name in "ab"]
    chosen = [row.pk for row in rows]

    done(browser, f"{REPOSITORIES}{rows[0].pk}/sync/")
    done(browser, f"{REPOSITORIES}{rows[0].pk}/sync/", full="1")
    done(browser, REPOSITORIES, action="sync_now", _selected_action=chosen)
    done(browser, REPOSITORIES, action="sync_now_full", _selected_action=chosen)
    actions.ask_for_dry_run(ada, rows[0])

    assert log() == [
        ("Change", "a", "Requested a sync."),
        ("Change", "a", "Requested a full sync."),
        *(("Change", name, "Requested a sync.") for name in "ab"),
        *(("Change", name, "Requested a full sync.") for name in "ab"),
        ("Change", "a", "Requested a dry run."),
    ]


def test_a_connection_test_is_in_the_history_of_its_repository(browser: Client) -> None:
    row = Repository.objects.create(name="a", url="https://git.example.com/a.git", enabled=False)
    assert (
        "Requested a connection test" not in browser.get(f"{REPOSITORIES}{row.pk}/history/").content.decode()
    )
    done(browser, f"{REPOSITORIES}{row.pk}/check/")
    assert log() == [("Change", "a", "Requested a connection test.")]
    history = browser.get(f"{REPOSITORIES}{row.pk}/history/").content.decode()
    assert "Requested a connection test." in history
    assert "ada" in history


def test_the_log_has_pauses_with_reasons_and_no_refused_actions(browser: Client, ada: User) -> None:
    row = Repository.objects.create(name="a", url="https://git.example.com/a.git")
    actions.pause(ada, row, "the team moves")
    for refused in (actions.ask_for_sync, lambda *given: actions.pause(*given, "")):
        with pytest.raises(actions.ActionRefused):
            refused(ada, row)
    done(browser, f"{REPOSITORIES}{row.pk}/sync/")
    actions.resume(ada, row)
    actions.resume(ada, row)
    assert log() == [("Change", "a", "Paused: the team moves"), ("Change", "a", "Resumed.")]
    history = browser.get(f"{REPOSITORIES}{row.pk}/history/").content.decode()
    assert "Paused: the team moves" in history
    assert "ada" in history


def test_an_accepted_host_key_is_recorded_at_connection_and_repository(
    browser: Client, ada: User, work_repo: WorkRepo, ssh_server: SshServer
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    deploy = Connection(id="deploy", type="git")
    deploy.set_properties({"privateKey": ssh_server.client_key()})
    row = Repository.objects.create(name="zebra", url=ssh_server.url(work_repo.bare), credential=deploy)
    presented = check(row).presented_key

    assert connection_test_tasks.accept(row.pk, presented, ada.pk)["refused"] is False

    assert sorted((to, presented in output, "connection deploy" in output) for _, to, output in log()) == [
        ("deploy", True, False),
        ("zebra", True, True),
    ]
    # A user who sees the connection need not see the repository.
    assert "zebra" not in browser.get(f"{CONNECTIONS}deploy/history/").content.decode()


def test_connections_by_the_names_of_their_properties_and_never_by_a_value(browser: Client) -> None:
    given = {"id": "vault", "type": "git", "description": ""}
    done(browser, f"{CONNECTIONS}add/", **given, changes=f"password={SECRET}\nusername=bot")
    done(browser, f"{CONNECTIONS}vault/change/", **given, changes=f"token={SECRET}2\n-password")
    done(browser, f"{CONNECTIONS}vault/change/", **{**given, "description": "for the robots"}, changes="")
    done(browser, f"{CONNECTIONS}vault/delete/", post="yes")

    entries = log()
    assert [entry[:2] for entry in entries] == [
        ("Addition", "vault"),
        ("Change", "vault"),
        ("Change", "vault"),
        ("Deletion", "vault"),
    ]
    assert "password, username" in entries[0][2]
    assert "token, -password" in entries[1][2]
    assert "Description" in entries[2][2]
    assert SECRET not in str(list(LogEntry.objects.values()))


def test_the_log_has_changes_of_groups_and_their_members(browser: Client, ada: User) -> None:
    done(browser, "/admin/auth/group/add/", name="payments")
    group = Group.objects.get(name="payments")
    may_view = Permission.objects.get(codename="view_repository")
    done(browser, f"/admin/auth/group/{group.pk}/change/", name="payments", permissions=[may_view.pk])
    form = {"username": "ada", "date_joined_0": "2026-01-01", "date_joined_1": "00:00", "is_superuser": "on"}
    done(
        browser,
        f"/admin/auth/user/{ada.pk}/change/",
        **form,
        is_active="on",
        is_staff="on",
        groups=[group.pk],
    )
    output = [message.lower() for *_, message in log()]
    assert output[0] == "added."
    assert "permissions" in output[1]
    assert "teams" in output[2]


def test_the_log_is_read_only_and_blocks_deletion_of_its_accounts(browser: Client, ada: User) -> None:
    row = Repository.objects.create(name="zebra", url="https://git.example.com/a.git")
    actions.pause(ada, row, "<b>the team moves</b>")
    done(browser, f"{REPOSITORIES}{row.pk}/delete/", post="yes")
    entry = LogEntry.objects.earliest("pk")
    page = "/admin/admin/logentry/"

    shown = browser.get(page, {"q": "zebra"}).content.decode()

    assert "&lt;b&gt;the team moves&lt;/b&gt;" in shown
    assert "2 log entries" in shown
    assert "the team moves" in browser.get(f"{page}{entry.pk}/change/").content.decode()
    assert browser.post(f"{page}{entry.pk}/change/", {"object_repr": "x"}).status_code == 403
    assert browser.post(f"{page}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    browser.post(f"/admin/auth/user/{ada.pk}/delete/", {"post": "yes"})
    assert User.objects.filter(pk=ada.pk).exists()
    assert LogEntry.objects.count() == 2
