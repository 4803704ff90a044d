"""Warm containers on a real engine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import docker
import pytest

from compilers.formats.jar import JAVA
from compilers.formats.python import PYTHON
from compilers.sandbox.base import CompileOutcome, SandboxUnavailable
from compilers.sandbox.config import LABEL_CORRELATION, SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.pool import Filled
from compilers.sandbox.reaper import remove_orphans
from tests.sandbox.conftest import JobOf
from tests.sandbox.pool_runs import assert_one_of_them_fills, filling_processes, names, until_gone
from tests.support.waiting import wait_until

MAINTAINER = "the maintainer"
FILES = {"a.py": "from kiok import Dag\nd = Dag('a')\nd.task('t', 'shell', script='x')\n"}


@pytest.fixture
def config(python_image: str) -> SandboxConfig:
    return SandboxConfig(images={PYTHON: python_image}, pool_size=1)


@pytest.fixture
def pooled(config: SandboxConfig, service: str) -> Iterator[DockerSandbox]:
    sandbox = DockerSandbox(config)
    yield sandbox
    sandbox.pool.clear(service)


def test_a_warm_container_is_used_once_and_gives_the_same_result(
    pooled: DockerSandbox, config: SandboxConfig, engine: docker.DockerClient, service: str, job_of: JobOf
) -> None:
    taken = threading.Event()
    pooled.pool.on_claim = taken.set
    assert pooled.pool.fill(service, MAINTAINER).started == 1
    (ready,) = names(engine, service)
    (warm,) = pooled.run(job_of(FILES))
    assert taken.is_set()
    until_gone(engine, service)
    assert ready.startswith("kiok-pool-")
    (fresh,) = DockerSandbox(replace(config, pool_size=0)).run(job_of(FILES))
    assert warm.outcome is CompileOutcome.OK
    assert warm.payload == fresh.payload


def test_claiming_a_warm_container_takes_two_requests_to_the_engine(
    pooled: DockerSandbox, service: str, job_of: JobOf
) -> None:
    pooled.pool.fill(service, MAINTAINER)  # this also caches the image's digest for a few seconds
    requested: list[str] = []
    client = pooled.engine.client()
    client.hooks["response"].append(lambda answer, **_: requested.append(answer.request.path_url))
    job = job_of(FILES)
    (result,) = pooled.run(replace(job, labels=(*job.labels, (LABEL_CORRELATION, "an-id"))))
    assert result.outcome is CompileOutcome.OK
    assert requested[0].endswith(f".{b'1'.hex()}.an-id")  # its new name
    # Another thread removes it.
    assert [path.split("?")[0].rpartition("/")[2] for path in requested] == ["rename", "attach"]


def test_a_full_pool_is_unchanged_and_a_used_one_is_refilled(
    pooled: DockerSandbox, engine: docker.DockerClient, service: str, job_of: JobOf
) -> None:
    assert pooled.pool.fill(service, MAINTAINER).started == 1
    before = names(engine, service)
    assert pooled.pool.fill(service, "another").started == 0
    assert names(engine, service) == before
    list(pooled.run(job_of(FILES)))
    assert pooled.pool.fill(service, MAINTAINER).started == 1


def test_filling_the_pool_returns_warm_containers_and_missing_images(
    pooled: DockerSandbox, config: SandboxConfig, service: str, job_of: JobOf
) -> None:
    assert pooled.pool.fill(service, MAINTAINER) == Filled(started=1, ready=1, complaints=())
    assert pooled.pool.fill(service, "another") == Filled(started=0, ready=1, complaints=())
    images = {**config.images, JAVA: "kiok-sandbox-java:no-such-tag"}
    filled = DockerSandbox(replace(config, images=images)).pool.fill(service, MAINTAINER)
    (complaint,) = filled.complaints
    assert (filled.started, filled.ready) == (0, 1)
    assert "'kiok-sandbox-java:no-such-tag' for jar files" in complaint
    list(pooled.run(job_of(FILES)))
    without_pool = DockerSandbox(replace(config, images=images, pool_size=0)).pool
    assert without_pool.fill(service, MAINTAINER) == Filled(started=0, ready=0, complaints=(complaint,))


def test_an_empty_pool_is_no_obstacle(pooled: DockerSandbox, job_of: JobOf) -> None:
    (result,) = pooled.run(job_of(FILES))
    assert result.outcome is CompileOutcome.OK


def test_one_of_many_threads_claims_the_only_warm_container(
    pooled: DockerSandbox, engine: docker.DockerClient, service: str, job_of: JobOf
) -> None:
    for _ in range(5):
        pooled.pool.fill(service, MAINTAINER)
        claims: list[object] = []
        job = job_of(FILES)
        barrier = threading.Barrier(4)

        def claim() -> None:
            barrier.wait()  # noqa: B023
            if attached := pooled.pool.claim(job):  # noqa: B023
                claims.append(attached)  # noqa: B023
                attached.end().result()

        threads = [threading.Thread(target=claim) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(claims) == 1


def test_one_of_many_threads_fills_the_pool(
    pooled: DockerSandbox, engine: docker.DockerClient, service: str
) -> None:
    barrier = threading.Barrier(4)
    started: list[int] = []

    def fill() -> None:
        barrier.wait()
        started.append(pooled.pool.fill(service, MAINTAINER).started)

    threads = [threading.Thread(target=fill) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(started) == 1
    assert len(names(engine, service)) == 1


def test_processes_that_start_together_fill_the_pool_without_a_failure(
    pooled: DockerSandbox, python_image: str, engine: docker.DockerClient, service: str
) -> None:
    with filling_processes(python_image, service) as processes:
        assert_one_of_them_fills(processes, pooled.pool, engine, service, rounds=10)


def test_a_process_that_another_was_faster_than_leaves_its_container_alone(
    pooled: DockerSandbox, config: SandboxConfig, engine: docker.DockerClient, service: str
) -> None:
    """The other process fills the pool after this one has listed it and before it starts a container."""
    ids: list[str] = []
    client = pooled.engine.client()

    def fill(answer: Any, **_: object) -> None:
        if "/containers/json" in answer.request.path_url and not ids:
            other = threading.Thread(target=DockerSandbox(config).pool.fill, args=(service, "another"))
            other.start()
            other.join()
            ids.append(engine.api.inspect_container(names(engine, service)[0])["Id"])

    client.hooks["response"].append(fill)
    assert pooled.pool.fill(service, MAINTAINER) == Filled(started=0, ready=1, complaints=())
    wait_until(lambda: len(names(engine, service)) == 1, "the slower one's container removed")
    assert engine.api.inspect_container(names(engine, service)[0])["Id"] == ids[0]


def test_an_image_removed_while_the_pool_is_filled_is_unavailable(
    pooled: DockerSandbox, python_image: str, engine: docker.DockerClient, service: str
) -> None:
    pooled.image_digest(PYTHON)
    # The engine's recent answer, which is no longer true.
    pooled.engine._digests[python_image] = (time.monotonic(), "sha256:" + "0" * 64)
    with pytest.raises(SandboxUnavailable, match=r"image sha256:0+ or the container .* is retried"):
        pooled.pool.fill(service, MAINTAINER)
    assert names(engine, service) == []


def test_a_warm_container_that_ended_is_replaced_by_a_new_one(
    pooled: DockerSandbox, engine: docker.DockerClient, service: str, job_of: JobOf
) -> None:
    pooled.pool.fill(service, MAINTAINER)
    job = job_of(FILES)
    # It dies between the claim and the first byte.
    pooled.pool.on_claim = lambda: engine.api.kill(names(engine, service)[0])
    (result,) = pooled.run(job)
    assert result.outcome is CompileOutcome.OK


def test_a_warm_container_that_froze_is_replaced_by_a_new_one(
    pooled: DockerSandbox,
    engine: docker.DockerClient,
    service: str,
    job_of: JobOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("compilers.sandbox.session._GREETING_SECONDS", 1.0)
    pooled.pool.fill(service, MAINTAINER)
    pooled.pool.on_claim = lambda: engine.api.pause(names(engine, service)[0])
    (result,) = pooled.run(job_of(FILES))
    assert result.outcome is CompileOutcome.OK


def test_other_limits_or_images_have_other_slots_and_old_ones_go(
    pooled: DockerSandbox, config: SandboxConfig, engine: docker.DockerClient, service: str, job_of: JobOf
) -> None:
    pooled.pool.fill(service, MAINTAINER)
    (old,) = names(engine, service)
    changed = DockerSandbox(replace(config, limits=SandboxLimits(pids=60)))
    assert changed.pool.claim(job_of(FILES)) is None
    assert changed.pool.fill(service, MAINTAINER).started == 1
    (new,) = names(engine, service)
    assert new != old


def test_containers_of_another_maintainer_are_left_alone(
    pooled: DockerSandbox, config: SandboxConfig, engine: docker.DockerClient, service: str
) -> None:
    pooled.pool.fill(service, MAINTAINER)
    changed = DockerSandbox(replace(config, limits=SandboxLimits(pids=60)))
    changed.pool.fill(service, "another")
    assert len(names(engine, service)) == 2
    pooled.pool.clear(service, lambda maintainer: maintainer == "another")
    assert len(names(engine, service)) == 1


def test_orphans_of_a_lost_maintainer_are_swept_and_those_of_a_sync_kept(
    pooled: DockerSandbox, engine: docker.DockerClient, service: str, job_of: JobOf
) -> None:
    pooled.pool.fill(service, MAINTAINER)
    assert remove_orphans(pooled.engine, service, lambda owner: owner == MAINTAINER) == []
    claimed = pooled.pool.claim(job_of(FILES))
    assert claimed is not None
    requested: list[str] = []
    assert remove_orphans(pooled.engine, service, lambda owner: bool(requested.append(owner)) or True) == []
    assert requested == ["1"]  # the sync that claimed it is its owner now
    claimed.end().result()
    pooled.pool.fill(service, MAINTAINER)
    assert len(remove_orphans(pooled.engine, service, lambda _owner: False)) == 1


def test_a_pool_of_size_zero_starts_no_container(
    python_image: str, engine: docker.DockerClient, service: str
) -> None:
    sandbox = DockerSandbox(SandboxConfig(images={PYTHON: python_image}))
    assert sandbox.pool.fill(service, MAINTAINER).started == 0
    assert names(engine, service) == []


CLAIM_AND_WAIT = """
import sys, time
from compilers.sandbox.base import SandboxJob
from compilers.formats.python import PYTHON
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
sandbox = DockerSandbox(SandboxConfig(images={PYTHON: sys.argv[1]}, pool_size=1))
job = SandboxJob(PYTHON, [], [], None, labels=(("kiok.service", sys.argv[2]), ("kiok.sync", "7")))
assert sandbox.pool.claim(job)
print("claimed", flush=True)
time.sleep(60)
"""


def test_a_container_ends_with_the_process_that_claimed_it(
    pooled: DockerSandbox, engine: docker.DockerClient, service: str, python_image: str
) -> None:
    pooled.pool.fill(service, MAINTAINER)
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIM_AND_WAIT, python_image, service],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    process.kill()
    process.wait()
    until_gone(engine, service)


def test_a_large_job_is_shared_by_containers_and_gives_the_same(
    config: SandboxConfig, engine: docker.DockerClient, service: str, job_of: JobOf
) -> None:
    files = {
        f"d{n}.py": f"from kiok import Dag\nd = Dag('d{n}')\nd.task('t', 'shell', script='x')\n"
        for n in range(120)
    }
    files["d7.py"] = "raise SystemExit(3)\n"
    files["d8.py"] = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
    one = {result.path: replace(result, seconds=0) for result in DockerSandbox(config).run(job_of(files))}
    seen: set[str] = set()
    two = {}
    for result in DockerSandbox(replace(config, parallelism=2)).run(job_of(files)):
        seen |= set(names(engine, service))
        assert result.path not in two
        two[result.path] = replace(result, seconds=0)
    assert two == one
    assert len(seen) >= 2
