"""Repositories over the API, with the rules of the admin and its log."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import Group

from gitsync.admin.repository_form import FIELDS
from gitsync.api import repository_edit
from gitsync.models import ManagedBy, Repository
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagVersion
from tests.support.api_client import Api, make_everything, make_token, make_user
from tests.support.api_problems import URL, errors

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_repository_is_added_read_changed_replaced_and_removed(api: Api) -> None:
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
    ("sent", "field", "message"),
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
        ({"enabled": 1}, "enabled", "true or false"),
        ({"name": "Team"}, "name", "Use 1 to 63"),
        ({"groups": ["nobody"]}, "groups", "nobody"),
        ({"url": "https://127.0.0.1/\x00"}, "url", "NUL"),
        ({"state": "in_sync"}, "state", "Unknown key."),
        ({"managedBy": "config"}, "managedBy", "Unknown key."),
    ],
)
def test_validation_errors_are_returned_per_field_and_nothing_is_written(
    sent: dict[str, Any], field: str, message: str, api: Api
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
            assert message in errors(answer)[field]
        assert "hunter2" not in answer.content.decode()
    assert sorted(Repository.objects.values_list("name", "url", "interval_ms")) == [
        ("taken", URL, None),
        ("there", URL, None),
    ]
    assert not LogEntry.objects.exists()


def test_a_name_that_is_taken_is_a_conflict_wherever_it_is_written(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repository.objects.create(name="taken", url=URL)
    Repository.objects.create(name="there", url=URL)
    sent = {"name": "taken", "url": URL}
    requests = (("POST", "repositories"), ("PATCH", "repositories/there"), ("PUT", "repositories/there"))
    for is_concurrent in (False, True):
        if is_concurrent:  # the other repository is added between the check and the save
            monkeypatch.setattr(Repository, "full_clean", lambda *_args, **_options: None)
        for method, path in requests:
            answer = api(method, path, sent)
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:kiok:problem:name-taken")
            assert "already a repository with this name" in errors(answer)["name"]
    assert sorted(Repository.objects.values_list("name", flat=True)) == ["taken", "there"]


def test_a_taken_name_is_one_of_several_errors(api: Api) -> None:
    Repository.objects.create(name="taken", url=URL)
    answer = api("POST", "repositories", {"name": "taken", "url": URL, "ref": "a..b"})
    assert (answer.status_code, set(errors(answer))) == (422, {"name", "ref"})


def test_the_name_of_a_synced_repository_cannot_be_changed(api: Api) -> None:
    make_everything("team", mark="x")
    assert "contain that name" in errors(api("PATCH", "repositories/team", {"name": "other"}))["name"]


def test_a_declared_repository_can_only_be_paused_on_the_page(api: Api) -> None:
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
    output = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert output == ["Paused: moving house", "Resumed."]
    Repository.objects.update(enabled=False)
    for action in ("sync", "dry-run"):
        answer = api("POST", f"repositories/team/{action}", {})
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:kiok:problem:disabled")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, None, 5])
def test_a_pause_needs_a_reason(reason: Any, api: Api) -> None:
    Repository.objects.create(name="team", url=URL)
    assert "reason" in errors(api("POST", "repositories/team/pause", {"reason": reason}))
    assert not Repository.objects.filter(paused_at__isnull=False).exists()


def test_a_limited_user_opens_repositories_to_own_groups_only(
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


def test_concurrent_changes_are_conflicts_and_not_errors(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    Repository.objects.create(name="team", url=URL)
    monkeypatch.setattr(
        repository_edit, "poll_now", lambda row: Repository.objects.filter(pk=row.pk).delete()
    )
    assert api("PATCH", "repositories/team", {"ref": "x"}).status_code == 404
