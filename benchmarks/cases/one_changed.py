"""A change of one of 1 000 files: from the trigger to the commit, with a warm container and without one.

The trigger is the call of `sync_repository`, so the time in the queue or until the next poll is excluded. Each run changes
another file. With a pool, a sync starts when the pool has a warm container again, which takes about a second. Real pushes
leave that much time.

Floor: a bare `git fetch` of the same commit, and one fork with the SDK imported that compiles the changed file.
Both percentiles are the 95th.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import authored
from benchmarks.bench import Bench
from benchmarks.case import Result, median, p95
from benchmarks.engine import await_ready
from benchmarks.floors import forks
from benchmarks.floors import git as git_floor
from compilers.formats.python import PYTHON

NAME = "one-changed"
FILES = 1000
RUNS = 25
WARM_UPS = 2
POOLS = {"warm": (1, 5.0), "pool off": (0, 9.0)}  # by name: size of the pool, target of the p95 in floors


def measure(bench: Bench) -> Iterator[Result]:
    for name, (pool, limit) in POOLS.items():
        yield from _measure(bench, name, pool, limit)


def _measure(bench: Bench, name: str, pool: int, limit: float) -> Iterator[Result]:
    files = bench.size(FILES)
    served = bench.serve()
    served.push(authored.python_files(files))
    mirror = bench.folder / f"floor-{name.replace(' ', '-')}.git"
    git_floor.fetch(served.file_url, mirror)
    changed = bench.folder / "changed.py"
    seconds, floors, cpu = [], [], []
    with bench.worker(SANDBOX_POOL_SIZE=pool) as worker:
        pk = worker.add("one-changed", served.file_url)
        worker.sync(pk)
        for run in range(bench.runs(RUNS) + WARM_UPS):
            [(path, content)] = authored.python_files(1, first=run % files, word=f"change {run}")
            served.push([(path, content)])
            await_ready(worker, PYTHON)
            measured = worker.sync(pk)
            if (measured.updated, measured.unchanged) != (1, files - 1):
                raise SystemExit(f"{measured.updated} DAGs were updated instead of one")
            changed.write_bytes(content)
            fetched = git_floor.fetch(served.file_url, mirror)
            compiled = forks.seconds("compile", str(changed).encode())
            if run < WARM_UPS:
                continue
            seconds.append(measured.seconds)
            floors.append(fetched.seconds + compiled)
            cpu.append(measured.cpu_seconds + measured.children_cpu_seconds)
        steps = ", ".join(f"{step} {took * 1000:.0f}" for step, took in measured.steps.items())
        bench.say(f"{name}: median {median(seconds) * 1000:.0f} ms; the last one's steps in ms: {steps}")
    what = f"one file of {files}, trigger to committed, {name}"
    floor_is = "git fetch of it, and one fork that compiles it"
    yield Result(
        NAME,
        f"{what}, p95",
        p95(seconds) * 1000,
        "ms",
        p95(floors) * 1000,
        floor_is,
        limit,
        runs=len(seconds),
    )
    yield Result(
        NAME, "  median", median(seconds) * 1000, "ms", median(floors) * 1000, floor_is, runs=len(seconds)
    )
    yield Result(NAME, "  CPU of worker and git, median", median(cpu) * 1000, "ms", runs=len(cpu))
