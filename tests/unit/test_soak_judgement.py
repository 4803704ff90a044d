"""The evaluation of a soak: the states of the store that its ledger accepts, samples and times."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiok.server import marked_text
from soak.document import PATH, SECTION, markdown
from soak.figures import percentiles
from soak.ledger import Ledger
from soak.vitals import Life, Sample
from tests.support.reference.authoring import python_file, unreadable_yaml, yaml_file
from tests.support.reference.model import Files, Store, after

OFFERS: list[tuple[str, Files]] = [
    ("c0", {"a.yaml": yaml_file({"x": "echo 0"}), "b.yaml": yaml_file({"y": "echo 0"})}),
    ("c1", {"a.yaml": yaml_file({"x": "echo 1"}), "b.yaml": yaml_file({"y": "echo 1"})}),
    ("c2", {"a.yaml": unreadable_yaml(), "b.yaml": yaml_file({"y": "echo 2"})}),
    ("c3", {"a.yaml": yaml_file({"x": "echo 3"})}),
]


def ledger_of(offers: list[tuple[str, Files]]) -> Ledger:
    ledger = Ledger("team")
    for commit, files in offers:
        ledger.offer(commit, files)
    return ledger


def store_of(*commits: int) -> Store:
    """Return the content of the store after these of the offers were synced."""
    return after("team", [OFFERS[number] for number in commits])


@pytest.mark.parametrize(
    "commits", [(), (0,), (1,), (3,), (0, 1), (0, 2), (1, 2), (0, 1, 2, 3), (0, 3), (2, 3), (1, 1)]
)
def test_sync_may_skip_pushes(commits: tuple[int, ...]) -> None:
    ledger = ledger_of(OFFERS)
    assert ledger.observe(store_of(*commits)) == []
    assert ledger.is_settled == (bool(commits) and commits[-1] == 3)
    assert ledger.pending == (3 - commits[-1] if commits else 4)


def test_return_to_an_earlier_commit_is_wrong() -> None:
    ledger = ledger_of(OFFERS)
    assert ledger.observe(store_of(0, 1)) == []
    assert ledger.observe(store_of(0, 1, 0))
    assert ledger.observe(store_of(0)), "a version is lost"
    assert ledger.observe(store_of(0, 1, 2, 3)) == []


def test_part_of_a_commit_is_wrong() -> None:
    ledger = ledger_of(OFFERS)
    before, behind = store_of(0), store_of(0, 1)
    half = Store({**before.dags, "team/b.yaml": behind.dags["team/b.yaml"]}, behind.history)
    assert ledger.observe(before) == []
    [told] = [line for line in ledger.observe(half) if "team/a.yaml: version" in line]
    assert "is 1, and must be 2" in told


@pytest.mark.parametrize(
    "change", [{"is_stale": True}, {"text": "another"}, {"commit": "c9"}, {"version": 9}]
)
def test_content_of_no_push_is_wrong(change: dict[str, object]) -> None:
    store = store_of(0, 1)
    dags = {**store.dags, "team/a.yaml": replace(store.dags["team/a.yaml"], **change)}  # type: ignore[arg-type]
    assert ledger_of(OFFERS).observe(Store(dags, store.history))


def test_removed_dag_and_truncated_history_are_wrong() -> None:
    store = store_of(0, 1)
    without = {uid: dag for uid, dag in store.dags.items() if uid != "team/a.yaml"}
    assert ledger_of(OFFERS).observe(Store(without, store.history))
    assert ledger_of(OFFERS).observe(Store(store.dags, {**store.history, "team/a.yaml": ()}))


def test_lost_container_makes_a_python_file_stale_until_the_next_sync() -> None:
    offers: list[tuple[str, Files]] = [
        (
            f"c{number}",
            {"p.py": python_file({"p": f"echo {number}"}), "a.yaml": yaml_file({"x": f"echo {number}"})},
        )
        for number in range(2)
    ]
    good = after("team", offers[:1])
    lost = after(
        "team", [("c1", {**offers[1][1], "p.py": replace(offers[1][1]["p.py"], dags={}, fails=True)})], good
    )
    ledger = ledger_of(offers)
    assert ledger.observe(lost) == []
    assert not ledger.is_settled
    assert ledger.observe(after("team", offers[1:], lost)) == []
    assert ledger.is_settled
    yaml_lost = replace(lost, dags={uid: replace(dag, is_stale=True) for uid, dag in lost.dags.items()})
    assert ledger_of(offers).observe(yaml_lost)


def life(memory: list[int], descriptors: list[int], seconds: float = 10.0) -> Life:
    samples = [
        Sample(number * seconds, *both) for number, both in enumerate(zip(memory, descriptors, strict=True))
    ]
    return Life("worker", 1, samples)


def test_memory_is_stable_after_warm_up_and_not_with_a_leak() -> None:
    steady = [20] * 20
    warmed = [30_000, 40_000, 50_000, *([60_000, 60_500] * 8), 60_000]
    assert life(warmed, steady).verdict == "flat"
    assert life([60_000 + 1_000 * number for number in range(20)], steady).verdict == "grows"
    assert life([60_000] * 20, list(range(20, 40))).verdict == "grows"
    assert life([60_000] * 20, list(range(20, 40)), seconds=2.0).verdict == "short"
    assert life([60_000] * 40, [34, 36, 34, 45, *([34, 35, 34, 62] * 9)]).verdict == "flat", (
        "held for a moment"
    )


def test_percentiles_are_measured_times() -> None:
    assert percentiles([]) == {"pushes": 0}
    told = percentiles([float(number) for number in range(100, 0, -1)])
    assert told == {"pushes": 100, "p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0}


def test_figures_replace_the_previous_ones() -> None:
    report = {
        "machine": dict.fromkeys(
            ("cores", "cpu", "memory_gib", "kernel", "docker", "python", "git", "commit"), "?"
        ),
        "seconds": 600.0,
        "repositories": 200,
        "interval_seconds": 20.0,
        "pushes": 7,
        "syncs": {"succeeded": 5},
        "faults": {"worker killed": 3},
        "clusters_ended_by_themselves": 0,
        "compared": 9,
        "violations": ["one"],
        "settled_after_seconds": 1.5,
        "latency": {"with a webhook": percentiles([1.0]), "without": percentiles([])},
        "processes": [life([1024] * 20, [7] * 20).to_json()],
    }
    text = marked_text.replaced(PATH.read_text(encoding="utf-8"), SECTION, markdown(report))
    assert "\n\n? cores" in text
    for line in (
        "| minutes | 10.0 |",
        "| fault: worker killed | 3 |",
        "| **violations** | **1** |",
        "| with a webhook | 1 | 1.0 | 1.0 | 1.0 | 1.0 |",
        "| without | 0 |  |  |  |  |",
        "| worker | 1 | 190 | 1.0 | +0.0 | 7 | +0.0 | flat |",
    ):
        assert line in text.splitlines()
