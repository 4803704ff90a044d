"""Lists of the API: their total, their order, their filters, and the last and next run of a DAG."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from gitsync.api import service
from gitsync.models import Repository, SourceFile, SyncRun
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagRun, DagVersion, RunState
from kiok.notifications.models import NotificationChannel, NotificationDelivery
from tests.support.api_client import Api, make_channel, make_everything, make_token, make_user
from tests.support.api_problems import URL, errors

pytestmark = pytest.mark.django_db(transaction=True)

UID = "r0/m0.yaml"
LISTS: dict[str, dict[str, Any]] = {
    "repositories": {},
    "repositories/r0/files": {},
    "errors": {},
    "syncs": {},
    "dags": {},
    "dag/versions": {"uid": UID},
    "runs": {},
    "connections": {},
    "notification-channels": {},
    "notification-deliveries": {},
    "groups": {},
}


def parameters(path: str) -> dict[str, Any]:
    """Return the schemas of the query parameters of a list."""
    described = service.described()["paths"][f"/api/v1/{path.replace('/r0/', '/{name}/')}"]["get"]
    return {item["name"]: item["schema"] for item in described["parameters"] if item["in"] == "query"}


def sorts() -> list[tuple[str, str]]:
    return [(path, sort) for path in LISTS for sort in parameters(path)["sort"]["enum"]]


def names(items: list[Any], key: str = "name") -> list[Any]:
    return [item[key] for item in items]


def settled(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the items without the next run, which depends on the time of the request."""
    return [{key: value for key, value in item.items() if key != "nextRun"} for item in items]


@pytest.fixture
def rows(transactional_db: None) -> None:
    """Rows of which several have the same value in each column that can be sorted by, and some have none."""
    now = timezone.now()
    for number in range(5):
        made = make_everything(f"r{number}", f"g{number % 2}", f"g{number}", mark=f"m{number}")
        channel = make_channel(made, f"m{number}")
        NotificationChannel.objects.filter(pk=channel.pk).update(failures=number % 2)
        NotificationDelivery.objects.filter(channel=channel).update(attempted_at=now if number % 2 else None)
        Connection.objects.create(id=f"c{number}", type=("git", "secret")[number % 2])
        Repository.objects.filter(name=f"r{number}").update(
            state=("failing", "in_sync")[number % 2],
            reason=("", "ref_missing")[number % 2],
            consecutive_failures=number % 3,
            checked_at=now - timedelta(hours=number % 2) if number else None,
            last_good_at=now - timedelta(hours=number % 2) if number > 1 else None,
        )
        SyncRun.objects.filter(repository__name=f"r{number}").update(
            started_at=now - timedelta(hours=number % 2),
            finished_at=now if number % 2 else None,
            trigger=("api", "webhook")[number % 2],
            state=("failed", "partial")[number % 2],
        )
        Dag.objects.filter(repository=f"r{number}").update(
            schedule=("0 6 * * *", "*/5 * * * *", None)[number % 3],
            name=f"name {number % 2}",
            updated_at=now - timedelta(hours=number % 2),
        )
        DagRun.objects.filter(repository=f"r{number}").update(
            created_at=now - timedelta(hours=number % 2),
            finished_at=now if number % 2 else None,
            state=(RunState.FAILED, RunState.SUCCESS)[number % 2],
        )
        for file in range(3):
            SourceFile.objects.create(
                repository=Repository.objects.get(name=f"r{number}"), path=f"f{file}.py", kind="python",
                state="failed", first_failed_at=now - timedelta(hours=file % 2), last_failed_at=now,
            )  # fmt: skip
    DagRun.objects.filter(uid="r4/m4.yaml").delete()
    for version in range(3, 6):
        DagVersion.objects.create(
            uid=UID, version=version, spec={}, created_at=now + timedelta(hours=version)
        )


# Order and pages.


@pytest.mark.parametrize("path", LISTS)
def test_total_and_sort_are_on_every_list(path: str) -> None:
    page = service.described()["paths"][f"/api/v1/{path.replace('/r0/', '/{name}/')}"]["get"]["responses"][
        200
    ]
    name = page["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert "total" in service.described()["components"]["schemas"][name]["required"]
    allowed = parameters(path)["sort"]["enum"]
    assert len(allowed) >= 4
    properties = service.described()["components"]["schemas"][name]["properties"]["items"]["items"]
    row = service.described()["components"]["schemas"][properties["$ref"].rpartition("/")[2]]
    assert {value.removeprefix("-") for value in allowed} <= set(row["properties"])
    assert {value.removeprefix("-") for value in allowed} == {v for v in allowed if v[0] != "-"}


def test_no_list_is_missing_here() -> None:
    listed = {
        path.removeprefix("/api/v1/").replace("{name}", "r0")
        for path, methods in service.described()["paths"].items()
        if "get" in methods and "limit" in {item["name"] for item in methods["get"]["parameters"]}
    }
    assert listed == set(LISTS)


def test_each_order_holds_over_all_pages(rows: None, api: Api) -> None:
    """The rows of all pages are those of the whole list, ordered by the field, with missing values first.

    The descending order is the ascending one reversed.
    """

    def value(item: dict[str, Any], name: str) -> tuple[bool, Any]:
        found = item[name]
        found = found["createdAt"] if name == "lastRun" and found else found
        return (found not in (None, ""), "" if found in (None, "") else found)

    lists: dict[tuple[str, str], list[Any]] = {}
    for path, sort in sorts():
        whole = api.ok(path, **LISTS[path], sort=sort)
        assert whole["next"] is None
        assert whole["total"] == len(whole["items"]) > 1
        name = sort.removeprefix("-")
        values = [value(item, name) for item in whole["items"]]
        assert values == sorted(values, reverse=sort.startswith("-")), (path, sort)
        page, seen = api.ok(path, **LISTS[path], sort=sort, limit=4), []
        while True:
            seen += page["items"]
            assert page["total"] == whole["total"]
            if page["next"] is None:
                break
            page = api.ok(page["next"])
        lists[path, sort] = settled(whole["items"])
        assert settled(seen) == lists[path, sort], (path, sort)
    for path, sort in lists:
        if not sort.startswith("-"):
            assert lists[path, sort] == lists[path, f"-{sort}"][::-1], (path, sort)


def test_pages_in_an_order_neither_repeat_nor_skip_rows_that_stay(rows: None, api: Api) -> None:
    page = api.ok("repositories", sort="-state", limit=2)
    seen = names(page["items"])
    Repository.objects.filter(name=seen[0]).delete()
    Repository.objects.create(name="r00", url=URL, state="in_sync")
    while page["next"]:
        page = api.ok(page["next"])
        seen += names(page["items"])
    assert [name for name in seen if name != "r00"] == ["r3", "r1", "r4", "r2", "r0"]


@pytest.mark.parametrize("path", LISTS)
def test_an_unknown_sort_is_an_error_that_names_the_allowed(path: str, api: Api) -> None:
    Repository.objects.create(name="r0", url=URL)
    for sort in ("color", "-", "", "--name", "name,uid", "id__gt"):
        answer = api.get(path, **LISTS[path], sort=sort)
        assert answer.status_code == 422, sort
        allowed = ", ".join(parameters(path)["sort"]["enum"])
        assert errors(answer) == {"sort": f"Must be one of: {allowed}."}


def test_a_cursor_of_another_order_is_invalid(rows: None, api: Api) -> None:
    cursors = {}
    for sort in ("", "name", "-name", "state", "dags"):
        page = api.ok("repositories", limit=1, **({"sort": sort} if sort else {}))
        cursors[sort] = page["next"].partition("cursor=")[2].partition("&")[0]
    for sort in cursors:
        for other, cursor in cursors.items():
            answer = api.get("repositories", cursor=cursor, **({"sort": sort} if sort else {}))
            assert answer.status_code == (200 if other == sort else 404), (sort, other)


# Totals and filters.


def test_total_counts_the_rows_that_match_and_that_the_user_may_see(api: Api) -> None:
    make_everything("mine", "a", mark="open")
    make_everything("theirs", "b", mark="hidden")
    vera = Api(make_token(make_user("vera", "*", groups=["a"]))[0])
    for path, query, every, visible in (
        ("repositories", {}, 2, 1),
        ("dags", {}, 4, 2),
        ("dags", {"stale": "true"}, 2, 1),
        ("syncs", {}, 2, 1),
        ("runs", {}, 4, 2),
        ("runs", {"state": "SUCCESS"}, 0, 0),
        ("errors", {}, 2, 1),
    ):
        for caller, total in ((api, every), (vera, visible)):
            assert caller.ok(path, **query, limit=1)["total"] == total, path


def test_repositories_have_the_filters_of_the_admin(api: Api) -> None:
    now = timezone.now()
    group = Group.objects.create(name="a")
    Repository.objects.create(name="one", url=URL, paused_at=now, paused_by="ada", pause_reason="moving")
    Repository.objects.create(name="two", url=URL, enabled=False, reason="ref_missing", message="no main")
    Repository.objects.create(name="three", url=URL, managed_by="config").groups.add(group)

    def found(**query: str) -> list[str]:
        return names(api.ok("repositories", **query)["items"])

    assert found(paused="true") == ["one"]
    assert found(paused="false") == ["three", "two"]
    assert found(enabled="false") == ["two"]
    assert found(managedBy="config") == ["three"]
    assert found(reason="ref_missing") == ["two"]
    assert found(reason="") == ["one", "three"]
    assert found(group="a") == ["three"]
    assert found(group="b") == []
    assert found(group="") == ["one", "two"]
    assert found(search="MOVING") == ["one"]
    assert found(search="no main") == ["two"]


def test_syncs_runs_files_and_versions_have_the_filters_of_the_admin(rows: None, api: Api) -> None:
    hour_ago = (timezone.now() - timedelta(minutes=30)).isoformat()

    def total(path: str, **query: str) -> int:
        return int(api.ok(path, **LISTS[path], **query)["total"])

    assert total("syncs", startedAfter=hour_ago) == 3
    assert total("syncs", startedBefore=hour_ago) == 2
    assert (total("syncs", full="true"), total("syncs", full="false")) == (0, 5)
    assert total("syncs", search="M3") == 1
    assert total("syncs", search="r3", trigger="api") == 0
    assert total("runs", createdAfter=hour_ago) == 5
    assert total("runs", createdBefore=hour_ago) == 4
    assert (total("runs", trigger="schedule"), total("runs", trigger="manual")) == (9, 0)
    assert total("runs", search="M3.PY") == 1
    assert total("repositories/r0/files", search="F1") == 1
    assert (total("repositories/r0/files", kind="python"), total("repositories/r0/files", kind="jar")) == (
        4,
        0,
    )
    assert total("repositories/r0/files", failedAfter=hour_ago) == 4
    assert (
        total("dag/versions", createdAfter=(timezone.now() + timedelta(hours=3, minutes=30)).isoformat()) == 2
    )
    assert total("dag/versions", createdBefore=hour_ago) == 0
    assert total("dag/versions", search="abc") == 0


@pytest.mark.parametrize(
    "value", ["2026-01-31", "1", "now", "2026-01-31T08:00:00", "2026-02-30T08:00:00Z", ""]
)
def test_a_time_without_zone_or_day_is_refused(value: str, api: Api) -> None:
    answer = api.get("syncs", startedAfter=value)
    assert answer.status_code == 422
    assert "such as 2026-01-31T08:00:00Z" in errors(answer)["startedAfter"]


@pytest.mark.parametrize(
    "value",
    [
        *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
        *("2026-01-31t08:00:00.123456789z", "2026-01-31T08:00:00+22:18"),
    ],
)
def test_every_time_of_rfc_3339_is_accepted(value: str, api: Api) -> None:
    assert api.ok("syncs", startedAfter=value)["total"] == 0
