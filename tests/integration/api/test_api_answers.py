"""Properties of all responses of the API: pages, problems, HEAD, and the OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from gitsync.api import repositories
from gitsync.models import Repository
from kiok.connections.models import Connection
from tests.support.api_client import Api, make_channel, make_everything
from tests.support.api_problems import URL, errors

pytestmark = pytest.mark.django_db(transaction=True)


def test_pages_follow_without_gap_or_repetition_while_rows_change(api: Api) -> None:
    for number in range(7):
        Repository.objects.create(name=f"r{number}", url=URL)
    page = api.ok("repositories", limit=3)
    names = [item["name"] for item in page["items"]]
    Repository.objects.filter(name="r1").delete()
    Repository.objects.create(name="r00", url=URL)
    while page["next"]:
        assert page["next"].startswith("/api/v1/repositories?")
        page = api.ok(page["next"])
        names += [item["name"] for item in page["items"]]
    assert names == [f"r{number}" for number in range(7)]
    for bad in ("x", "WzFd", "WyJhXHUwMDAwIl0", "W10", "bnVsbA", "_" * 8000):
        answer = api.get("repositories", cursor=bad)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:kiok:problem:cursor"), bad


@pytest.mark.parametrize(
    "path",
    [
        *("repositories", "syncs", "errors", "dags", "runs", "repositories/r0/files"),
        *("connections", "groups", "notification-channels", "notification-deliveries"),
    ],
)
def test_a_page_costs_the_same_queries_for_2_and_for_20_rows(path: str, api: Api) -> None:
    def queries(rows: range) -> int:
        for number in rows:
            made = make_everything(f"r{number}", "a", f"g{number}", mark=f"m{number}")
            make_channel(made, f"m{number}")
            Connection.objects.create(id=f"c{number}", type="git")
            Repository.objects.filter(pk=made.pk).update(credential=f"c{number}")
        api.ok(path)
        with CaptureQueriesContext(connection) as captured:
            assert len(api.ok(path)["items"]) >= min(rows.stop, 2)
        return len(captured)

    assert queries(range(2)) == queries(range(2, 20)) <= 8


def test_every_list_continues_at_its_cursor(api: Api) -> None:
    for number in range(3):
        make_everything(f"r{number}", mark=f"m{number}")
    uid = "r0/m0.yaml"
    lists: list[tuple[str, dict[str, Any], int]] = [
        ("syncs", {}, 3), ("errors", {}, 3), ("dags", {}, 6), ("runs", {}, 6),
        ("repositories/r0/files", {}, 2), ("dag/versions", {"uid": uid}, 2),
    ]  # fmt: skip
    for path, query, total in lists:
        whole = api.ok(path, **query)
        assert (len(whole["items"]), whole["next"]) == (total, None), path
        page, seen = api.ok(path, **query, limit=1), []
        while True:
            seen += page["items"]
            if page["next"] is None:
                break
            page = api.ok(page["next"])
        assert seen == whole["items"], path


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status"),
    [
        ("GET", "/api/v1/nothing", None, "", 404),
        ("POST", "/api/v1/repositories/x/y/z", None, "", 404),
        ("GET", "/api/v1/docs/", None, "", 404),
        ("DELETE", "/api/v1/repositories", None, "", 405),
        ("POST", "/api/v1/openapi.json", None, "", 405),
        ("POST", "/api/v1/repositories", b"{", "application/json", 400),
        ("POST", "/api/v1/repositories", b'{"name": "a", "name": "b"}', "application/json", 400),
        ("POST", "/api/v1/repositories", b"\xff", "application/json", 400),
        ("POST", "/api/v1/repositories", b"[" * 10_000, "application/json", 400),
        ("POST", "/api/v1/repositories", b"NaN", "application/json", 400),
        ("POST", "/api/v1/repositories", b"[]", "application/json", 422),
        ("POST", "/api/v1/repositories", b"", "application/json", 422),
        ("POST", "/api/v1/repositories", b'{"name": "\\ud800", "url": "x"}', "application/json", 422),
        ("POST", "/api/v1/repositories", b"name=a&url=b", "application/x-www-form-urlencoded", 415),
        ("POST", "/api/v1/repositories", b"x" * 3_000_000, "application/json", 413),
        ("GET", "/api/v1/dags?limit=0", None, "", 422),
        ("GET", "/api/v1/dags?limit=501", None, "", 422),
        ("GET", "/api/v1/dags?limit=1e2", None, "", 422),
        ("GET", "/api/v1/dags?limit=%D9%A3", None, "", 422),
        ("GET", "/api/v1/dags?limit=1&limit=2", None, "", 422),
        ("GET", "/api/v1/dags?color=red", None, "", 422),
        ("GET", "/api/v1/dags?search=%00", None, "", 422),
        ("GET", "/api/v1/dags?search=%ff%fe", None, "", 200),
        ("GET", "/api/v1/dags?stale=1", None, "", 422),
        ("GET", "/api/v1/dag", None, "", 422),
        ("GET", "/api/v1/dag?uid=a%00b", None, "", 422),
        ("GET", "/api/v1/repositories/a%00b", None, "", 422),
        ("GET", "/api/v1/syncs/99999999999999999999999", None, "", 422),
        ("GET", "/api/v1/runs/-1", None, "", 422),
        ("GET", "/api/v1/sync-requests/eyJ9.x.y", None, "", 404),
        ("GET", "/api/v1/dags?" + "&".join(f"a{n}=1" for n in range(1100)), None, "", 400),
    ],
)
def test_every_error_is_a_problem_document(
    method: str, path: str, body: bytes | None, content_type: str, status: int, api: Api
) -> None:
    from django.test import Client

    options = {"data": body, "content_type": content_type} if body is not None else {}
    answer = Client(raise_request_exception=False).generic(method, path, **options, headers=api.headers)
    assert answer.status_code == status, answer.content
    assert answer["Cache-Control"] == "no-store"
    if status != 200:
        errors(answer)
        assert set(answer.json()) == {"type", "title", "status", "detail", "errors"}
    if status == 405:
        assert answer["Allow"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/repositories", 200), ("/repositories/none", 404), ("/repositories/team/sync", 405)],
)
def test_head_answers_as_get_without_the_body(path: str, status: int, api: Api) -> None:
    full, head = api.get(f"/api/v1{path}"), api("HEAD", f"/api/v1{path}")
    assert (full.status_code, head.status_code) == (status, status)
    assert head.content == b""
    assert head["Content-Length"] == str(len(full.content))
    assert head["Content-Type"] == full["Content-Type"]


def test_a_defect_has_no_details_and_a_lost_database_a_retry_hint(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repository.objects.create(name="team", url=URL)
    for error, status in (
        (RuntimeError("hunter2"), 500),
        (DatabaseError("hunter2"), 500),
        (OperationalError("hunter2"), 503),
    ):

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(repositories, "counted_repositories", fail)
        answer = api.get("repositories/team")
        assert answer.status_code == status
        assert "hunter2" not in answer.content.decode()
        errors(answer)


def test_the_document_is_complete(api: Api) -> None:
    document = api.ok("openapi.json")
    assert document["components"]["securitySchemes"]["BearerToken"]["scheme"] == "bearer"
    text = json.dumps(document)
    for methods in document["paths"].values():
        for method, described in methods.items():
            assert described["summary"], described
            assert described["description"], described
            assert described["security"] == [{"BearerToken": []}]
            answers = described["responses"]
            assert {"400", "401", "403", "404", "422", "500", "503"} <= set(answers)
            assert method == "get" or {"409", "413", "415"} <= set(answers)
            for status, answer in answers.items():
                kind = "application/json" if status < "400" else "application/problem+json"
                assert set(answer["content"]) == {kind}
    assert "http://" not in text
