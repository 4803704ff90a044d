"""Access over the API: tokens, scopes, permissions, groups. The operations are those of the document."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from gitsync.api.auth import alternatives
from gitsync.models import ApiToken, Repository, SyncRun, TokenScope
from kiok.connections.models import Connection
from tests.support.api_client import SECRET_PATH, Api, make_channel, make_everything, make_token, make_user
from tests.support.api_operations import call, needs, operations
from tests.support.canary import surfaces

pytestmark = pytest.mark.django_db(transaction=True)

SECRET_OF_B = "hidden-words"
VALUE = "a token of the connection"


@pytest.fixture
def rows(transactional_db: None) -> tuple[Repository, Repository]:
    """A repository of group a and one of group b, which use the same connection and have a channel each."""
    Connection.objects.create(id="shared", type="git").set_properties({"token": VALUE})
    found = make_everything("mine", "a", mark="open"), make_everything("theirs", "b", mark=SECRET_OF_B)
    for repository, mark in zip(found, ("open", SECRET_OF_B), strict=True):
        make_channel(repository, mark)
    Repository.objects.update(credential="shared")
    return found


# Groups.


def test_no_operation_shows_another_groups_repository_to_a_member(
    rows: tuple[Repository, Repository],
) -> None:
    mine, theirs = rows
    api = Api(make_token(make_user("vera", "*", groups=["a"]))[0])
    before = (Repository.objects.filter(pk=theirs.pk).values().get(), SyncRun.objects.count())
    for path, method, described in operations():
        answers = [call(api, path, method, described, theirs, SECRET_OF_B)]
        if method == "GET":
            answers.append(call(api, path, method, described, mine, "open"))
            assert answers[-1].status_code == 200 or "dry-runs" in path, (path, answers[-1].content)
        for answer in answers:
            text = answer.content.decode()
            assert SECRET_OF_B not in text, path
            assert "theirs" not in text, path
        names_a_row = "{" in path or any(item["required"] for item in described["parameters"])
        if names_a_row and path != "/api/v1/connections/{id}":  # all who may view connections see all of them
            assert answers[0].status_code == 404, (method, path, answers[0].content)
    assert (Repository.objects.filter(pk=theirs.pk).values().get(), SyncRun.objects.count()) == before


@pytest.mark.parametrize(
    "path",
    [
        *("repositories", "syncs", "errors", "dags", "runs"),
        *("notification-channels", "notification-deliveries"),
    ],
)
def test_filters_and_searches_reveal_nothing_of_another_group(
    path: str, rows: tuple[Repository, Repository]
) -> None:
    api = Api(make_token(make_user("vera", "*", groups=["a"]))[0])
    (listed,) = [item for item in operations() if item[0] == f"/api/v1/{path}" and item[1] == "GET"]
    names = {parameter["name"] for parameter in listed[2]["parameters"]}
    for name, value in (
        ("repository", "theirs"),
        ("search", SECRET_OF_B),
        ("uid", f"theirs/{SECRET_OF_B}.yaml"),
        ("group", "b"),
    ):
        if name in names:
            assert api.ok(path, **{name: value}) == {"items": [], "next": None, "total": 0}
    shown = api.ok(path)
    assert shown["total"] == len(shown["items"]) > 0


def test_permission_to_see_all_and_group_changes_count_immediately(
    rows: tuple[Repository, Repository],
) -> None:
    vera = make_user("vera", "*", groups=["a"])
    api = Api(make_token(vera)[0])
    assert [item["name"] for item in api.ok("repositories")["items"]] == ["mine"]
    rows[1].groups.set(vera.groups.all())
    assert [item["name"] for item in api.ok("repositories")["items"]] == ["mine", "theirs"]
    rows[1].groups.clear()
    assert api.get("repositories/theirs").status_code == 404
    vera.user_permissions.add(Permission.objects.get(codename="view_all_repositories"))
    assert api.get("repositories/theirs").status_code == 200


# Scopes and permissions.


def test_every_operation_needs_its_scope_and_each_of_its_permissions(
    rows: tuple[Repository, Repository],
) -> None:
    mine, _ = rows
    mine_all = make_user("vera", "*", groups=["a"])
    tried = 0
    for path, method, described in operations():
        needed = needs(described["operationId"])
        if needed.scope is None:
            assert path == "/api/v1/"
            continue
        if method == "GET":
            assert needed.scope == TokenScope.READ
        others = [scope for scope in TokenScope if scope != needed.scope]
        answer = call(Api(make_token(mine_all, scopes=others)[0]), path, method, described, mine, "open")
        assert answer.status_code == 403, (method, path)
        assert answer.json()["type"] == "urn:kiok:problem:scope"
        assert f'error="insufficient_scope", scope="{needed.scope.value}"' in answer["WWW-Authenticate"]
        assert needed.permissions, path
        for permission in needed.permissions:
            tried += 1
            names = alternatives(permission)
            lacking = make_user(f"lacks{tried}", "*", groups=["a"])
            lacking.user_permissions.remove(
                *Permission.objects.filter(codename__in=[name.partition(".")[2] for name in names])
            )
            answer = call(Api(make_token(lacking)[0]), path, method, described, mine, "open")
            assert answer.status_code == 403, (method, path)
            assert answer.json()["type"] == "urn:kiok:problem:permission"
            assert " or ".join(names) in answer.json()["detail"]
    assert tried >= 24
    assert Repository.objects.count() == 2
    assert not Repository.objects.filter(paused_at__isnull=False).exists()


def test_connections_and_names_can_be_taken_as_in_the_admins_form(
    rows: tuple[Repository, Repository],
) -> None:
    for name in ("of-mine", "of-theirs", "free"):
        Connection.objects.create(id=name, type="git").set_properties({"token": "a token of it"})
    Repository.objects.filter(name="theirs").update(credential="of-theirs")
    user = make_user("vera", "*", groups=["a"])
    api = Api(make_token(user)[0])
    path = "repositories/mine"

    for key in ("credentialConnectionId", "verifyConnectionId", "webhookSecretConnectionId"):
        answers = [api("PATCH", path, {key: name}) for name in ("of-theirs", "no-such")]
        assert [answer.status_code for answer in answers] == [422, 422]
        output = {answer.content.decode().replace("of-theirs", "no-such") for answer in answers}
        assert len(output) == 1  # not whether it is there
    taken = api("PATCH", path, {"credentialConnectionId": "free"})
    assert taken.status_code == 200, taken.content
    user.user_permissions.remove(Permission.objects.get(codename="view_connection"))
    assert api("PATCH", path, {"verifyConnectionId": "of-mine"}).status_code == 422
    assert api("PATCH", path, {"credentialConnectionId": "free", "subpath": "x"}).status_code == 200
    assert api("PATCH", path, {"credentialConnectionId": None}).status_code == 200

    Repository.objects.filter(name="theirs").delete()
    new = {"name": "theirs", "url": "https://127.0.0.1/x.git", "groups": ["a"]}
    assert "earlier repository" in api("POST", "repositories", new).json()["errors"][0]["message"]
    assert api("POST", "repositories", {**new, "name": "another"}).status_code == 201


# Tokens.


def test_without_a_token_that_counts_every_operation_answers_401(rows: tuple[Repository, Repository]) -> None:
    user = make_user("vera", "*", groups=["a"])
    expired, _ = make_token(user, days=-0.001)
    off, _ = make_token(make_user("gone", "*"))
    User.objects.filter(username="gone").update(is_active=False)
    removed, row = make_token(user)
    assert Api(removed).get("/api/v1/").status_code == 200
    row.delete()
    bad = ["", "kiok_", "x", f"kiok_{'a' * 43}", f"{removed}x", expired, off, removed]
    for token in bad:
        for path, method, described in operations():
            answer = call(Api(token), path, method, described, rows[0], "open")
            assert answer.status_code == 401, (token, path)
            assert answer["Content-Type"] == "application/problem+json"
            assert answer["WWW-Authenticate"].startswith('Bearer realm="kiok API"')
            assert ("invalid_token" in answer["WWW-Authenticate"]) == bool(token)
            assert token == "" or token not in answer.content.decode() or len(token) < 6
    assert "expired at" in Api(expired).get("/api/v1/").json()["detail"]


@pytest.mark.parametrize(
    "header", ["Basic {}", "Token {}", "{}", "Bearer", "Bearer {} {}", "bearer,{}", "Bearer \x00", "Bearer é"]
)
def test_only_a_bearer_header_is_a_token(header: str, transactional_db: None) -> None:
    token, _ = make_token(make_user("vera", "*"))
    answer = Client().get("/api/v1/", headers={"Authorization": header.format(token, token)})
    assert answer.status_code == 401


def test_the_admins_session_is_no_token(transactional_db: None) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("ada", password="x"))
    assert client.get("/api/v1/repositories").status_code == 401
    assert client.get("/api/v1/openapi.json").status_code == 200
    assert Client().get("/api/v1/openapi.json").status_code == 401
    assert Client().get("/api/v1/docs").headers["Location"].startswith("/admin/login/")


def test_me_shows_the_scopes_of_the_token(transactional_db: None) -> None:
    user = make_user("vera", "view_repository", groups=["a"])
    token, row = make_token(user, scopes=["read"], name="ci")
    output = Api(token).ok("/api/v1/")
    assert (output["user"], output["groups"], output["permissions"]) == (
        "vera",
        ["a"],
        ["gitsync.view_repository"],
    )
    assert output["token"]["name"] == "ci"
    assert output["token"]["scopes"] == ["read"]
    assert output["token"]["start"] == token[:11]
    assert output["token"]["expiresAt"].startswith(row.expires_at.isoformat()[:19])
    assert token not in str(output)


def test_the_last_use_is_written_at_most_once_a_minute(transactional_db: None) -> None:
    token, _ = make_token(make_user("vera", "*"))
    Api(token).ok("/api/v1/")
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    Api(token).ok("/api/v1/")
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    Api(token).ok("/api/v1/")
    assert ApiToken.objects.get().last_used_at > first  # type: ignore[operator]


def test_a_token_is_in_no_row_log_or_answer(
    rows: tuple[Repository, Repository], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api = Api(token := make_token(make_user("vera", "*", groups=["a"]))[0])
    content = b""
    for path, method, described in sorted(operations(), key=lambda item: item[1] == "DELETE"):
        answer = call(api, path, method, described, rows[0], "open")
        content += answer.content + str(answer.headers).encode()
    assert VALUE.encode() not in content
    assert SECRET_PATH.encode() not in content
    content += Api(f"{token}x").get("/api/v1/").content + caplog.text.encode() + surfaces.database()
    assert token.encode() not in content
    assert token[len("kiok_") + 7 :].encode() not in content
    assert Session.objects.count() == 0
