"""Hostile tars, sent to the driver as the host would never send them: tests/sandbox/attacks/tars.

The host refuses such trees itself before a container starts; both refusals are tested.
"""

from __future__ import annotations

import re
import runpy
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import docker
import pytest

from compilers.formats.python import PYTHON
from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob
from compilers.sandbox.config import LABEL_SERVICE, SandboxConfig
from compilers.sandbox.container import start_container
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.engine import Engine
from compilers.sandbox.exchange import Exchange, ResponseLost
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.protocol import (
    STAGE_REQUEST,
    CompileRequest,
    FatalFrame,
    ResponseParser,
    ResultFrame,
    chunk,
)
from compilers.sandbox.source_tar import TreeRefused, measure, tar_stream
from tests.sandbox.attacks import TARS, Attack, attacks
from tests.sandbox.leftovers import watched
from tests.support.trees import MemoryTree

ATTACKS = attacks(TARS)
LIMIT_SECONDS = 300.0  # for a driver that would never answer
DAG = "from kiok import Dag\nDag('innocent').task('t', script='true')\ndag = Dag('a')\ndag.task('t', script='x')\n"


@dataclass(frozen=True)
class Siege:
    """The driver's response to each tar, the other repository's results in the same time, and the remains on the host."""

    answers: Mapping[str, FatalFrame | ResultFrame | ResponseLost | None]
    elsewhere: list[RawResult]
    containers: int
    left: list[str]


@pytest.fixture(scope="module")
def config(python_image: str) -> SandboxConfig:
    return SandboxConfig(images={PYTHON: python_image})


@pytest.fixture(scope="module")
def siege(config: SandboxConfig) -> Siege:
    """Run one container per tar, two in parallel, with innocent files next to them."""
    service = f"test-{secrets.token_hex(8)}"

    def besiege(attack: Attack) -> FatalFrame | ResultFrame | ResponseLost | None:
        return _answer(config, service, runpy.run_path(str(attack.path)))

    over = threading.Event()
    elsewhere: list[RawResult] = []

    def innocent() -> None:
        tree = MemoryTree({"a.py": DAG})
        while not over.wait(0.5):
            elsewhere.extend(DockerSandbox(config).run(SandboxJob(PYTHON, ["a.py"], tree.entries, tree)))

    client = docker.from_env()
    with watched(client, f"{LABEL_SERVICE}={service}") as watch, ThreadPoolExecutor(3) as threads:
        answer = threads.submit(innocent)
        try:
            answers = list(threads.map(besiege, ATTACKS))
        finally:
            over.set()
        answer.result()
    left = watch.left()
    client.close()
    names = [attack.name for attack in ATTACKS]
    return Siege(dict(zip(names, answers, strict=True)), elsewhere, len(watch.seen), left)


def _answer(
    config: SandboxConfig, service: str, recipe: Mapping[str, Any]
) -> FatalFrame | ResultFrame | ResponseLost | None:
    """Return the first frame after hello, or how the container was lost."""
    job = SandboxJob(PYTHON, ["a"], [], MemoryTree({}), labels=((LABEL_SERVICE, service),))
    container = start_container(Engine(config), config, job)
    exchange = Exchange(
        container.connection,
        _request(recipe),
        ResponseParser(["a"], max_payload_bytes=1 << 20, max_output_bytes=1000),
        until=time.monotonic() + LIMIT_SECONDS,
        max_bytes=1 << 20,
    )
    try:
        return next(exchange.frames(), None)
    except ResponseLost as exc:
        return exc
    finally:
        container.end()


def _request(recipe: Mapping[str, Any]) -> Iterator[bytes]:
    """Return the request of a host that vets nothing."""
    yield CompileRequest(
        language="python",
        files=("a",),
        import_roots=("",),
        entries=recipe.get("FILES", 1),
        total_bytes=recipe.get("BYTES", 0),
        file_timeout_seconds=5.0,
        deadline_seconds=5.0,
        max_payload_bytes=1 << 20,
        max_output_bytes=1000,
        max_memory_bytes=256 << 20,
        max_file_bytes=64 << 20,
        max_open_files=256,
        max_cpu_seconds=5,
    ).to_bytes()
    tar = recipe["TAR"]
    for start in range(0, len(tar), 1 << 18):
        yield chunk(tar[start : start + (1 << 18)])
    yield chunk(b"")


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_the_driver_refuses_a_hostile_tar(siege: Siege, attack: Attack) -> None:
    answer = siege.answers[attack.name]

    assert isinstance(answer, FatalFrame), answer
    assert answer.stage == STAGE_REQUEST
    assert re.search(attack.expect, answer.message), answer.message


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.host], ids=str)
def test_the_host_refuses_to_send_a_hostile_tar(attack: Attack) -> None:
    recipe = runpy.run_path(str(attack.path))

    def send() -> list[bytes]:
        measure(recipe["ENTRIES"], SandboxLimits())
        return list(tar_stream(MemoryTree(recipe["CONTENTS"]), recipe["ENTRIES"]))

    with pytest.raises(TreeRefused, match=attack.host):
        send()


def test_every_tar_that_git_can_produce_has_an_answer_of_the_host() -> None:
    for attack in ATTACKS:
        assert ("ENTRIES" in runpy.run_path(str(attack.path))) is bool(attack.host), attack.name


def test_another_repository_compiles_while_hostile_tars_come_in(siege: Siege) -> None:
    assert siege.elsewhere
    for result in siege.elsewhere:
        assert (result.outcome, result.payload) == (CompileOutcome.OK, siege.elsewhere[0].payload), result


def test_nothing_of_the_containers_of_hostile_tars_is_left(siege: Siege) -> None:
    assert siege.containers == len(ATTACKS)
    assert siege.left == []
