"""The last and the next run of DAGs over the API, and the filters by them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from gitsync.api import dags
from gitsync.models import Repository
from kiok.metadata.admin.schedule_kinds import KINDS
from kiok.metadata.models import Dag, DagRun, RunState
from tests.support.api_client import Api, make_token, make_user
from tests.support.api_problems import URL

pytestmark = pytest.mark.django_db(transaction=True)


def add_dag(name: str, schedule: str | None, *runs: tuple[RunState, datetime]) -> None:
    now = timezone.now()
    uid = f"team/{name}.yaml"
    Dag.objects.create(
        uid=uid, dag_id=name, name=name, origin="git", repository="team", spec={}, version=1, schedule=schedule,
        created_at=now, updated_at=now,
    )  # fmt: skip
    for state, when in runs:
        run = DagRun.objects.create(uid=uid, version=1, trigger="schedule", state=state)
        DagRun.objects.filter(pk=run.pk).update(created_at=when)


@pytest.fixture
def scheduled(transactional_db: None) -> None:
    Repository.objects.create(name="team", url=URL).groups.add(Group.objects.create(name="a"))
    now = timezone.now()
    add_dag("daily", "0 6 * * *", (RunState.FAILED, now - timedelta(days=1)), (RunState.SUCCESS, now))
    add_dag("often", "*/5 * * * *", (RunState.SUCCESS, now - timedelta(days=2)), (RunState.FAILED, now))
    add_dag("odd", "0 6 1 * 1")
    add_dag("manual", None)
    add_dag("never", "0 0 30 2 *")


def test_a_dag_has_its_last_and_its_next_run(scheduled: None, api: Api) -> None:
    before = datetime.now(UTC)
    listed = {item["dagId"]: item for item in api.ok("dags")["items"]}
    newest = DagRun.objects.filter(uid="team/daily.yaml").latest("created_at")
    shown = listed["daily"]["lastRun"]
    assert (shown["id"], shown["state"]) == (newest.pk, "SUCCESS")
    assert shown["createdAt"][:23] == newest.created_at.isoformat()[:23]  # to the millisecond
    assert (listed["often"]["lastRun"]["state"], listed["odd"]["lastRun"]) == ("FAILED", None)
    following = datetime.fromisoformat(listed["daily"]["nextRun"])
    assert (following.hour, following.minute) == (6, 0)
    assert before < following <= before + timedelta(days=1, seconds=1)
    assert listed["manual"]["nextRun"] is listed["never"]["nextRun"] is None
    one = api.ok("dag", uid="team/daily.yaml")
    assert (one["lastRun"], one["nextRun"]) == (listed["daily"]["lastRun"], listed["daily"]["nextRun"])


def test_dags_are_filtered_by_last_run_and_kind_of_schedule(scheduled: None, api: Api) -> None:
    def found(**query: str) -> list[str]:
        return [item["dagId"] for item in api.ok("dags", **query)["items"]]

    assert found(lastRun="FAILED") == ["often"]
    assert found(lastRun="SUCCESS") == ["daily"]
    assert found(lastRun="none") == ["manual", "never", "odd"]
    assert found(schedule="daily") == ["daily"]
    assert found(schedule="minutes") == ["often"]
    assert found(schedule="none") == ["manual"]
    assert found(schedule="any") == ["daily", "never", "odd", "often"]
    assert found(schedule="other") == ["never", "odd"]
    assert found(schedule="any", lastRun="none", search="OD") == ["odd"]
    assert found(sort="-lastRun", schedule="any")[:2] in (["daily", "often"], ["often", "daily"])


def test_the_kinds_of_schedule_are_those_of_the_admin() -> None:
    own = {dags.KINDS.get(name, name) for name in get_args(dags.ScheduleKindName)}
    assert own == {"yes", "no", "other", *(kind.key for kind in KINDS)}


def test_who_may_not_view_runs_learns_nothing_about_them(scheduled: None) -> None:
    api = Api(make_token(make_user("vera", "view_dag", groups=["a"]))[0])
    assert {item["lastRun"] for item in api.ok("dags")["items"]} == {None}
    assert api.ok("dag", uid="team/daily.yaml")["lastRun"] is None
    requested: list[dict[str, str]] = [{"lastRun": "FAILED"}, {"sort": "lastRun"}, {"sort": "-lastRun"}]
    for query in requested:
        answer = api.get("dags", **query)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:kiok:problem:permission")
        assert "metadata.view_dagrun" in answer.json()["detail"]
