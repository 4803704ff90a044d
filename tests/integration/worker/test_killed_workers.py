"""Workers killed at any moment leave no container behind, whether they claimed a warm one or created one."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.conf import settings

from gitsync.models import Repository
from gitsync.worker import sandbox
from gitsync.worker.pool_maintainer import PoolMaintainer
from tests.integration.conftest import Sync
from tests.support.cluster import eventually, workers
from tests.support.processes import ROOT, environment
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = 200
AT_ONCE = 4
GONE_SECONDS = 10.0
LONGEST_LIFE_SECONDS = 0.6

PYTHON = "from kiok import Dag\nd = Dag('p')\nd.task('a', script='s')\n"

# Loaded once; every line on standard input is a repository that a forked worker syncs, over and over, until killed.
WORKERS = """
import os, sys
import django
django.setup()
from django.db import connections
from gitsync.models import Repository
from gitsync.sync.run import SyncOptions, sync_repository

for line in sys.stdin:
    worker = os.fork()
    if worker == 0:
        while True:
            sync_repository(int(line), SyncOptions(full=True))
    print(worker, flush=True)
"""


def all_containers() -> dict[str, bool]:
    """Name of every container of this installation, and whether it waits for work."""
    client = sandbox.sandbox().engine.client()
    found = client.containers(all=True, filters={"label": [f"kiok.service={sandbox.service()}"]})
    return {item["Names"][0]: item["Names"][0].startswith("/kiok-pool-") for item in found}


def working() -> list[str]:
    return [name for name, waits in all_containers().items() if not waits]


@pytest.fixture
def pool_of_one(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One container of each language is ready, as by default: here and in the processes started from here."""
    monkeypatch.setenv("KIOK_SANDBOX_POOL_SIZE", "1")
    monkeypatch.setattr(settings, "KIOK", replace(settings.KIOK, sandbox_pool_size=1))
    sandbox.sandbox.cache_clear()
    yield
    sandbox.sandbox().pool.clear(sandbox.service())
    sandbox.sandbox.cache_clear()


@pytest.fixture
def maintainer(pool_of_one: None) -> Iterator[PoolMaintainer]:
    """Start the pool maintainer of a worker that is not killed."""
    kept = PoolMaintainer()
    kept.start()
    yield kept
    kept.stop()
    kept.join()


def test_two_hundred_workers_killed_at_any_moment_leave_no_container(
    work_repo: WorkRepo, repository: Repository, sync: Sync, maintainer: PoolMaintainer
) -> None:
    work_repo.publish({"a.py": PYTHON, "b.py": PYTHON})
    repositories = [repository.pk] + [
        Repository.objects.create(name=f"team-{number}", url=repository.url).pk
        for number in range(1, AT_ONCE)
    ]
    sync()
    began = time.monotonic()
    sync(full=True)
    # On a busy machine workers live longer, so that they too are killed in every part of a sync.
    longest_life = max(LONGEST_LIFE_SECONDS, 2 * (time.monotonic() - began))
    chance = random.Random(4)
    seen: set[str] = set()
    with subprocess.Popen(
        [sys.executable, "-c", WORKERS],
        env=environment(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        for _ in range(KILLS // AT_ONCE):
            nursery.stdin.write("".join(f"{pk}\n" for pk in repositories))
            nursery.stdin.flush()
            born = [int(nursery.stdout.readline()) for _ in repositories]
            for worker in born:
                time.sleep(chance.uniform(0, longest_life / AT_ONCE))
                seen.update(working())
                os.kill(worker, signal.SIGKILL)
        nursery.stdin.close()
    eventually(lambda: not working(), GONE_SECONDS, "every container of a killed worker is gone")
    assert len(seen) > KILLS / 20, "hardly a worker had a container when it was killed"
    assert sync(full=True).ok


# Claims a container for each line on standard input, and prints whether it got one.
CLAIMANT = """
import sys
import django
django.setup()
from compilers.sandbox.base import SandboxJob
from compilers.formats.python import PYTHON
from gitsync.worker import sandbox as worker_sandbox

sandbox = worker_sandbox.sandbox()
job = SandboxJob(PYTHON, [], [], None, labels=worker_sandbox.labels("team", None))
sandbox.image_digest(PYTHON)
for line in sys.stdin:
    claimed = sandbox.pool.claim(job)
    print("claimed" if claimed else "nothing", flush=True)
    if claimed:
        claimed.end()
"""


def test_one_of_many_processes_claims_the_only_warm_container(
    repository: Repository, pool_of_one: None
) -> None:
    with contextlib.ExitStack() as stack:
        claimants = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", CLAIMANT],
                    env=environment(),
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(6)
        ]
        for claimant in claimants:
            stack.callback(claimant.stdin.close)  # type: ignore[union-attr]
        for _ in range(8):
            eventually(lambda: sandbox.fill_pool("the maintainer").started, 30, "a container is ready")
            for claimant in claimants:
                assert claimant.stdin is not None
                claimant.stdin.write("now\n")
                claimant.stdin.flush()
            answers = [claimant.stdout.readline() for claimant in claimants]  # type: ignore[union-attr]
            assert sorted(answers) == ["claimed\n"] + ["nothing\n"] * 5
    eventually(lambda: not working(), GONE_SECONDS, "every container that was claimed is gone")


def test_warm_containers_exist_only_while_the_service_runs(
    work_repo: WorkRepo, repository: Repository, sync: Sync, pool_of_one: None
) -> None:
    work_repo.publish({"a.py": PYTHON})
    with workers({}) as service:
        eventually(lambda: sum(all_containers().values()) >= 2, 30, "a container of each language is ready")
        before = all_containers()
        assert sync(full=True).ok
        eventually(
            lambda: set(all_containers()) != set(before) and sum(all_containers().values()) >= 2,
            30,
            "the one that was used is replaced",
        )
        service.terminate()
        service.wait(600)
    eventually(lambda: not all_containers(), 5, "no container is ready for a service that has stopped")
