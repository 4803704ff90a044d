"""Compile hostile files between innocent ones, while innocent files of another repository are compiled in parallel."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import docker

from compilers.result import FileResult, result_of_raw
from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob
from compilers.sandbox.config import LABEL_REPOSITORY, LABEL_SERVICE, SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.language import Language
from compilers.source import DiscoveredFile
from tests.sandbox.attacks import Attack
from tests.sandbox.leftovers import watched
from tests.support.trees import MemoryTree

Results = dict[str, RawResult]


@dataclass(frozen=True)
class Crowd:
    """The files of one container: hostile ones, and one more innocent file than hostile ones to separate them.

    `uncompiled` is in the tree but not compiled.
    """

    config: SandboxConfig
    hostile: Mapping[str, bytes]
    innocent: Mapping[str, bytes]
    uncompiled: Mapping[str, bytes]

    def order(self) -> list[str]:
        """Return the paths in the order innocent, hostile, innocent, hostile, ..., innocent."""
        innocent = list(self.innocent)
        around = [path for pair in zip(innocent, self.hostile, strict=False) for path in pair]
        return [*around, innocent[len(self.hostile)]]


@dataclass(frozen=True)
class Aftermath:
    """The outcome of a crowd: its results, the number of its containers, and their remains on the host."""

    order: Sequence[str]
    results: Results
    containers: int
    left: Sequence[str]

    def neighbours(self, path: str) -> list[RawResult]:
        """Return the innocent files before and after a hostile one."""
        at = self.order.index(path)
        return [self.results[self.order[at - 1]], self.results[self.order[at + 1]]]


@dataclass(frozen=True)
class Battle:
    """The outcome of all runs: undisturbed innocent files, the crowds, and innocent files in parallel with them."""

    undisturbed: Results
    crowds: Sequence[Aftermath]
    elsewhere: Sequence[Results]

    def crowd_of(self, path: str) -> Aftermath:
        """Return the crowd of a file."""
        return next(crowd for crowd in self.crowds if path in crowd.results)

    def undisturbed_file(self) -> RawResult:
        """Return the result that every innocent file must have."""
        return without_path_and_time(next(iter(self.undisturbed.values())))


def contained(
    battle: Battle,
    language: Language,
    attack: Attack,
    path: str,
    *,
    limit_seconds: float,
    grace_seconds: float,
) -> FileResult:
    """Assert that the attack at `path` had the outcome in its header, in time, without harm to its neighbours. Return it."""
    crowd = battle.crowd_of(path)
    raw = crowd.results[path]
    result, _ = result_of_raw(DiscoveredFile(path, language.name, "", 0), raw, text=None, image="")
    error = "\n".join(diagnostic.message for diagnostic in result.diagnostics)
    assert raw.outcome is not CompileOutcome.LOST, raw
    assert result.status is attack.outcome, (error, raw)
    assert re.search(attack.expect, error, re.DOTALL), (error, raw.output)
    assert re.search(attack.prints, raw.output, re.DOTALL), raw.output
    assert {diagnostic.path for diagnostic in result.diagnostics} <= {path}
    assert raw.seconds < (attack.limit or limit_seconds) + grace_seconds
    for sibling in crowd.neighbours(path):
        assert without_path_and_time(sibling) == battle.undisturbed_file()
    return result


def without_path_and_time(result: RawResult) -> RawResult:
    """Return a result without its path and duration: equal for all innocent files, which are copies."""
    return replace(result, path="", seconds=0.0)


def fight(language: Language, crowds: Sequence[Crowd], *, pause_seconds: float) -> Battle:
    """Run innocent files alone first, then all crowds in parallel, and another repository repeatedly next to them."""
    config, uncompiled = crowds[0].config, crowds[0].uncompiled
    few = dict(list(crowds[0].innocent.items())[:2])
    undisturbed = _run(language, config, few, uncompiled, list(few), "undisturbed")
    over = threading.Event()
    runs: list[Results] = []

    def again_and_again() -> None:
        while not over.wait(pause_seconds):
            runs.append(_run(language, config, few, uncompiled, list(few), "elsewhere"))

    with ThreadPoolExecutor(len(crowds) + 1) as threads:
        other = threads.submit(again_and_again)
        try:
            fought = list(threads.map(lambda crowd: _aftermath(language, crowd), crowds))
        finally:
            over.set()
        other.result()
    return Battle(undisturbed, fought, runs)


def _aftermath(language: Language, crowd: Crowd) -> Aftermath:
    """Run a crowd in a warm container, as a service does; the undisturbed files ran in a new one."""
    service = f"test-{secrets.token_hex(8)}"
    files = {**crowd.innocent, **crowd.hostile}
    order = crowd.order()
    client = docker.from_env()
    try:
        with watched(client, f"{LABEL_SERVICE}={service}") as watch:
            config = replace(crowd.config, pool_size=1)
            DockerSandbox(config).pool.fill(service, "maintainer", [language])
            results = _run(language, config, files, crowd.uncompiled, order, "hostile", service=service)
        return Aftermath(order, results, len(watch.seen), watch.left())
    finally:
        client.close()


def _run(
    language: Language,
    config: SandboxConfig,
    files: Mapping[str, bytes],
    uncompiled: Mapping[str, bytes],
    order: Sequence[str],
    repository: str,
    *,
    service: str = "test",
) -> Results:
    tree = MemoryTree({**files, **uncompiled})
    labels = ((LABEL_SERVICE, service), (LABEL_REPOSITORY, repository))
    job = SandboxJob(language=language, files=order, entries=tree.entries, tree=tree, labels=labels)
    results = {result.path: result for result in DockerSandbox(config).run(job)}
    assert list(results) == list(order)
    return results
