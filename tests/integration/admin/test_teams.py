"""Roles and teams on the pages of users and groups, and what a user with both sees."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from gitsync.access import OTHER_SERVER, may_be_sent, usable_channel_connections, usable_connections
from gitsync.models import ApiToken, QueuedSync, Repository, Role
from kiok.connections.models import Connection
from kiok.notifications.models import NotificationChannel
from tests.support.access_pages import FILLED, HEALTH, LISTS, PLAIN, ask, fill, state, without
from tests.support.access_rows import Rows, logged_in
from tests.support.api_client import Api, make_token
from tests.support.roles import roles

pytestmark = pytest.mark.django_db(transaction=True)

USERS, GROUPS = "/admin/auth/user/", "/admin/auth/group/"
PASSWORD = "one long pass phrase 7"
DATES = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
OF_REPOSITORIES = ("gitsync", "metadata")


def member(role: str, *teams: Group) -> User:
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.set([roles()[role], *teams])
    return user


def errors_of(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.context["adminform"].form.errors)


def test_a_role_and_a_team_show_exactly_the_repositories_of_the_team(ours: Rows, theirs: Rows) -> None:
    before = state(theirs)
    for role in ("Viewer", "Operator"):  # an Editor may do more than the one and less than the other
        client = logged_in(member(role, ours.group))
        for route in PLAIN:
            shown = ask(client, "get", route)
            assert not theirs.tells(shown), (role, route)
            if route in LISTS and route.split("/")[2] in OF_REPOSITORIES and "apitoken" not in route:
                assert ours.tells(shown), (role, route)
        for route in FILLED:
            for method in ("get", "post"):
                answered = without(theirs, ask(client, method, fill(route, theirs)))
                assert not theirs.tells(answered), (role, route)
    assert state(theirs) == before


def test_a_role_without_a_team_shows_no_repository(ours: Rows) -> None:
    client = logged_in(member("Operator"))
    for route in PLAIN:
        assert not ours.tells(HEALTH.sub("", ask(client, "get", route))), route


def test_an_editor_can_sync_but_not_change(ours: Rows) -> None:
    Repository.objects.update(paused_at=None, paused_by="", pause_reason="")
    client = logged_in(member("Editor", ours.group))
    page = f"/admin/gitsync/repository/{ours.repository.pk}/"
    shown = client.get(f"{page}change/").content.decode()
    buttons = re.findall(r'<input type="submit" value="([^"]+)"', shown)
    assert buttons == ["Sync now", "Sync now (full)", "Dry run", "Test connection"]
    assert client.post(f"{page}sync/").status_code == 302
    assert QueuedSync.objects.filter(repository=ours.repository).exists()
    assert client.post(f"{page}pause/", {"reason": "x"}).status_code == 403
    assert client.post(f"{page}change/", {"name": "other"}).status_code == 403


# The page of a user.


def test_an_administrator_adds_a_user_with_a_role_and_a_team_on_one_page(ours: Rows, theirs: Rows) -> None:
    admin = logged_in(member("Admin"))
    editor = roles()["Editor"]
    shown = admin.get(f"{USERS}add/").content.decode()
    offered = re.findall(r'<input type="checkbox" name="roles" value="(\d+)"', shown)
    assert offered == [str(group.pk) for group in roles().values()]
    teams = re.search(r'<select name="groups".*?</select>', shown, re.DOTALL)
    assert teams
    assert re.findall(r">([^<]+)</option>", teams[0]) == ["aardvark group", "zebra group"]

    form = {"username": "ada", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    form |= {"is_staff": "on", "roles": [editor.pk], "groups": [ours.group.pk]}
    assert admin.post(f"{USERS}add/", form).status_code == 302

    ada = User.objects.get(username="ada")
    assert {*ada.groups.all()} == {editor, ours.group}
    browser = Client()
    assert browser.post("/admin/login/", {"username": "ada", "password": PASSWORD}).status_code == 302
    shown = ask(browser, "get", "/admin/gitsync/repository/")
    assert ours.tells(shown)
    assert not theirs.tells(shown)


def test_the_page_of_a_user_changes_roles_and_teams_apart(ours: Rows, theirs: Rows) -> None:
    admin = logged_in(member("Admin"))
    user = member("Viewer", ours.group)
    page = f"{USERS}{user.pk}/change/"
    shown = admin.get(page)
    assert "aardvark" in shown.content.decode()
    form = shown.context["adminform"].form
    assert [group.name for group in form.initial["roles"]] == ["Viewer"]
    assert [group.name for group in form.initial["groups"]] == ["aardvark group"]

    sent = {"username": "viewer", "is_active": "on", "is_staff": "on", **DATES}
    sent |= {"roles": [roles()["Operator"].pk, roles()["Viewer"].pk], "groups": [theirs.group.pk]}
    assert admin.post(page, sent).status_code == 302
    assert sorted(user.groups.values_list("name", flat=True)) == ["Operator", "Viewer", "zebra group"]
    listed = admin.get(f"{USERS}?q=viewer").content.decode()
    assert "Operator, Viewer" in listed
    assert "zebra group" in listed
    assert "roles" in errors_of(admin.post(page, {**sent, "roles": [ours.group.pk]}))
    assert "groups" in errors_of(admin.post(page, {**sent, "groups": [roles()["Admin"].pk]}))


def test_a_user_who_may_only_view_accounts_sees_roles_and_teams(ours: Rows) -> None:
    reader = User.objects.create_user("reader", is_staff=True)
    wanted = ("view_user", "view_group", "view_all_repositories")
    reader.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client, user = logged_in(reader), member("Viewer", ours.group)
    shown = client.get(f"{USERS}{user.pk}/change/").content.decode()
    assert '<div class="readonly">Viewer</div>' in shown
    assert '<div class="readonly">aardvark group</div>' in shown
    assert 'name="roles"' not in shown
    shown = client.get(f"{GROUPS}{ours.group.pk}/change/").content.decode()
    assert '<div class="readonly">team</div>' in shown
    assert '<div class="readonly">aardvark</div>' in shown


def test_only_who_may_change_accounts_has_tokens_of_other_users(ours: Rows) -> None:
    _, row = make_token(User.objects.create_user("robot"), name="of the robot")
    admin, editor = logged_in(member("Admin")), logged_in(member("Editor", ours.group))
    tokens = "/admin/gitsync/apitoken/"
    assert "of the robot" in admin.get(tokens).content.decode()
    assert 'name="user"' in admin.get(f"{tokens}add/").content.decode()
    assert "of the robot" not in editor.get(tokens).content.decode()
    assert 'name="user"' not in editor.get(f"{tokens}add/").content.decode()
    assert admin.post(f"{tokens}{row.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not ApiToken.objects.filter(pk=row.pk).exists()


# The page of a group.


def test_the_page_of_a_team_sets_its_repositories(ours: Rows, theirs: Rows) -> None:
    admin = logged_in(member("Admin"))
    page = f"{GROUPS}{ours.group.pk}/change/"
    Repository.objects.filter(pk=theirs.repository.pk).update(managed_by="config")
    assert admin.get(page).context["adminform"].form.initial["kind"] == "team"
    both = [ours.repository.pk, theirs.repository.pk]
    sent = {"name": ours.group.name, "kind": "team", "owned_repositories": both}
    assert admin.post(page, sent).status_code == 302
    assert sorted(ours.group.repositories.values_list("pk", flat=True)) == sorted(both)
    assert not Role.objects.filter(group=ours.group).exists()
    listed = admin.get(GROUPS).content.decode()
    kinds = re.findall(r'field-kind"[^>]*>(?:<[^>]*>)*(\w+)', listed)
    assert sorted(kinds) == ["role", "role", "role", "role", "team", "team"]


def test_a_group_that_owns_anything_does_not_become_a_role(ours: Rows) -> None:
    admin = logged_in(member("Admin"))
    page = f"{GROUPS}{ours.group.pk}/change/"
    sent = {"name": ours.group.name, "kind": "role"}
    assert "owns no repositories" in errors_of(
        admin.post(page, {**sent, "owned_repositories": [ours.repository.pk]})
    )
    assert "aardvark channel" in errors_of(admin.post(page, sent))
    NotificationChannel.objects.all().delete()
    (granted,) = ours.group.usable_connections.all()
    assert granted.pk in errors_of(admin.post(page, sent))
    granted.usable_by_groups.clear()
    assert admin.post(page, sent).status_code == 302
    assert Role.objects.filter(group=ours.group).exists()
    assert not ours.group.repositories.exists()
    assert admin.post(page, {"name": ours.group.name, "kind": "team"}).status_code == 302
    assert not Role.objects.filter(group=ours.group).exists()


def test_a_role_cannot_own_a_repository_or_channel(ours: Rows) -> None:
    user = member("Operator", ours.group)
    client, role = logged_in(user), roles()["Operator"]
    for page in (
        f"/admin/gitsync/repository/{ours.repository.pk}/change/",
        "/admin/notifications/notificationchannel/add/",
    ):
        form = client.get(page).context["adminform"].form
        assert [group.name for group in form.fields["groups"].queryset] == ["aardvark group"]
    api = Api(make_token(user)[0])
    body = {"name": "new", "url": "https://git.example.org/new.git", "groups": [role.name]}
    answer = api("POST", "repositories", body)
    assert answer.status_code == 422
    assert "No group 'Operator'" in answer.json()["errors"][0]["message"]
    output = api.ok("")
    assert (output["groups"], output["roles"]) == (["aardvark group"], ["Operator"])


# An Operator and the values of connections.


def test_an_operator_cannot_have_a_credential_sent_to_a_new_server(ours: Rows, theirs: Rows) -> None:
    user = member("Operator", ours.group)
    host = ours.repository.url.split("/")[2]
    first = Connection.objects.get(pk="first")
    first.set_properties({"token": "of the git server"})
    first.save()
    limited, database = (Connection.objects.create(id=name) for name in ("limited", "database"))
    limited.set_properties({"token": "of the other server", "hosts": "other.example.com"})
    database.set_properties({"password": "of the warehouse"})
    for connection in (limited, database):
        connection.save()
    assert {row.pk for row in usable_connections(user, "credential")} == {"first", "limited", "database"}
    assert may_be_sent(user, "first", f"https://{host}/other.git")
    assert not may_be_sent(user, "first", "https://evil.example/x.git")
    assert not may_be_sent(user, "database", f"https://{host}/other.git")
    assert may_be_sent(user, "limited", "https://other.example.com/x.git")  # used with no other server

    client = logged_in(user)
    page = f"/admin/gitsync/repository/{ours.repository.pk}/change/"
    form = {name: getattr(ours.repository, name) for name in ("name", "ref", "subpath", "include")}
    form |= {"verify": "off", "allow_empty": "on", "enabled": "on", "groups": [str(ours.group.pk)]}
    form |= {"url": "https://evil.example/x.git", "credential": "database"}
    assert "was not entered for" in errors_of(client.post(page, form))
    api = Api(make_token(user)[0])
    answer = api("PATCH", "repositories/aardvark", {"credentialConnectionId": "database"})
    assert [item["message"] for item in answer.json()["errors"]] == [OTHER_SERVER]

    channels = "/admin/notifications/notificationchannel/"
    channel = {"name": "hook", "kind": "webhook", "enabled": "on", "style": "json", "secret": "database"}
    channel |= {"url": "https://evil.example/", "groups": [str(ours.group.pk)]}
    assert usable_channel_connections(user, NotificationChannel()).filter(pk="database").exists()
    assert "were not entered for" in errors_of(client.post(f"{channels}add/", channel))

    User.objects.get(pk=user.pk).user_permissions.add(Permission.objects.get(codename="change_connection"))
    assert may_be_sent(User.objects.get(pk=user.pk), "database", "https://evil.example/x.git")


def test_to_change_connections_without_viewing_them_lifts_no_limit(ours: Rows) -> None:
    user = User.objects.create_user("changer", is_staff=True)
    user.groups.set([ours.group])
    user.user_permissions.add(Permission.objects.get(codename="change_connection"))
    assert not may_be_sent(User.objects.get(pk=user.pk), "first", "https://evil.example/x.git")
