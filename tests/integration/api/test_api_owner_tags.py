"""Owner and tags over the API: of DAGs, as filters, and the default owner of a repository."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from gitsync.models import ManagedBy, Repository
from kiok.metadata.models import Dag
from tests.support.api_client import Api
from tests.support.api_problems import URL, errors
from tests.support.dag_pages import EVIL, make_dag, spec, task

pytestmark = pytest.mark.django_db(transaction=True)

OWNED = {**spec(task("t")), "owner": "Ada"}


@pytest.fixture
def dags(transactional_db: None) -> None:
    make_dag("team/a.yaml", owner="Ada", tags=["y", "x"], spec=OWNED)
    make_dag("team/b.yaml", owner=EVIL, tags=["x"])
    make_dag("team/c.yaml")


def found(api: Api, **query: Any) -> list[str]:
    return [item["uid"].removeprefix("team/").partition(".")[0] for item in api.ok("dags", **query)["items"]]


@pytest.mark.usefixtures("dags")
def test_dags_have_owner_and_tags(api: Api) -> None:
    items = api.ok("dags")["items"]
    assert [(item["owner"], item["tags"]) for item in items] == [
        ("Ada", ["y", "x"]),
        (EVIL, ["x"]),
        ("", []),
    ]
    for item in items:
        dag = api.ok("dag", uid=item["uid"])
        assert (dag["owner"], dag["tags"]) == (item["owner"], item["tags"])


@pytest.mark.usefixtures("dags")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"owner": "Ada"}, ["a"]),
        ({"owner": "ada"}, []),
        ({"owner": EVIL}, ["b"]),
        ({"owner": ""}, ["c"]),
        ({"tag": "x"}, ["a", "b"]),
        ({"tag": "y"}, ["a"]),
        ({"tag": "z"}, []),
        ({"tag": "x", "owner": "Ada"}, ["a"]),
        ({"search": "script>alert"}, ["b"]),
    ],
    ids=str,
)
def test_dags_are_filtered_by_owner_and_tag(api: Api, query: dict[str, str], expected: list[str]) -> None:
    assert found(api, **query) == expected


@pytest.mark.parametrize(
    ("name", "value"), [("owner", "x" * 201), ("owner", "a\x00"), ("tag", ""), ("tag", "x" * 64)], ids=ascii
)
def test_filters_refuse_what_no_dag_can_have(api: Api, name: str, value: str) -> None:
    answer = api.get("dags", **{name: value})
    assert answer.status_code == 422
    assert list(errors(answer)) == [name]


@pytest.mark.usefixtures("dags")
def test_a_new_owner_of_a_repository_is_that_of_its_dags_without_one(api: Api) -> None:
    added = api("POST", "repositories", {"name": "team", "url": URL, "owner": "Team Sales"})
    assert added.status_code == 201
    assert added.json()["owner"] == "Team Sales"
    for method, body, owner in (
        ("PATCH", {"owner": "Équipe <b>x</b>"}, "Équipe <b>x</b>"),
        ("PATCH", {"ref": "prod"}, "Équipe <b>x</b>"),
        ("PUT", {"name": "team", "url": URL}, ""),
    ):
        changed = api(method, "repositories/team", body)
        assert changed.status_code == 200, changed.content
        assert api.ok("repositories/team")["owner"] == changed.json()["owner"] == owner
        owners = dict(Dag.objects.values_list("uid", "owner"))
        assert owners == {"team/a.yaml": "Ada", "team/b.yaml": owner, "team/c.yaml": owner}
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == [
        "Added.",
        "Changed Owner.",
        "Changed Branch or tag.",
        "Changed Branch or tag and Owner.",
    ]


@pytest.mark.parametrize(
    "owner", [" x", "x ", " ", "a\tb", "a\u202eb", "x" * 201, "a\x00", 5, None], ids=ascii
)
def test_another_owner_of_a_repository_is_refused_at_the_field(api: Api, owner: object) -> None:
    Repository.objects.create(name="team", url=URL, owner="Ada")
    for method, path, body in (
        ("POST", "repositories", {"name": "new", "url": URL}),
        ("PATCH", "repositories/team", {}),
    ):
        answer = api(method, path, {**body, "owner": owner})
        assert answer.status_code == 422
        assert list(errors(answer)) == ["owner"]
    assert [row.owner for row in Repository.objects.all()] == ["Ada"]


def test_the_owner_of_a_declared_repository_is_not_changed_here(api: Api) -> None:
    Repository.objects.create(name="team", url=URL, owner="Ada", managed_by=ManagedBy.CONFIG)
    answer = api("PATCH", "repositories/team", {"owner": "Bob"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:kiok:problem:declared")
    assert api.ok("repositories/team")["owner"] == "Ada"
