"""Syncs and dry runs over the API, by a real worker, of a real repository; and what can be read of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django_q.models import OrmQ, Task

from gitsync import tasks
from gitsync.api import operations
from gitsync.models import QueuedSync, Repository, SyncRun
from gitsync.repositories.operation import Operation, OperationKind
from kiok.metadata.models import DagRun
from tests.integration.conftest import yaml_dag
from tests.support.api_client import SPEC, Api, make_everything, make_token, make_user
from tests.support.cluster import workers
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api(transactional_db: None) -> Api:
    return Api(make_token(User.objects.create_superuser("ada", password="x"))[0])


def test_a_push_is_synced_and_the_answer_is_the_result_also_when_it_fails(
    api: Api, work_repo: WorkRepo, repository: Repository
) -> None:
    path = "repositories/team"
    others = {"ci.yml": "on: push\n", ".kiokignore": "x.yaml\n", "x.yaml": ""}
    reason = "it has no key 'dag' at the top level (found: 'on')"
    first = work_repo.publish({"a.yaml": yaml_dag("a"), **others})
    # There is no leader, so that nothing else requests a sync.
    with workers({"KIOK_GITSYNC_ENABLED": "false", "KIOK_WORKERS": "1"}):
        planned = api("POST", f"{path}/dry-run", {}, wait=60)
        assert planned.status_code == 200, planned.content
        assert planned.json()["result"]["changes"]["created"] == ["team/a.yaml"]
        assert planned.json()["result"]["notADagReasons"] == {"ci.yml": reason}
        assert planned.json()["result"]["ignoredReasons"] == {"x.yaml": ".kiokignore"}
        assert SyncRun.objects.count() == 0
        assert api.ok(planned["Location"]) == planned.json()

        synced = api("POST", f"{path}/sync", {}, wait=60)
        assert synced.status_code == 200, synced.content
        result = synced.json()["result"]
        assert (result["ok"], result["outcome"], result["commit"]) == (True, "synced", first)
        assert result["sync"]["counts"]["created"] == 1
        assert (result["sync"]["trigger"], result["sync"]["requestedBy"]) == ("api", "ada")
        assert api.ok(synced["Location"])["result"] == result
        listed = api.ok(f"{path}/files")["items"]
        assert [(item["path"], item["reason"]) for item in listed] == [
            ("a.yaml", None),
            ("ci.yml", reason),
            ("x.yaml", ".kiokignore"),
        ]
        assert api.ok(f"{path}/file", path="ci.yml")["reason"] == reason

        again = api("POST", f"{path}/sync", {}, wait=60).json()["result"]
        assert (again["ok"], again["outcome"], again["sync"], again["commit"]) == (
            True,
            "nothing_new",
            None,
            first,
        )
        full = api("POST", f"{path}/sync", {"full": True}, wait=60).json()["result"]
        assert (full["outcome"], full["sync"]["full"]) == ("synced", True)

        work_repo.publish({"b.yaml": "dag: {id: b}\ntasks: 5\n"})
        partial = api("POST", f"{path}/sync", {}, wait=60).json()["result"]
        assert (partial["ok"], partial["outcome"], partial["reason"]) == (False, "partial", "files_failed")
        (failing,) = api.ok("errors", repository="team")["items"]
        assert failing["path"] == "b.yaml"
        assert "tasks: 5" in failing["problems"][0]["excerpt"]["lines"]

        Repository.objects.update(url="file:///nowhere/at/all.git")
        for _ in range(2):  # the second time it is the same failure again, which makes no new sync
            failed = api("POST", f"{path}/sync", {}, wait=60)
            assert failed.status_code == 200
            result = failed.json()["result"]
            assert (result["ok"], result["outcome"]) == (False, "failed")
            assert result["reason"]
            assert "nowhere" in result["message"]
    # The result of the first request can still be read.
    assert api.ok(synced["Location"])["result"]["outcome"] == "synced"
    detail = api.ok(f"syncs/{synced.json()['result']['sync']['id']}")
    assert detail["changes"]["created"] == ["team/a.yaml"]
    assert detail["timings"]
    graph = api.ok("dag/graph", uid="team/a.yaml")
    assert [node["id"] for node in graph["nodes"]] == ["a"]
    assert api.ok("dag", uid="team/a.yaml")["source"] == yaml_dag("a")
    output = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert output[:4] == [
        "Requested a dry run.",
        "Requested a sync.",
        "Requested a sync.",
        "Requested a full sync.",
    ]


def test_without_a_worker_a_request_waits_and_can_be_followed(api: Api, repository: Repository) -> None:
    answers = [api("POST", f"repositories/team/{action}", {}, wait=1) for action in ("sync", "dry-run")]
    for answer in answers:
        assert answer.status_code == 202
        assert answer.json()["state"] == "waiting"
        assert "No worker is running" in answer.json()["hint"]
        assert api.ok(answer["Location"]) == answer.json()
    # Neither is the other, and nothing but what was given is taken.
    sync, dry = (answer.json()["id"] for answer in answers)
    for path in (
        f"sync-requests/{dry}",
        f"dry-runs/{sync}",
        f"sync-requests/{sync}x",
        f"sync-requests/{sync[1:]}",
    ):
        assert api.get(path).status_code == 404, path
    other = Api(make_token(make_user("vera", "*", groups=["b"]))[0])
    assert other.get(answers[0]["Location"]).status_code == 404
    repository.delete()
    assert api.get(answers[0]["Location"]).status_code == 404


def test_a_lost_result_and_a_failed_worker_are_reported(api: Api, repository: Repository) -> None:
    sync, dry, failed = (
        api("POST", f"repositories/team/{action}", {}) for action in ("sync", "dry-run", "dry-run")
    )
    requested = Operation.of_token(OperationKind.DRY_RUN, failed.json()["id"])
    assert requested
    now = "2026-01-01T00:00:00Z"
    Task.objects.create(
        id=requested.task,
        name="x",
        func=tasks.DRY_RUN,
        result="hunter2",
        started=now,
        stopped=now,
        success=False,
    )
    OrmQ.objects.all().delete()
    QueuedSync.objects.all().delete()
    assert api.ok(sync["Location"])["result"]["outcome"] == "unknown"
    assert api.get(dry["Location"]).status_code == 404
    output = api.get(failed["Location"])
    assert output.json()["state"] == "failed"
    assert "hunter2" not in output.content.decode()


def test_a_paused_repository_has_dry_runs(api: Api, repository: Repository) -> None:
    api("POST", "repositories/team/pause", {"reason": "x"})
    assert api("POST", "repositories/team/dry-run", {}).status_code == 202


def test_waiting_holds_no_transaction_and_leaves_threads_to_others(
    monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    looks: list[bool] = []

    def look() -> int:
        looks.append(connection.in_atomic_block)
        return len(looks)

    assert operations.until(look, lambda seen: seen == 3, 60) == 3
    assert looks == [False] * 3
    del looks[:]
    operations.until(look, lambda _: False, 2)
    assert 1 <= len(looks) <= 8
    for _ in range(operations.MAX_WAITING):
        assert operations._places.acquire(blocking=False)
    del looks[:]
    try:
        assert operations.until(look, lambda _: False, 60) == 1
    finally:
        for _ in range(operations.MAX_WAITING):
            operations._places.release()


def test_stored_rows_can_be_read_and_filtered(api: Api) -> None:
    make_everything("one", "a", mark="alpha")
    make_everything("two", mark="beta")

    def found(path: str, **query: Any) -> list[Any]:
        return list(api.ok(path, **query)["items"])

    assert [item["repository"] for item in found("syncs", repository="one")] == ["one"]
    assert len(found("syncs", state="partial", trigger="api")) == 2
    assert found("syncs", state="failed") == found("syncs", trigger="webhook") == []
    sync = api.ok(f"syncs/{found('syncs', repository='one')[0]['id']}")
    assert sync["changes"] == {"created": ["one/alpha.yaml"], "updated": [], "pruned": [], "stale": []}
    assert sync["failedFiles"] == [{"path": "alpha.py", "line": 1, "message": "alpha"}]
    assert (sync["timings"], sync["log"]) == ({"fetch": 0.5}, "alpha")

    assert [item["path"] for item in found("repositories/one/files")] == ["alpha.py", "alpha.yaml"]
    assert [item["path"] for item in found("repositories/one/files", state="failed")] == ["alpha.py"]
    problem = api.ok("repositories/one/file", path="alpha.py")["problems"][0]
    assert (problem["message"], problem["line"], problem["output"]) == ("alpha", 1, "alpha")
    assert problem["excerpt"] == {"first": 1, "lines": ["alpha", "x"]}
    assert api.get("repositories/one/file", path="beta.py").status_code == 404

    assert [item["repository"] for item in found("errors", search="ALPHA")] == ["one"]
    failing = found("errors", repository="two")[0]
    assert failing["served"] == [{"uid": "two/beta.py::d", "commit": "1" * 40}]
    assert failing["firstSeen"]
    assert failing["lastSeen"]

    assert [item["uid"] for item in found("dags", stale="true", repository="one")] == ["one/alpha.py::d"]
    assert len(found("dags", stale="false")) == 2
    assert found("dags", origin="manual") == []
    assert [item["tasks"] for item in found("dags", search="beta.yaml")] == [2]
    dag = api.ok("dag", uid="one/alpha.py::d")
    assert (dag["spec"], dag["source"], dag["staleReason"]) == (SPEC, "alpha", "alpha")
    graph = api.ok("dag/graph", uid="one/alpha.py::d")
    assert [(edge["source"], edge["target"]) for edge in graph["edges"]] == [("a", "b")]
    first, second = graph["nodes"]
    assert first["x"] + first["width"] < second["x"] < graph["width"]
    assert len(graph["edges"][0]["points"]) >= 2
    assert [item["version"] for item in found("dag/versions", uid="one/alpha.py::d")] == [2, 1]
    assert api.ok("dag/versions/1", uid="one/alpha.py::d")["spec"] == SPEC
    for path in ("dag", "dag/graph", "dag/versions", "dag/versions/1"):
        assert api.get(path, uid="one/none.yaml").status_code == 404

    assert len(found("runs", uid="one/alpha.yaml")) == 1
    assert len(found("runs", repository="one", state="FAILED")) == 2
    assert found("runs", state="SUCCESS") == []
    run = api.ok(f"runs/{DagRun.objects.filter(repository='one').latest('pk').pk}")
    assert [(task["taskId"], task["exitCode"], task["log"]) for task in run["tasks"]] == [("a", 1, "alpha")]


def test_details_that_need_another_permission_are_left_out(transactional_db: None) -> None:
    make_everything("one", "a", mark="alpha")
    token, _ = make_token(make_user("vera", "view_sourcefile", "view_repository", groups=["a"]))
    (failing,) = Api(token).ok("errors")["items"]
    assert (failing["served"], failing["servedInAll"]) == ([], 0)


def test_a_sync_can_be_requested_without_a_body(api: Api, repository: Repository) -> None:
    def send(method: str, path: str) -> Any:
        return Client().generic(
            method, f"/api/v1/repositories/team{path}", content_type="", headers=api.headers
        )

    for path in ("/sync", "/dry-run"):
        answer = send("POST", path)
        assert answer.status_code == 202, answer.content
        assert OrmQ.objects.count() > 0
    assert send("PATCH", "").status_code == 422
    described = api.ok("openapi.json")["paths"]["/api/v1/repositories/{name}/sync"]["post"]
    assert described["requestBody"]["required"] is False
