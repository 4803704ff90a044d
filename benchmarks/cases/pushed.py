"""A push that changes one of 1 000 files: from the push, through a webhook, to the commit in the store.

It uses the real service (web server, workers and a warm container), and sends a delivery signed like GitHub's right after
the push. Triggers in the database report the times (`benchmarks.told`): picked up is when a worker starts the task,
committed when the new version is in the store. Compared with "one-changed", this adds the response to the webhook and the
wait in the queue. Pushes come at random times, independent of the service's clocks.

Floor: that of "one-changed", a bare `git fetch` of the same commit, and one fork that compiles the changed file.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import authored
from benchmarks.bench import Bench
from benchmarks.case import Result, median, p95
from benchmarks.engine import await_pool
from benchmarks.floors import forks
from benchmarks.floors import git as git_floor
from benchmarks.service import cluster, web
from benchmarks.told import Told
from compilers.formats.python import PYTHON

NAME = "pushed"
FILES = 1000
RUNS = 30
WARM_UPS = (
    8  # enough for each of the four workers to have done one: the first sync of a process loads modules
)
_REPOSITORY = "pushed"
_PATIENCE_SECONDS = 60.0
_COMMITS = 20  # in the body of a delivery, which makes it about 10 KB, like those of git services


@dataclass(frozen=True, slots=True)
class Push:
    """The times of a push, in seconds since it was done. `committed` is the total."""

    answered: float
    picked_up: float
    committed: float

    @property
    def synced(self) -> float:
        """Return the seconds from picked up to committed."""
        return self.committed - self.picked_up


def measure(bench: Bench) -> Iterator[Result]:
    files = bench.size(FILES)
    served = bench.serve()
    served.push(authored.python_files(files))
    mirror = bench.folder / "floor-pushed.git"
    git_floor.fetch(served.file_url, mirror)
    changed = bench.folder / "pushed.py"
    secret = secrets.token_hex(32)
    with bench.worker(GITSYNC_INTERVAL_MS=3_600_000) as worker:
        pk = worker.add(_REPOSITORY, served.file_url)
        worker.ask("hook", pk=pk, secret=secret)
        worker.sync(pk)
        facts = worker.ask("facts")
    pushes, floors = [], []
    logs = bench.folder
    with (
        cluster(worker.environment, logs / "pushed-cluster.log"),
        web(worker.environment, facts["web_workers"], logs / "pushed-web.log") as port,
        _told(bench.database_url(worker.database)) as told,
    ):
        for run in range(bench.runs(RUNS) + WARM_UPS):
            [(path, content)] = authored.python_files(1, first=run % files, word=f"push {run}")
            await_pool(facts["service"], facts["pool"], PYTHON)
            time.sleep(random.random())
            served.push([(path, content)])
            push = _push(port, secret, told)
            changed.write_bytes(content)
            floor = git_floor.fetch(served.file_url, mirror).seconds
            floor += forks.seconds("compile", str(changed).encode())
            if run >= WARM_UPS:
                pushes.append(push)
                floors.append(floor)
    yield from _results(files, pushes, floors)


def _told(database_url: str) -> Told:
    told = Told(database_url)
    told.tell_of(
        "picked up",
        "UPDATE",
        "gitsync_repository",
        "OLD.queued_until IS NOT NULL AND NEW.queued_until IS NULL",
    )
    told.tell_of("committed", "INSERT", "metadata_dagversion")
    told.tell_of(
        "finished", "UPDATE", "gitsync_syncrun", "OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL"
    )
    return told


def _push(port: int, secret: str, told: Told) -> Push:
    """Send a delivery and wait until the sync has ended."""
    began = time.perf_counter()
    answer = _deliver(port, secret)
    answered = time.perf_counter() - began
    if answer["outcome"] != "queued":
        raise SystemExit(f"the webhook answered {answer}")
    heard = told.until("finished", _PATIENCE_SECONDS)
    if missing := {"picked up", "committed"} - heard.keys():
        raise SystemExit(f"the sync ended without reporting {missing}")
    return Push(answered, heard["picked up"] - began, heard["committed"] - began)


def _deliver(port: int, secret: str) -> Mapping[str, Any]:
    commits = [{"id": secrets.token_hex(20), "message": "x" * 400} for _ in range(_COMMITS)]
    body = json.dumps({"ref": "refs/heads/main", "commits": commits}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": secrets.token_hex(16),
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    connection = http.client.HTTPConnection("localhost", port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("POST", f"/hooks/{_REPOSITORY}/", body, headers)
        answer: Mapping[str, Any] = json.load(connection.getresponse())
    finally:
        connection.close()
    return answer


def _results(files: int, pushes: list[Push], floors: list[float]) -> Iterator[Result]:
    runs = len(pushes)
    floor_is = "git fetch of it, and one fork that compiles it"

    def result(what: str, value: float, floor: float | None = None) -> Result:
        bottom, floor_text = (None, "") if floor is None else (floor * 1000, floor_is)
        return Result(NAME, what, value * 1000, "ms", bottom, floor_text, runs=runs)

    totals = [push.committed for push in pushes]
    yield result(f"one file of {files}, push to committed by webhook, p95", p95(totals), p95(floors))
    yield result("  median", median(totals), median(floors))
    answers = [push.answered for push in pushes]
    yield result("  until the webhook is answered, p95", p95(answers))
    yield result("  median", median(answers))
    for what, values in (
        ("until a worker picks it up", [push.picked_up for push in pushes]),
        ("from there to committed", [push.synced for push in pushes]),
    ):
        yield result(f"  {what}, p95", p95(values))
        yield result("  median", median(values))
