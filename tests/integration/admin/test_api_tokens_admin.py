"""API tokens in the admin: shown once, visible to their owner, removed immediately."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from gitsync.models import ApiToken
from tests.support.api_client import Api, make_token, make_user
from tests.support.canary import surfaces

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/gitsync/apitoken/"
FORM = {"name": "ci", "scopes": ["read", "sync"], "days": "90"}


def logged_in(user: User) -> Client:
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def vera(transactional_db: None) -> Client:
    return logged_in(make_user("vera", "add_apitoken", "view_apitoken", "delete_apitoken"))


def text_of(answer: Any) -> str:
    found = re.findall(r'value="(kiok_[A-Za-z0-9_-]{43})"', answer.content.decode())
    assert len(found) == 1
    return str(found[0])


def test_a_token_is_shown_once_works_and_is_kept_nowhere(
    vera: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = vera.post(f"{LIST}add/", FORM)
    token = text_of(answer)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]

    row = ApiToken.objects.get()
    assert (row.user.username, row.name, row.scopes) == ("vera", "ci", ["read", "sync"])
    left = row.expires_at - timezone.now()
    assert timedelta(days=89) < left <= timedelta(days=90)
    assert Api(token).ok("/api/v1/")["user"] == "vera"
    pages = b"".join(surfaces.crawl(vera, start=("/admin/",), most_of_a_kind=3).values())
    kept = surfaces.database() + caplog.text.encode() + pages
    assert row.start.encode() in pages
    assert token.encode() not in kept
    assert token[len(row.start) :].encode() not in kept
    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.object_repr, entry.user.username) == (ADDITION, "ci of vera", "vera")

    vera.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    assert Api(token).get("/api/v1/").status_code == 401
    assert LogEntry.objects.first().action_flag == DELETION  # type: ignore[union-attr]


def test_users_see_and_create_only_their_own_tokens(vera: Client) -> None:
    other = make_user("otto")
    _, row = make_token(other, name="of otto alone")
    text_of(vera.post(f"{LIST}add/", {**FORM, "user": str(other.pk)}))
    assert ApiToken.objects.get(name="ci").user.username == "vera"
    assert 'name="user"' not in vera.get(f"{LIST}add/").content.decode()
    assert "of otto alone" not in vera.get(LIST).content.decode()
    for page in ("change", "delete", "history"):
        answer = vera.get(f"{LIST}{row.pk}/{page}/")
        assert answer.status_code in (302, 404)
        assert "of otto alone" not in answer.content.decode()
    vera.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    vera.post(LIST, {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"})
    assert ApiToken.objects.filter(pk=row.pk).exists()


def test_a_superuser_makes_tokens_for_a_service_account_and_removes_any(
    transactional_db: None,
) -> None:
    ada = logged_in(User.objects.create_superuser("ada", password="x"))
    robot = make_user("robot", "view_repository")
    token = text_of(ada.post(f"{LIST}add/", {**FORM, "user": str(robot.pk)}))
    assert Api(token).ok("/api/v1/")["user"] == "robot"
    row = ApiToken.objects.get()
    assert "robot" in ada.get(LIST).content.decode()
    ada.post(LIST, {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"})
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"days": "366"}, "less than or equal to 365"),
        ({"days": "0"}, "greater than or equal to 1"),
        ({"scopes": []}, "This field is required"),
        ({"scopes": ["all"]}, "not one of the available choices"),
        ({"name": " "}, "This field is required"),
    ],
)
def test_a_form_that_is_wrong_makes_no_token(form: dict[str, Any], message: str, vera: Client) -> None:
    assert message in vera.post(f"{LIST}add/", {**FORM, **form}).content.decode()
    assert not ApiToken.objects.exists()


def test_token_names_are_unique_per_user_and_tokens_immutable(vera: Client) -> None:
    vera.post(f"{LIST}add/", FORM)
    assert "token of this name already" in vera.post(f"{LIST}add/", {**FORM, "name": " ci "}).content.decode()
    row = ApiToken.objects.get()
    assert vera.get(f"{LIST}{row.pk}/change/").status_code == 200
    assert vera.post(f"{LIST}{row.pk}/change/", {**FORM, "name": "other"}).status_code == 403
    assert ApiToken.objects.get().name == "ci"


def test_creating_a_token_needs_the_permission_to_add_tokens(transactional_db: None) -> None:
    client = logged_in(make_user("walt", "view_apitoken"))
    assert client.post(f"{LIST}add/", FORM).status_code == 403
    assert not ApiToken.objects.exists()
