"""The transaction alone: create 10 000 DAGs, then prune 10 000; and the number of queries per additional thousand rows.

The time is that of the step "apply" in a real sync of YAML files. Floor: COPY of the same rows, and DELETE of those that a
prune deletes, in bare tables with the same columns, each in one transaction that is flushed to disk. Queries are counted at
three sizes with Django's `execute_wrapper`.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import authored
from benchmarks.bench import Bench
from benchmarks.case import Result, median
from benchmarks.floors import tables
from benchmarks.worker import Measured, Worker

NAME = "apply"
DAGS = 10_000
RUNS = 3
MAX_CREATE_RATIO, MAX_PRUNE_RATIO = 4.0, 10.0


def measure(bench: Bench) -> Iterator[Result]:
    dags = bench.size(DAGS)
    creations, prunings, floors = [], [], []
    for run in range(bench.runs(RUNS)):
        with bench.worker() as worker:
            created, floor, pruned = _there_and_back(bench, worker, dags)
            if run == 0:
                per_thousand = _queries_per_thousand(bench, worker, created, pruned, dags)
        creations.append(created.steps["apply"])
        prunings.append(pruned.steps["apply"])
        floors.append(floor)
        bench.say(f"{dags} created in {creations[-1]:.2f} s, pruned in {prunings[-1]:.2f} s")
    runs = len(floors)
    write = median([floor.write_seconds for floor in floors])
    delete = median([floor.delete_seconds for floor in floors])
    mib = floors[0].copied_bytes / 2**20
    floor_is = f"COPY of the same {mib:.0f} MiB into bare tables"
    yield Result(
        NAME, f"{dags} created", median(creations), "s", write, floor_is, MAX_CREATE_RATIO, runs=runs
    )
    floor_is = "DELETE of the same rows in bare tables"
    yield Result(NAME, f"{dags} pruned", median(prunings), "s", delete, floor_is, MAX_PRUNE_RATIO, runs=runs)
    for what, (few, many) in per_thousand.items():
        # Constant: a thousand more rows take no more queries at the full size than at a fifth of it.
        yield Result(NAME, f"queries a thousand more {what} take", many, "", target=few)


def _there_and_back(bench: Bench, worker: Worker, dags: int) -> tuple[Measured, tables.Floor, Measured]:
    """Create all DAGs, measure the floor with the resulting tables, and prune all DAGs."""
    served = bench.serve()
    served.push([*authored.yaml_files(dags), ("README.md", b"DAGs\n")])
    pk = worker.add(f"apply-{dags}", served.file_url)
    created = worker.sync(pk)
    with bench.connect(worker.database) as connection:
        floor = tables.rewrite(connection)
    served.push([("README.md", b"no DAGs\n")], afresh=True)
    pruned = worker.sync(pk)
    if (created.created, pruned.pruned) != (dags, dags):
        raise SystemExit(f"{created.created} DAGs were created and {pruned.pruned} pruned instead of {dags}")
    return created, floor, pruned


def _queries_per_thousand(
    bench: Bench, worker: Worker, created: Measured, pruned: Measured, dags: int
) -> dict[str, tuple[float, float]]:
    """Return the queries per additional thousand DAGs (from a tenth to a fifth, from a fifth to all), by operation."""
    tenth, fifth = dags // 10, dags // 5
    small, _, small_pruned = _there_and_back(bench, worker, tenth)
    twice, _, twice_pruned = _there_and_back(bench, worker, fifth)

    def slope(less: Measured, more: Measured, rows: int) -> float:
        return (more.queries["apply"] - less.queries["apply"]) / rows * 1000

    return {
        "created": (slope(small, twice, fifth - tenth), slope(twice, created, dags - fifth)),
        "pruned": (
            slope(small_pruned, twice_pruned, fifth - tenth),
            slope(twice_pruned, pruned, dags - fifth),
        ),
    }
