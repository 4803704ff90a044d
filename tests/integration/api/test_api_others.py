"""Connections, notification channels, deliveries and groups over the API: to read, and never with a secret."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User

from gitsync.models import Repository
from kiok.connections.models import Connection
from kiok.notifications.models import NotificationChannel, NotificationDelivery
from tests.support.api_client import SECRET_PATH, Api, make_channel, make_everything, make_token, make_user
from tests.support.api_problems import URL
from tests.support.connection_rows import grant, make_repository

pytestmark = pytest.mark.django_db(transaction=True)

VALUE = "a value of the connection"


def test_a_connection_shows_its_names_and_uses_and_no_value(api: Api) -> None:
    connection = Connection.objects.create(id="team-git", type="git", description="For pushes")
    connection.set_properties({"token": VALUE, "user": VALUE})
    Connection.objects.create(id="unused", type="secret")
    Repository.objects.create(name="one", url=URL, credential=connection, webhook_secret=connection)
    channel = NotificationChannel.objects.create(name="alerts", secret=connection)
    channel.repositories.add(Repository.objects.get())
    shown = api.ok("connections/team-git")
    assert (shown["id"], shown["type"], shown["description"]) == ("team-git", "git", "For pushes")
    assert shown["properties"] == ["token", "user"]
    assert shown["usedBy"] == [
        {"kind": "repository", "name": "one", "field": "credentialConnectionId"},
        {"kind": "repository", "name": "one", "field": "webhookSecretConnectionId"},
        {"kind": "channel", "name": "alerts", "field": "connectionId"},
    ]
    assert shown["usedInAll"] == 3
    listed = api.get("connections")
    assert listed.json()["items"] == [shown, api.ok("connections/unused")]
    assert VALUE not in listed.content.decode()
    assert [item["id"] for item in api.ok("connections", type="secret")["items"]] == ["unused"]
    assert [item["id"] for item in api.ok("connections", search="PUSHES")["items"]] == ["team-git"]
    assert api.get("connections/none").status_code == 404


def test_hidden_uses_of_a_connection_are_only_counted(transactional_db: None) -> None:
    connection = Connection.objects.create(id="team-git", type="git")
    for name, group in (("mine", "a"), ("theirs", "b")):
        repository = Repository.objects.create(name=name, url=URL, credential=connection)
        repository.groups.add(Group.objects.get_or_create(name=group)[0])
    api = Api(make_token(make_user("vera", "view_connection", "view_repository", groups=["a"]))[0])
    shown = api.ok("connections/team-git")
    assert ([use["name"] for use in shown["usedBy"]], shown["usedInAll"]) == (["mine"], 2)
    lacking = Api(make_token(make_user("olga", "view_connection", groups=["a"]))[0])
    assert lacking.ok("connections/team-git")["usedBy"] == []


def test_a_connection_shows_who_may_use_it_as_far_as_the_caller_sees(api: Api) -> None:
    mine, theirs = (Group.objects.create(name=name) for name in ("a", "b"))
    rows = [make_repository(name, group) for name, group in (("mine", mine), ("theirs", theirs))]
    grant("shared", everyone=True)
    grant("some", mine, theirs, *rows)
    grant("unused")

    some = {"everyone": False, "teams": ["a", "b"], "repositories": ["mine", "theirs"], "hidden": 0}
    assert api.ok("connections/some")["usableBy"] == some
    listed = {item["id"]: item["usableBy"] for item in api.ok("connections")["items"]}
    nothing = {"everyone": False, "teams": [], "repositories": [], "hidden": 0}
    assert listed == {"some": some, "unused": nothing, "shared": {**nothing, "everyone": True}}

    vera = Api(make_token(make_user("vera", "view_connection", "view_repository", groups=["a"]))[0])
    seen = {"everyone": False, "teams": ["a"], "repositories": ["mine"], "hidden": 2}
    assert vera.ok("connections/some")["usableBy"] == seen
    lacking = Api(make_token(make_user("olga", "view_connection", groups=["a"]))[0])
    assert lacking.ok("connections/some")["usableBy"] == {**seen, "repositories": [], "hidden": 3}


def test_connections_are_filtered_by_the_repository_that_may_use_them(api: Api) -> None:
    group = Group.objects.create(name="a")
    row, other = make_repository("one", group), make_repository("two", Group.objects.create(name="b"))
    grant("shared", everyone=True)
    grant("team", group)
    grant("own", row)
    grant("theirs", other)
    grant("unused")

    def usable(by: Api, name: str) -> list[str]:
        return [item["id"] for item in by.ok("connections", usableBy=name)["items"]]

    assert usable(api, "one") == ["own", "shared", "team"]
    assert usable(api, "two") == ["shared", "theirs"]
    assert usable(api, "none") == []
    vera = Api(make_token(make_user("vera", "view_connection", "view_repository", groups=["a"]))[0])
    assert usable(vera, "one") == ["own", "shared", "team"]
    assert usable(vera, "two") == []


def test_a_channel_shows_where_it_sends_and_no_secret(api: Api) -> None:
    repository = make_everything("one", "a", mark="alpha")
    channel = make_channel(repository, "alpha")
    email = NotificationChannel.objects.create(
        name="mail", kind="email", addresses="a@example.com", all_repositories=True, enabled=False
    )
    answer = api.get(f"notification-channels/{channel.pk}")
    assert SECRET_PATH not in answer.content.decode()
    shown = answer.json()
    assert (shown["name"], shown["kind"], shown["format"]) == ("channel alpha", "webhook", "json")
    assert shown["destination"] == "https://127.0.0.1/"
    assert (shown["repositories"], shown["groups"], shown["consecutiveFailures"]) == (["one"], [], 1)
    assert api.ok(f"notification-channels/{email.pk}")["destination"] == "a@example.com"
    assert [item["name"] for item in api.ok("notification-channels", kind="email")["items"]] == ["mail"]
    assert [item["name"] for item in api.ok("notification-channels", enabled="true")["items"]] == [
        "channel alpha"
    ]
    assert SECRET_PATH not in api.get("notification-channels").content.decode()


def test_deliveries_show_what_became_of_each_notification(api: Api) -> None:
    for name in ("one", "two"):
        make_channel(make_everything(name, mark=name), name)
    NotificationDelivery.objects.filter(channel__name="channel two").update(state="sent")
    newest, oldest = api.ok("notification-deliveries")["items"]
    assert (newest["channel"], newest["repository"], newest["event"]) == ("channel two", "two", "failing")
    assert (newest["repositoryState"], newest["message"], newest["attempts"]) == ("failing", "two", 2)
    for query, row in (
        ({"state": "waiting"}, oldest),
        ({"channel": str(newest["channelId"])}, newest),
        ({"repository": "one"}, oldest),
        ({"search": "TWO"}, newest),
        ({"event": "failing", "repository": "two"}, newest),
    ):
        assert api.ok("notification-deliveries", **query) == {"items": [row], "next": None, "total": 1}
    assert api.ok("notification-deliveries", event="test")["total"] == 0


def test_a_group_shows_the_repositories_that_the_caller_sees(transactional_db: None) -> None:
    make_everything("mine", "a", mark="x")
    make_everything("theirs", "a", "b", mark="y").groups.set([Group.objects.get(name="b")])
    vera = make_user("vera", "view_group", "view_repository", groups=["a"])
    listed = Api(make_token(vera)[0]).ok("groups")["items"]
    assert listed == [
        {"name": "a", "members": 1, "repositories": ["mine"]},
        {"name": "b", "members": 0, "repositories": []},
    ]
    ada = Api(make_token(User.objects.create_superuser("ada"))[0])
    assert [item["repositories"] for item in ada.ok("groups")["items"]] == [["mine"], ["theirs"]]
    assert ada.ok("groups", search="B")["total"] == 1
    lacking = Api(make_token(make_user("olga", "view_group", groups=["a"]))[0])
    assert [item["repositories"] for item in lacking.ok("groups")["items"]] == [[], []]
