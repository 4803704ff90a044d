"""1 000 repositories polled every minute, none of which changes: the total CPU time in cores.

It runs the real cluster (`manage.py qcluster`: workers, and the leader that polls) on repositories that are in sync, each
with its own url. After a round to settle, CPU time is read from /proc over two rounds: that of the cluster with its git
processes, and that of PostgreSQL. The git server's is excluded. Floor: the CPU time of as many bare `git ls-remote`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks import authored
from benchmarks.bench import Bench
from benchmarks.case import Result, median
from benchmarks.floors import git as git_floor
from benchmarks.service import cluster, cpu_over
from benchmarks.worker import Worker

NAME = "thousand-repositories"
REPOSITORIES = 1000
INTERVAL_SECONDS = 60
ROUNDS = 2
MAX_RATIO = 8.0
_QUICK_SECONDS = 5


def measure(bench: Bench) -> Iterator[Result]:
    count = bench.size(REPOSITORIES)
    interval = _QUICK_SECONDS if bench.quick else INTERVAL_SECONDS
    urls = _serve(bench, count)
    with bench.worker(GITSYNC_INTERVAL_MS=interval * 1000) as worker:
        for at, url in enumerate(urls):
            worker.sync(worker.add(f"r{at:04}", url))
            if at % 200 == 199:
                bench.say(f"{at + 1} repositories in sync")
        with cluster(worker.environment, bench.folder / "cluster.log") as workers:
            bench.say(f"the cluster runs; {interval} s to settle, then {ROUNDS} rounds of {interval} s")
            time.sleep(interval + 5)
            ours, theirs, seconds = cpu_over(workers, bench.folder / "data", ROUNDS * interval)
        _see_that_all_were_looked_at(bench, worker, count, interval)
    asks = [git_floor.ls_remote(url).cpu_seconds for url in urls[:100]]
    floor = median(asks) * count / interval
    yield Result(
        NAME,
        f"{count} repositories, nothing changed, every {interval} s: cores in all",
        (ours + theirs) / seconds,
        "cores",
        floor,
        "the CPU of as many bare git ls-remote processes",
        MAX_RATIO,
    )
    yield Result(NAME, "  of which leader, workers and git", ours / seconds, "cores", floor, "the same")
    yield Result(NAME, "  of which PostgreSQL", theirs / seconds, "cores")


def _serve(bench: Bench, count: int) -> list[str]:
    first = bench.serve()
    first.push(authored.yaml_files(1))
    names = [f"r{at:04}.git" for at in range(count)]
    for name in names:
        first.copy(bench.folder / "served" / name)
    return [bench.daemon.url(name) for name in names]


def _see_that_all_were_looked_at(bench: Bench, worker: Worker, count: int, interval: int) -> None:
    """Check that the leader kept up. The limit allows for the time since it stopped."""
    with bench.connect(worker.database) as connection:
        query = (
            "SELECT count(*) FROM gitsync_repository "
            "WHERE state = 'in_sync' AND checked_at > now() - %s * interval '1 s'"
        )
        [[looked]] = connection.execute(query, [interval * 1.5 + 20]).fetchall()
    if looked != count:
        raise SystemExit(f"only {looked} of {count} repositories were polled in the last round")
