"""The cost of the largest DAG: each page and endpoint of it does a bounded amount of work.

Work is counted in calls of functions, Python's and the library's, which a busy machine does not change.
"""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from kiok.metadata.admin.dag import TABS as DAG_TABS
from kiok.metadata.admin.run import TABS as RUN_TABS
from kiok.metadata.admin.version import TABS as VERSION_TABS
from kiok.metadata.graph import GraphTooLarge, bounded, layout
from kiok.metadata.graph.limits import MAX_REQUIREMENTS, MAX_TASKS, _Pictures
from kiok.metadata.models import Dag, DagRun, DagVersion, TaskRun
from tests.support import admin_pages
from tests.support.api_client import ROOT, make_token

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

TASKS, EDGES_EACH = 10_000, 10
MAX_CALLS = 4_000_000
MAX_BYTES = 12_000_000
MAX_QUERIES = 40
UID = "team/large.yaml"


def spec(tasks: int, requires: Callable[[int], Iterator[int] | range]) -> dict[str, Any]:
    return {
        "id": "large",
        "name": "large",
        "tasks": [
            {
                "id": f"t{n}",
                "type": "shell",
                "script": f"echo {n}",
                "requires": [f"t{m}" for m in requires(n)],
            }
            for n in range(tasks)
        ],
    }


def largest(changed: str = "") -> dict[str, Any]:
    """10 000 tasks with 99 945 edges."""
    found = spec(TASKS, lambda n: range(max(0, n - EDGES_EACH), n))
    return {**found, "description": changed}


@pytest.fixture(scope="module")
def large(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[DagRun]:
    """The largest DAG, once, in a transaction around those of the tests, which roll back to it."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_large()
        transaction.set_rollback(True)


def make_large() -> DagRun:
    """The largest DAG with two versions and a run of all its tasks, each with a log."""
    now = timezone.now()
    source = "- a: b\n" * 140_000
    Dag.objects.create(
        uid=UID,
        repository="team",
        source_path="large.yaml",
        dag_id="large",
        name="large",
        origin="git",
        spec=largest(),
        spec_hash="0" * 64,
        version=2,
        source=source,
        created_at=now,
        updated_at=now,
    )
    for version in (1, 2):
        changed = {**largest(), "tasks": list(reversed(largest()["tasks"]))} if version == 1 else largest()
        DagVersion.objects.create(
            uid=UID, version=version, spec=changed, spec_hash=str(version) * 64, source=source, created_at=now
        )
    run = DagRun.objects.create(uid=UID, version=2, trigger="manual", state="FAILED", started_at=now)
    TaskRun.objects.bulk_create(
        TaskRun(dag_run=run, uid=UID, task_id=f"t{n}", state="SUCCESS", log="a line\n" * 200)
        for n in range(TASKS)
    )
    return run


class Cost:
    """The size of an answer, the calls and the queries that it took."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        profile = cProfile.Profile()
        with CaptureQueriesContext(connection) as queries:
            self.answer = profile.runcall(ask)
        self.calls = int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]
        self.bytes = len(self.answer.content)
        self.queries = len(queries)

    def too_much(self) -> bool:
        return self.calls > MAX_CALLS or self.bytes > MAX_BYTES or self.queries > MAX_QUERIES

    def __repr__(self) -> str:
        return f"{self.answer.status_code}: {self.calls} calls, {self.bytes} bytes, {self.queries} queries"


def endpoints(run: int) -> list[str]:
    """Every GET of the API that a DAG can be the subject of; `test_every_endpoint_of_dags_is_tried` holds it complete."""
    return [
        *(f"dags?search={word}" for word in ("large", "t")),
        f"dag?uid={UID}",
        f"dag/graph?uid={UID}",
        f"dag/versions?uid={UID}",
        f"dag/versions/2?uid={UID}",
        f"runs?uid={UID}",
        f"runs/{run}",
    ]


def test_every_endpoint_of_dags_is_tried() -> None:
    text, _ = make_token(User.objects.create_superuser("root"))
    document = Client().get(f"{ROOT}/openapi.json", headers={"Authorization": f"Bearer {text}"}).json()
    tried = {
        path.partition("?")[0].replace("/7", "/{id}").replace("/2", "/{version}") for path in endpoints(run=7)
    }
    there = {
        path.removeprefix(f"{ROOT}/")
        for path, methods in document["paths"].items()
        if "get" in methods and {"DAGs", "runs"} & set(methods["get"]["tags"])
    }
    assert tried == there


def test_no_endpoint_does_more_than_its_bound_for_the_largest_dag(large: DagRun) -> None:
    text, _ = make_token(User.objects.create_superuser("root"))
    client = Client(headers={"Authorization": f"Bearer {text}"})
    costs = {path: Cost(lambda p=path: client.get(f"{ROOT}/{p}")) for path in endpoints(large.pk)}
    assert not {path: cost for path, cost in costs.items() if cost.too_much()}
    refused = costs.pop(f"dag/graph?uid={UID}")
    assert refused.answer.status_code == 422
    assert refused.answer.json()["type"] == "urn:kiok:problem:graph-too-large"
    assert "10000 tasks and 99945 requirements" in refused.answer.json()["detail"]
    assert refused.calls < 500_000, "nothing of it is laid out"
    assert [cost.answer.status_code for cost in costs.values()] == [200] * len(costs)


def test_no_page_does_more_than_its_bound_for_the_largest_dag(large: DagRun) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    newest = DagVersion.objects.get(version=2)
    keys = {Dag: UID, DagVersion: newest.pk, DagRun: large.pk}
    shown = [
        page.address
        for page in admin_pages.pages(lambda model: keys.get(model), {"name": "r", "uid": UID})
        if page.model in keys or "uid" in page.name
    ]
    assert len([one for one in shown if one.endswith("/change/")]) == 3
    tabs = {"/dag/": DAG_TABS, "/dagversion/": VERSION_TABS, "/dagrun/": RUN_TABS}
    of_tabs = [
        f"{one}?tab={tab}"
        for one in shown
        for part, names in tabs.items()
        if part in one and one.endswith("change/")
        for tab in names
    ]
    compared = f"{next(one for one in of_tabs if one.endswith('tab=versions'))}&before=1&after=2"
    costs = {address: Cost(lambda a=address: client.get(a)) for address in [*shown, *of_tabs, compared]}
    assert not {address: cost for address, cost in costs.items() if cost.too_much()}
    page = next(cost for address, cost in costs.items() if "/dagrun/" in address and "change" in address)
    assert "Page 1 of 100" in page.answer.content.decode()


@pytest.mark.parametrize(
    ("tasks", "requires"),
    [
        (MAX_TASKS, lambda n: range(max(0, n - MAX_REQUIREMENTS // MAX_TASKS), n)),
        (300, lambda n: range(n)),
        (MAX_TASKS, lambda n: range(max(0, n - 4), n)),
        (450, lambda n: range(n // 2 * 2 % 220)),
    ],
    ids=["as many as are laid out", "each requires all before it", "the most that are drawn", "layers"],
)
def test_the_largest_graphs_are_bounded_and_laid_out_once(
    tasks: int, requires: Callable[[int], range], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = spec(tasks, requires)
    made: list[int] = []
    pictures = _Pictures()
    monkeypatch.setattr("kiok.metadata.graph.limits._pictures", pictures)
    monkeypatch.setattr(
        "kiok.metadata.graph.limits.laid_out", lambda spec: made.append(1) or layout.laid_out(spec)
    )
    profile = cProfile.Profile()

    def ask() -> None:
        for _ in range(5):
            try:
                bounded(found)
            except GraphTooLarge:
                return

    profile.runcall(ask)
    assert int(pstats.Stats(profile).total_calls) < MAX_CALLS  # type: ignore[attr-defined]
    assert len(made) <= 1


def test_a_process_keeps_a_bounded_number_of_pictures() -> None:
    pictures = _Pictures()
    for number in range(40):
        pictures.of(spec(10 + number, lambda n: range(max(0, n - 1), n)))
    assert len(pictures._known) == 32
    for number in range(12):  # of 20 000 edges each, and more
        pictures.of(spec(200 + number, lambda n: range(n)))
    assert sum(len(graph.edges) for graph in pictures._known.values()) <= 200_000
