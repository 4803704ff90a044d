"""A sync that finds nothing new: CPU time, containers and written rows.

CPU time is that of the worker and its git process (getrusage, self and children), without the git server's. Containers are
counted from the engine's events by the label of this installation. Floor: the bare `git ls-remote` process. The repository
has 1 000 Python files, which would need containers.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import authored
from benchmarks.bench import Bench
from benchmarks.case import Result, median
from benchmarks.engine import containers_started
from benchmarks.floors import git as git_floor

NAME = "nothing-changed"
FILES = 1000
RUNS = 50
WARM_UPS = 3
MAX_CPU_RATIO = 4.0
_FLOOR = "one bare git ls-remote process"


def measure(bench: Bench) -> Iterator[Result]:
    files = bench.size(FILES)
    served = bench.serve()
    served.push(authored.python_files(files))
    with bench.worker(SANDBOX_POOL_SIZE=0) as worker:
        service = worker.ask("facts")["service"]
        pk = worker.add("nothing-changed", served.daemon_url)
        with containers_started(service) as first:
            worker.sync(pk)
        if not first:
            raise SystemExit("the engine's events do not include the first sync's container")
        for _ in range(WARM_UPS):
            worker.sync(pk)
        with containers_started(service) as started:
            looks = [worker.sync(pk) for _ in range(bench.runs(RUNS))]
        floors = [git_floor.ls_remote(served.daemon_url) for _ in looks]
    runs = len(looks)
    cpu = median([look.cpu_seconds + look.children_cpu_seconds for look in looks]) * 1000
    own = median([look.cpu_seconds for look in looks]) * 1000
    wall = median([look.seconds for look in looks]) * 1000
    floor_cpu = median([floor.cpu_seconds for floor in floors]) * 1000
    floor_wall = median([floor.seconds for floor in floors]) * 1000
    yield Result(NAME, "CPU of worker and git", cpu, "ms", floor_cpu, _FLOOR, MAX_CPU_RATIO, runs=runs)
    yield Result(NAME, "  of the worker alone", own, "ms", runs=runs)
    yield Result(NAME, "  wall time", wall, "ms", floor_wall, _FLOOR, runs=runs)
    rows = max(sum(look.written_rows.values()) for look in looks)
    yield Result(NAME, "rows written", rows, "", target=1, runs=runs)
    queries = max(sum(look.queries.values()) for look in looks)
    yield Result(NAME, "queries", queries, "", runs=runs)
    yield Result(NAME, "containers started, in all", len(started), "", target=0, runs=runs)
