"""The cost of a fetch when only one folder of a large repository is synced, compared with fetching all of it.

50 000 files, half text and half incompressible bytes, are outside the synced folder, and 100 DAGs are in it. `git
http-backend` behind a real https server on a loopback port serves the repository, and the fetch is that of a sync
(`gitsync.git.mirror`). Bytes are those that the server sent, including TLS. Seconds are the wall time of fetch and tree
together. Floor: a bare `git fetch --depth 1` from a repository with only that folder.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.case import Result, median
from benchmarks.floors import git as git_floor
from benchmarks.served import Served
from gitsync.git.client import GitClient, GitSettings
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.scope import WHOLE, FetchScope, is_within, parse_scope
from gitsync.git.tree import TreeLimits
from gitsync.git.url import parse_url
from tests.support.servers.byte_counter import ByteCounter
from tests.support.servers.https import HttpsServer

NAME = "partial-fetch"
OUTSIDE = 50_000
FILE_BYTES = 2_000
DAGS = 100
RUNS = 3
MAIN = parse_ref("main")
FOLDER = "dags"
SCOPES = {"partial": parse_scope(FOLDER, "*.py"), "full": WHOLE}
CASES = ("cold", "one DAG changed", "nothing changed")
_FULL = "the same mirror with a fetch of everything"
_FLOOR = "bare git fetch from a repository of that folder alone"


@dataclass(frozen=True, slots=True)
class Cost:
    """The received bytes and the duration of one fetch."""

    received_bytes: int
    seconds: float


Costs = dict[tuple[str, str], list[Cost]]  # by (kind, case); a kind is one of `SCOPES` or `floor`


def measure(bench: Bench) -> Iterator[Result]:
    folder = bench.folder / "https"
    outside = bench.size(OUTSIDE)
    big = Served(folder / "served" / "big.git")
    big.push(_everything(outside))
    alone = Served(folder / "served" / "alone.git")
    alone.push(_dag(number, "first") for number in range(DAGS))
    costs: Costs = {}
    with HttpsServer(folder / "served", folder / "server") as server, ByteCounter(server.port) as counter:
        client = GitClient(
            GitSettings(
                home=folder / "home",
                timeout_seconds=600,
                allow_private_hosts=frozenset({"localhost", "127.0.0.0/8"}),
                ssl_ca_info=str(server.ca_file),
            )
        )
        for run in range(bench.runs(RUNS)):
            for kind, scope in SCOPES.items():
                mirror = Mirror(folder / f"{kind}-{run}", client, _limits())
                for case in CASES:
                    _change(case, big)
                    costs.setdefault((kind, case), []).append(_fetch(mirror, scope, counter))
            for case in CASES:
                _change(case, alone)
                cost = _bare_fetch(folder / f"floor-{run}.git", server.ca_file, counter)
                costs.setdefault(("floor", case), []).append(cost)
            bench.say(
                f"run {run + 1}: {costs['partial', 'cold'][-1].received_bytes:,} bytes instead of "
                f"{costs['full', 'cold'][-1].received_bytes:,}"
            )
    yield from _results(costs, outside)


def _limits() -> TreeLimits:
    return TreeLimits(max_files=10_000_000, max_tree_bytes=1 << 40)


def _everything(outside: int) -> Iterator[tuple[str, bytes]]:
    """Yield all files of the large repository, 50 per folder."""
    content = random.Random(1)
    for number in range(outside):
        text = (b"line of text %d\n" % number) * (FILE_BYTES // 40)
        yield f"src/d{number // 50}/f{number}.dat", content.randbytes(FILE_BYTES // 2) + text
    for number in range(DAGS):
        yield _dag(number, "first")


def _dag(number: int, word: str) -> tuple[str, bytes]:
    text = f"dag:\n  id: d{number}\ntasks:\n- id: a\n  script: echo {word}\n"
    return f"{FOLDER}/d{number}.yaml", text.encode()


def _change(case: str, served: Served) -> None:
    if case == "one DAG changed":
        served.push([_dag(3, os.urandom(8).hex())])


def _fetch(mirror: Mirror, scope: FetchScope, counter: ByteCounter) -> Cost:
    url = parse_url(f"https://localhost:{counter.port}/big.git")
    counter.received = 0
    began = time.perf_counter()
    commit = mirror.fetch(url, MAIN, None, scope)
    tree = mirror.tree(commit, scope)
    seconds = time.perf_counter() - began
    contents = [
        content for _, content in tree.read(entry for entry in tree.entries if is_within(entry.path, FOLDER))
    ]
    if len(contents) != DAGS or not all(content.startswith(b"dag:") for content in contents):
        raise SystemExit("the fetched files differ from the pushed ones")
    return Cost(counter.received, seconds)


def _bare_fetch(mirror: Path, ca_file: Path, counter: ByteCounter) -> Cost:
    counter.received = 0
    cost = git_floor.fetch(f"https://localhost:{counter.port}/alone.git", mirror, ca_file=ca_file)
    return Cost(counter.received, cost.seconds)


def _results(costs: Costs, outside: int) -> Iterator[Result]:
    runs = len(costs["partial", "cold"])
    for case in CASES:
        kib = {
            kind: median([cost.received_bytes for cost in costs[kind, case]]) / 1024
            for kind in (*SCOPES, "floor")
        }
        ms = {
            kind: median([cost.seconds for cost in costs[kind, case]]) * 1000 for kind in (*SCOPES, "floor")
        }
        what = f"{DAGS} DAGs next to {outside} files, {case}"
        yield Result(NAME, f"{what}: received", kib["partial"], "KiB", kib["floor"], _FLOOR, runs=runs)
        yield Result(NAME, "  a fetch of everything", kib["full"], "KiB", runs=runs)
        yield Result(NAME, "  time", ms["partial"], "ms", ms["floor"], _FLOOR, runs=runs)
        yield Result(
            NAME, "  against a fetch of everything", ms["partial"], "ms", ms["full"], _FULL, 1.0, runs=runs
        )
