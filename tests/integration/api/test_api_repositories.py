"""Repositories over the API: the admin's rules, the admin's log; and what every answer has in common."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import Group, User
from django.db import DatabaseError, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from gitsync.admin.repository_form import FIELDS
from gitsync.api import repositories, repository_edit
from gitsync.models import ManagedBy, Repository
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagVersion
from tests.support.api_client import Api, make_everything, make_token, make_user

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://127.0.0.1/dags.git"


@pytest.fixture
def api(transactional_db: None) -> Api:
    return Api(make_token(User.objects.create_superuser("ada", password="x"))[0])


def errors(answer: Any) -> dict[str, str]:
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.status_code == answer.json()["status"]
    return {item["field"]: item["message"] for item in answer.json()["errors"]}


def test_a_repository_is_added_read_changed_replaced_and_removed_each_in_the_log(api: Api) -> None:
    Connection.objects.create(id="team-git", type="git").set_properties({"token": "a token of it"})
    Group.objects.create(name="team")
    sent = {
        "name": "team",
        "url": URL,
        "credentialConnectionId": "team-git",
        "intervalMs": 5000,
        "allowEmpty": False,
        "groups": ["team"],
    }
    added = api("POST", "repositories", sent)
    assert added.status_code == 201
    assert added["Location"] == "/api/v1/repositories/team"
    read = api.ok(added["Location"])
    assert read == added.json()
    assert {key: read[key] for key in sent} == sent
    assert (read["ref"], read["include"], read["enabled"], read["state"]) == ("main", "*.py", True, "never")

    Repository.objects.update(state="failing", consecutive_failures=3, next_due_at="2999-01-01T00:00:00Z")
    changed = api("PATCH", "repositories/team", {"ref": "prod", "groups": []})
    assert changed.status_code == 200
    assert (changed.json()["ref"], changed.json()["groups"]) == ("prod", [])
    row = Repository.objects.get()
    assert (row.state, row.consecutive_failures, row.next_due_at.year < 2999) == ("failing", 0, True)
    assert api("PATCH", "repositories/team", {"ref": "prod"}).status_code == 200  # nothing: not in the log
    assert api("PATCH", "repositories/team", {"allowEmpty": True}).json()["allowEmpty"] is True
    assert api("PATCH", "repositories/team", {"allowEmpty": False}).json()["allowEmpty"] is False
    replaced = api("PUT", "repositories/team", {"name": "team2", "url": URL}).json()
    assert replaced["allowEmpty"] is True
    assert (replaced["name"], replaced["ref"], replaced["credentialConnectionId"]) == ("team2", "main", None)

    make_everything("full", mark="x")
    assert api("DELETE", "repositories/full").json() == {"name": "full", "dags": 2}
    assert not Dag.objects.exists()
    assert DagVersion.objects.count() == 4
    assert api.get("repositories/full").status_code == 404
    log = [
        (entry.action_flag, entry.object_repr, entry.get_change_message())
        for entry in LogEntry.objects.order_by("pk")
    ]
    assert log == [
        (ADDITION, "team", "Added."),
        (CHANGE, "team", "Changed Branch or tag and Groups."),
        (CHANGE, "team", "Changed Allow empty."),
        (CHANGE, "team", "Changed Allow empty."),
        (CHANGE, "team2", "Changed Name, Branch or tag, Credential, Allow empty and Interval (ms)."),
        (DELETION, "full", ""),
    ]


def test_the_fields_are_those_of_the_admins_form() -> None:
    assert {*repository_edit.FIELDS.values(), "groups"} == set(FIELDS)


@pytest.mark.parametrize(
    ("sent", "field", "said"),
    [
        ({"url": "https://ada:hunter2hunter2@127.0.0.1/x.git"}, "url", "connection"),
        ({"url": "https://10.0.0.1/x.git"}, "url", "10.0.0.1"),
        (
            {"url": "https://gitlab.com/a/b/c/-/blob/v1/dags/a.yaml?ref_type=tags"},
            "url",
            "Enter url 'https://gitlab.com/a/b/c.git', ref 'tag:v1' and subpath 'dags'",
        ),
        ({"ref": "a..b"}, "ref", "a..b"),
        ({"subpath": "../x"}, "subpath", ".."),
        ({"verify": "commit"}, "verifyConnectionId", "Choose the connection"),
        ({"credentialConnectionId": "nope"}, "credentialConnectionId", "nope"),
        ({"imagePython": "A B"}, "imagePython", "image"),
        ({"intervalMs": 1}, "intervalMs", "1000"),
        ({"intervalMs": 2**70}, "", ""),
        ({"intervalMs": "5000"}, "intervalMs", "integer"),
        ({"enabled": 1}, "enabled", "boolean"),
        ({"name": "Team"}, "name", "pattern"),
        ({"name": "taken"}, "name", "already exists"),
        ({"groups": ["nobody"]}, "groups", "nobody"),
        ({"url": "https://127.0.0.1/\x00"}, "url", "pattern"),
        ({"state": "in_sync"}, "state", "not permitted"),
        ({"managedBy": "config"}, "managedBy", "not permitted"),
    ],
)
def test_what_is_wrong_is_told_by_field_and_nothing_is_written(
    sent: dict[str, Any], field: str, said: str, api: Api
) -> None:
    Repository.objects.create(name="taken", url=URL)
    Repository.objects.create(name="there", url=URL)
    for method, path, body in (
        ("POST", "repositories", {"name": "new", "url": URL, **sent}),
        ("PATCH", "repositories/there", sent),
    ):
        answer = api(method, path, body)
        assert answer.status_code == (422 if field else 400)
        if field:
            assert said in errors(answer)[field]
        assert "hunter2" not in answer.content.decode()
    assert sorted(Repository.objects.values_list("name", "url", "interval_ms")) == [
        ("taken", URL, None),
        ("there", URL, None),
    ]
    assert not LogEntry.objects.exists()


def test_a_name_that_has_synced_stays(api: Api) -> None:
    make_everything("team", mark="x")
    assert "contain that name" in errors(api("PATCH", "repositories/team", {"name": "other"}))["name"]


def test_a_declared_repository_is_changed_where_it_is_declared_but_can_be_paused(api: Api) -> None:
    Repository.objects.create(name="team", url=URL, managed_by=ManagedBy.CONFIG)
    for method, body in (("PATCH", {"ref": "x"}), ("PUT", {"name": "team", "url": URL}), ("DELETE", None)):
        answer = api(method, "repositories/team", body)
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:kiok:problem:declared"
        assert "kiok.gitsync.repos" in answer.json()["detail"]
    assert "kiok.gitsync.repos" in api.ok("repositories/team")["declaredIn"]

    paused = api("POST", "repositories/team/pause", {"reason": "  moving \n house "}).json()["paused"]
    assert (paused["by"], paused["reason"]) == ("ada", "moving house")
    answer = api("POST", "repositories/team/sync", {})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:kiok:problem:paused")
    assert "moving house" in answer.json()["detail"]
    assert api("POST", "repositories/team/resume").json()["paused"] is None
    assert api("POST", "repositories/team/resume").status_code == 200
    said = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert said == ["Paused: moving house", "Resumed."]
    Repository.objects.update(enabled=False)
    for deed in ("sync", "dry-run"):
        answer = api("POST", f"repositories/team/{deed}", {})
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:kiok:problem:disabled")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, None, 5])
def test_a_pause_needs_a_reason(reason: Any, api: Api) -> None:
    Repository.objects.create(name="team", url=URL)
    assert "reason" in errors(api("POST", "repositories/team/pause", {"reason": reason}))
    assert not Repository.objects.filter(paused_at__isnull=False).exists()


def test_who_does_not_see_all_opens_repositories_to_its_own_groups_alone_and_leaves_others_in(
    transactional_db: None,
) -> None:
    vera = Api(make_token(make_user("vera", "*", groups=["a", "c"]))[0])
    Group.objects.create(name="b")
    sent = {"name": "team", "url": URL}
    assert "at least one of your groups" in errors(vera("POST", "repositories", sent))["groups"]
    assert "'b'" in errors(vera("POST", "repositories", {**sent, "groups": ["a", "b"]}))["groups"]
    assert vera("POST", "repositories", {**sent, "groups": ["a"]}).json()["groups"] == ["a"]
    row = Repository.objects.get()
    row.groups.add(Group.objects.get(name="b"))
    assert vera.ok("repositories/team")["groups"] == ["a"]
    assert vera("PATCH", "repositories/team", {"groups": ["c"]}).json()["groups"] == ["c"]
    assert sorted(group.name for group in row.groups.all()) == ["b", "c"]


def test_what_others_do_at_the_same_time_is_a_conflict_and_no_fault(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repository.objects.create(name="team", url=URL)
    monkeypatch.setattr(
        Repository, "full_clean", lambda *_args, **_options: None
    )  # as if it were not there yet
    assert api("POST", "repositories", {"name": "team", "url": URL}).status_code == 409
    monkeypatch.setattr(
        repository_edit, "poll_now", lambda row: Repository.objects.filter(pk=row.pk).delete()
    )
    assert api("PATCH", "repositories/team", {"ref": "x"}).status_code == 404


# What every answer has in common.


def test_pages_follow_each_other_without_gap_or_repetition_while_rows_come_and_go(api: Api) -> None:
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


@pytest.mark.parametrize("path", ["repositories", "syncs", "errors", "dags", "runs", "repositories/r0/files"])
def test_a_page_costs_the_same_queries_for_2_and_for_20_rows(path: str, api: Api) -> None:
    def queries(rows: range) -> int:
        for number in rows:
            make_everything(f"r{number}", "a", mark=f"m{number}")
        api.ok(path)
        with CaptureQueriesContext(connection) as captured:
            assert len(api.ok(path)["items"]) >= min(rows.stop, 2)
        return len(captured)

    assert queries(range(2)) == queries(range(2, 20)) <= 8


def test_every_list_goes_on_by_its_cursor(api: Api) -> None:
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
def test_whatever_is_wrong_is_told_as_a_problem(
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


def test_a_fault_tells_nothing_of_itself_and_a_lost_database_says_try_again(
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
