"""Text that no database holds (NUL, half a surrogate pair) in every place of a request: refused, never a fault."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from gitsync.models import Repository
from tests.support.api_client import ROOT, make_everything, make_token

pytestmark = pytest.mark.django_db(transaction=True)

# As JSON has them.
BAD = {
    "a NUL": '"a\\u0000b"',
    "half a pair": '"a\\ud83d"',
    "the other half": '"\\ude80a"',
    "a byte": '"\\udcff"',
}
PAIR = '"a\\ud83d\\ude80"'
FIELDS = (
    *("name", "url", "ref", "subpath", "credentialConnectionId", "include", "verify", "verifyConnectionId"),
    *("imagePython", "imageJava", "webhookSecretConnectionId", "groups"),
)


@pytest.fixture
def ada(transactional_db: None) -> User:
    return User.objects.create_superuser("ada", password="x")


@pytest.fixture
def send(ada: User) -> Any:
    """Send a request to the API whose body is written as given."""
    token = make_token(ada)[0]
    client = Client(raise_request_exception=False)

    def send(method: str, path: str, body: str = "") -> Any:
        return client.generic(
            method, f"{ROOT}/{path}", body, "application/json", headers={"Authorization": f"Bearer {token}"}
        )

    return send


@pytest.fixture(autouse=True)
def no_fault(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is logged as a fault of the service."""
    yield
    faults = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert faults == []


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_the_api_refuses_it_and_names_the_field(send: Any, field: str, bad: str) -> None:
    value = f"[{bad}]" if field == "groups" else bad
    given = {"name": '"team"', "url": '"https://git.example.com/a.git"'} | {field: value}
    body = "{" + ", ".join(f'"{key}": {text}' for key, text in given.items()) + "}"
    for method, path in (
        ("POST", "repositories"),
        ("PATCH", "repositories/team"),
        ("PUT", "repositories/team"),
    ):
        answer = send(method, path, body)
        assert answer.status_code in ((422,) if method == "POST" else (404, 422)), answer.content
        problem = answer.json()
        if answer.status_code == 422:
            assert field in json.dumps(problem)
    assert not Repository.objects.exists()


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_key_a_reason_and_a_body_that_is_no_object_are_refused(send: Any, bad: str) -> None:
    make_everything("team")
    for method, path, body in (
        ("POST", "repositories", f'{{"name": "x", "url": "https://h/x", {bad}: 1}}'),
        ("POST", "repositories/team/pause", f'{{"reason": {bad}}}'),
        ("POST", "repositories/team/sync", f'{{"full": {bad}}}'),
        ("POST", "repositories", bad),
    ):
        answer = send(method, path, body)
        assert answer.status_code in (400, 422), (path, answer.content)
        answer.json()


def test_a_surrogate_pair_is_one_character(send: Any) -> None:
    answer = send(
        "POST", "repositories", f'{{"name": "team", "url": "https://git.example.com/a.git", "ref": {PAIR}}}'
    )
    assert answer.status_code == 201, answer.content
    assert Repository.objects.get().ref == "a🚀"


@pytest.mark.parametrize("text", ["%00", "%ff", "%ed%a0%bd", "a%00b"])
def test_no_address_of_the_api_fails_by_it(send: Any, text: str) -> None:
    make_everything("team")
    for path in (
        f"repositories?search={text}",
        f"repositories?cursor={text}",
        f"repositories?state={text}",
        f"repositories/{text}",
        f"dags?repository={text}",
        f"dags?search={text}",
        f"dag?uid={text}",
        f"dag/graph?uid={text}",
        f"files?repository={text}",
        f"syncs?correlationId={text}",
        f"syncs/{text}",
        f"errors?repository={text}",
        f"sync-requests/{text}",
        f"dry-runs/{text}",
        f"{text}",
    ):
        answer = send("GET", path)
        assert answer.status_code in (200, 400, 404, 422), (path, answer.status_code, answer.content)


@pytest.fixture
def browser(ada: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(ada)
    return client


@pytest.mark.parametrize(
    "field", ["name", "url", "ref", "subpath", "credential", "include", "image_python", "interval_ms"]
)
def test_every_field_of_the_form_refuses_a_nul(browser: Client, field: str) -> None:
    given = {
        "name": "team",
        "url": "https://git.example.com/a.git",
        "ref": "main",
        "verify": "off",
        "enabled": "on",
    }
    for path in ("/admin/gitsync/repository/add/", "/admin/gitsync/repository/check-form/"):
        answer = browser.post(path, given | {field: "a\0b"})
        assert answer.status_code in (200, 302, 400), (path, answer.status_code)
        if path.endswith("add/"):
            assert b"errorlist" in answer.content
    assert not Repository.objects.exists()


def test_no_list_of_the_admin_fails_by_a_nul(browser: Client) -> None:
    make_everything("team")
    pages = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]
    assert len(pages) > 10
    for page in [*pages, "/admin/", "/admin/gitsync/errors/"]:
        for query in (
            "q",
            "o",
            "p",
            "e",
            "_facets",
            "state",
            "repository",
            "id__exact",
            "search",
            "group",
            "since",
        ):
            answer = browser.get(f"{page}?{urlencode({query: 'a' + chr(0)})}")
            assert answer.status_code in (200, 302, 400, 404), (page, query, answer.status_code)


def test_no_selection_of_rows_fails_by_a_nul(browser: Client) -> None:
    make_everything("team")
    for model, page in admin.site._registry.items():
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for action in page.get_actions(browser.get(url).wsgi_request):
            answer = browser.post(url, {"action": action, "_selected_action": "a\0", "reason": "a\0"})
            assert answer.status_code == 400, (url, action)


def test_a_pause_and_a_login_with_a_nul_are_refused(browser: Client) -> None:
    row = make_everything("team")
    answer = browser.post(f"/admin/gitsync/repository/{row.pk}/pause/", {"reason": "a\0"}, follow=True)
    assert "Not paused. The reason holds a NUL character" in answer.content.decode()
    assert not Repository.objects.exclude(paused_at=None).exists()
    anonymous = Client(raise_request_exception=False)
    answer = anonymous.post("/admin/login/", {"username": "a\0", "password": "b\0"})
    assert answer.status_code == 200
    assert b"Null characters are not allowed" in answer.content
    assert browser.get("/admin/gitsync/repository/named/a%00/").status_code == 400
    assert browser.get("/admin/metadata/dag/a%00/change/").status_code == 400
    assert anonymous.post("/hooks/a%00/", b"{}", content_type="application/json").status_code in (401, 404)


@pytest.mark.parametrize(
    "target",
    ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", "\0", "http:///x", ""],
)
def test_a_refused_next_leads_to_the_first_page(ada: User, target: str) -> None:
    client = Client()
    page = f"/admin/login/?{urlencode({'next': target})}"
    answer = client.post(page, {"username": "ada", "password": "x", "next": target}, follow=True)
    assert answer.redirect_chain[0] == ("/admin/", 302)
    assert answer.status_code == 200
    # Also for a user who has logged in already.
    assert client.get(page, follow=True).status_code == 200


def test_an_allowed_next_is_followed(ada: User) -> None:
    answer = Client().post(
        "/admin/login/?next=/admin/gitsync/repository/",
        {"username": "ada", "password": "x", "next": "/admin/gitsync/repository/"},
    )
    assert answer["Location"] == "/admin/gitsync/repository/"
