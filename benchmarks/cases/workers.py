"""Throughput and latency with 1, 2 and 4 worker processes on this machine's cores.

It runs the real cluster (`manage.py qcluster`). A flood is a number of small repositories of one tenant, each with one
changed YAML or Python file, whose syncs are probe at the same time like by webhooks. During a flood, and later on an
idle cluster, another tenant pushes single files one after the other. The time of a push starts when it is done and its
sync is probe. It ends when the new version is committed, which a trigger in the database reports (`benchmarks.told`).

Floor of the CPU time of a sync: a bare `git ls-remote` and a bare `git fetch` of the same commit.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks import authored
from benchmarks.bench import Bench
from benchmarks.case import Result, median, p95
from benchmarks.floors import git as git_floor
from benchmarks.service import cluster, cpu_over, cpu_so_far
from benchmarks.told import Told
from benchmarks.worker import Worker

NAME = "workers"
WORKERS = (1, 2, 4)
YAML_REPOSITORIES = 120
PYTHON_REPOSITORIES = 40
PUSHES = 30
FLOORS = 20
IDLE_SECONDS = 20.0
_OTHER = "other"
_PATIENCE_SECONDS = 120.0


@dataclass(slots=True)
class _Run:
    """The measurements with one number of workers, in seconds.

    `yaml` and `python` are syncs per second. `cpu` is the CPU time of one sync of a YAML repository: of the workers with
    git, and of PostgreSQL. `floor` is that of git alone.
    """

    yaml: float = 0.0
    python: float = 0.0
    alone: list[float] = field(default_factory=list)
    in_flood: list[float] = field(default_factory=list)
    idle_cores: float = 0.0
    cpu: tuple[float, float] = (0.0, 0.0)
    floor: float = 0.0


class _Stage:
    """The repositories of the flooding tenant, and that of the other tenant."""

    def __init__(self, bench: Bench, worker: Worker) -> None:
        self._bench, self._worker = bench, worker
        self._yaml, self._python, self._other = (bench.serve() for _ in range(3))
        self._pushes = 0
        self.change()
        self._floods = {
            "yaml": self._add("yaml", self._yaml.file_url, bench.size(YAML_REPOSITORIES)),
            "python": self._add("python", self._python.file_url, bench.size(PYTHON_REPOSITORIES)),
        }
        self.push()
        self._pk = int(worker.ask("add", name=_OTHER, url=self._other.file_url, group="other team")["pk"])

    def _add(self, name: str, url: str, count: int) -> list[int]:
        return [self._worker.add(f"{name}-{at:03}", url) for at in range(count)]

    def change(self) -> None:
        """Push a change to the flooding repositories."""
        self._pushes += 1
        word = f"push {self._pushes}"
        self._yaml.push(authored.yaml_files(1, word=word))
        self._python.push(authored.python_files(1, word=word))

    def push(self) -> None:
        self._pushes += 1
        self._other.push(authored.yaml_files(1, word=f"push {self._pushes}"))

    def ask(self, pks: list[int]) -> None:
        self._worker.ask("ask", pks=pks)

    def pushed(self, told: Told) -> float:
        """Push for the other tenant, wait, and return the seconds until it is committed."""
        self.push()
        began = time.perf_counter()
        self.ask([self._pk])
        return told.until("pushed", _PATIENCE_SECONDS)["pushed"] - began

    def floor(self) -> float:
        """Return the CPU seconds of bare git for finding a change and fetching it."""
        mirror = self._bench.folder / "floor-workers.git"
        git_floor.fetch(self._yaml.file_url, mirror)
        costs = []
        for _ in range(self._bench.runs(FLOORS)):
            self.change()
            probe = git_floor.ls_remote(self._yaml.file_url)
            costs.append(probe.cpu_seconds + git_floor.fetch(self._yaml.file_url, mirror).cpu_seconds)
        return median(costs)

    def waiting(self) -> int:
        with self._bench.connect(self._worker.database) as connection:
            [[count]] = connection.execute("SELECT count(*) FROM gitsync_queuedsync").fetchall()
        return int(str(count))

    def flood(self, kind: str, told: Told | None = None) -> tuple[float, list[float]]:
        """Sync all repositories of a kind at the same time.

        Return the syncs per second, and the seconds of the other tenant's pushes during the flood.
        """
        self.change()
        pks, pushes = self._floods[kind], []
        began = time.perf_counter()
        self.ask(pks)
        while waiting := self.waiting():
            if told and waiting > 10:
                pushes.append(self.pushed(told))
            time.sleep(0.05 + random.random() * 0.1)
        return (len(pks) + len(pushes)) / (time.perf_counter() - began), pushes


def measure(bench: Bench) -> Iterator[Result]:
    for count in WORKERS:
        with bench.worker(GITSYNC_INTERVAL_MS=3_600_000, WORKERS=count) as worker:
            yield from _results(count, _run(bench, worker, count))


def _run(bench: Bench, worker: Worker, count: int) -> _Run:
    found = _Run()
    stage = _Stage(bench, worker)
    told = Told(bench.database_url(worker.database))
    told.tell_of("pushed", "INSERT", "metadata_dagversion", f"NEW.repository = '{_OTHER}'")
    with cluster(worker.environment, bench.folder / f"cluster-{count}.log") as pid, told:
        stage.pushed(told)
        stage.flood("yaml")  # first syncs, with mirrors to make
        stage.flood("python")
        bench.say(f"{count} workers: warm")
        before = cpu_so_far(pid, bench.folder / "data")
        found.yaml, _ = stage.flood("yaml")
        after = cpu_so_far(pid, bench.folder / "data")
        syncs = bench.size(YAML_REPOSITORIES)
        found.cpu = (after[0] - before[0]) / syncs, (after[1] - before[1]) / syncs
        found.floor = stage.floor()
        found.python, _ = stage.flood("python")
        _, found.in_flood = stage.flood("yaml", told)
        for _push in range(bench.runs(PUSHES)):
            time.sleep(random.random() * 0.3)
            found.alone.append(stage.pushed(told))
        time.sleep(2)
        ours, _, seconds = cpu_over(pid, bench.folder / "data", 2.0 if bench.quick else IDLE_SECONDS)
        found.idle_cores = ours / seconds
    bench.say(f"{count} workers: {found.yaml:.1f} syncs/s")
    return found


def _results(count: int, found: _Run) -> Iterator[Result]:
    def result(what: str, value: float, unit: str, runs: int = 1) -> Result:
        return Result(NAME, what, value, unit, runs=runs)

    yield result(
        f"{count} worker{'s' if count > 1 else ''}: YAML repositories, one file changed",
        found.yaml,
        "syncs/s",
    )
    ours, theirs = (seconds * 1000 for seconds in found.cpu)
    yield Result(
        NAME,
        "  CPU of one, workers and git",
        ours,
        "ms",
        found.floor * 1000,
        "bare git ls-remote and fetch",
    )
    yield result("  CPU of one, PostgreSQL", theirs, "ms")
    yield result("  Python repositories, one file changed", found.python, "syncs/s")
    for what, values in (("alone", found.alone), ("during another team's flood", found.in_flood)):
        if values:
            yield result(f"  a push {what}, to committed, median", median(values) * 1000, "ms", len(values))
            yield result("    p95", p95(values) * 1000, "ms", len(values))
    yield result("  with nothing to do", found.idle_cores, "cores")
