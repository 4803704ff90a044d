"""Processes that fill the pool of one service at the same moment."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import docker

from compilers.sandbox.config import LABEL_SERVICE
from compilers.sandbox.pool import Pool
from tests.support.waiting import wait_until

Processes = Sequence["subprocess.Popen[str]"]

FILL_ON_REQUEST = """
import logging, sys, time
from compilers.formats.python import PYTHON
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
image, service, maintainer = sys.argv[1:]
logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="logged: %(message)s")
sandbox = DockerSandbox(SandboxConfig(images={PYTHON: image}, pool_size=1))
pool, pauses = sandbox.pool, []

def pause(answer, **_):
    # As on a busy machine, time passes between what was listed and what is done about it.
    if "/containers/json" in answer.request.path_url and pauses:
        time.sleep(pauses.pop())

sandbox.engine.client().hooks["response"].append(pause)
print("up", flush=True)
for line in sys.stdin:
    pauses.append(float(line))
    try:
        filled = pool.fill(service, maintainer)
        print(filled.started, filled.ready, flush=True)
    except Exception as exc:
        print(f"failed: {exc}", flush=True)
"""


def names(engine: docker.DockerClient, service: str) -> list[str]:
    """Return the names of the containers of a service, sorted."""
    found = engine.api.containers(all=True, filters={"label": f"{LABEL_SERVICE}={service}"})
    return sorted(item["Names"][0].lstrip("/") for item in found)


def until_gone(engine: docker.DockerClient, service: str) -> None:
    """Wait until the service has no container."""
    wait_until(lambda: not names(engine, service), lambda: f"all gone; left: {names(engine, service)}")


@contextmanager
def filling_processes(image: str, service: str) -> Iterator[Processes]:
    """Start four processes that fill the pool whenever a line is written to them, and answer with the outcome.

    The line is the number of seconds between listing the containers and starting one.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FILL_ON_REQUEST, image, service, f"maintainer-{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        for number in range(4)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def assert_one_of_them_fills(
    processes: Processes, pool: Pool, engine: docker.DockerClient, service: str, *, rounds: int
) -> None:
    """Make the processes fill the empty pool together, repeatedly: one container each time, and no failure."""
    assert [_answer(process) for process in processes] == ["up"] * len(processes)
    chance = random.Random(1)
    for number in range(rounds):
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(f"{chance.random()}\n")
            process.stdin.flush()
        answers = [_answer(process) for process in processes]
        counts = [tuple(map(int, answer.split())) for answer in answers if answer[:1].isdecimal()]
        assert len(counts) == len(processes), (number, answers)
        assert sum(started for started, _ in counts) == 1, (number, answers)
        wait_until(lambda: len(names(engine, service)) == 1, "the containers of the slower ones removed")
        assert not names(engine, service)[0].endswith("-making")
        pool.clear(service)
        until_gone(engine, service)


def _answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
