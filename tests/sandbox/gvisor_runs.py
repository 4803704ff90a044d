"""Compile attacks in gVisor. There is no Landlock, so each file has a container of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from compilers.formats import python
from compilers.formats.jar import JAVA
from compilers.sandbox.base import RawResult, SandboxJob
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.language import Language
from compilers.sandbox.limits import SandboxLimits
from tests.sandbox import jar_attacks, python_attacks
from tests.sandbox.attacks import JARS, PYTHON, Attack
from tests.sandbox.gvisor_service import RUNTIME
from tests.support.trees import MemoryTree

# gVisor's own threads count too: 27 of them in an idle container.
PROCESSES = 1024
_ATTACKS_PER_INNOCENT_FILE = 8


def is_jar(attack: Attack) -> bool:
    """Return whether the attack is a jar, and not a Python file."""
    return JARS in attack.path.parents


def path_of(attack: Attack) -> str:
    """Return the path of an attack in its tree."""
    return jar_attacks.path_of(attack) if is_jar(attack) else python_attacks.path_of(attack)


def config_for(url: str, images: Mapping[Language, str]) -> SandboxConfig:
    """Return the configuration that docs/operate/sandbox.md states for gVisor."""
    limits = SandboxLimits(
        pids=PROCESSES,
        file_timeout_seconds=python_attacks.LIMIT_SECONDS,
        jar_timeout_seconds=jar_attacks.LIMIT_SECONDS,
    )
    return SandboxConfig(images=images, limits=limits, engine_url=url, runtime=RUNTIME, require_limits=False)


def run_python(config: SandboxConfig, hostile: Sequence[Attack]) -> dict[str, RawResult]:
    """Compile Python files as one commit for each time limit, with innocent files where the limit is the longest."""
    results: dict[str, RawResult] = {}
    config = replace(config, limits=replace(config.limits, memory_bytes=python_attacks.MEMORY_BYTES))
    with ThreadPoolExecutor(2) as threads:
        runs = []
        for limit, some in _by_limit(hostile, python_attacks.LIMIT_SECONDS).items():
            files = {path_of(attack): attack.path.read_bytes() for attack in some}
            if limit == python_attacks.LIMIT_SECONDS:
                files = _with_innocent(files, (PYTHON / "_innocent.py").read_bytes())
            limited = replace(config, limits=replace(config.limits, file_timeout_seconds=limit))
            runs.append(threads.submit(_run, python.PYTHON, limited, files, python_attacks.UNCOMPILED))
        for run in runs:
            results |= run.result()
    return results


def run_jars(
    config: SandboxConfig, hostile: Sequence[Attack], classes: jar_attacks.Classes
) -> dict[str, RawResult]:
    """Compile jars as one commit for each time limit."""
    results: dict[str, RawResult] = {}
    others = jar_attacks.uncompiled(classes)
    for limit, some in _by_limit(hostile, jar_attacks.LIMIT_SECONDS).items():
        jars = {path_of(attack): jar_attacks.jar_of(attack, classes) for attack in some}
        limited = replace(config, limits=replace(config.limits, jar_timeout_seconds=limit))
        results |= _run(JAVA, limited, jars, others)
    return results


def _by_limit(hostile: Sequence[Attack], default: float) -> dict[float, list[Attack]]:
    found: dict[float, list[Attack]] = {}
    for attack in hostile:
        found.setdefault(attack.limit or default, []).append(attack)
    return found


def _with_innocent(hostile: Mapping[str, bytes], innocent: bytes) -> dict[str, bytes]:
    """Return the files with innocent ones before, between and after them."""
    files = {}
    for at, (path, content) in enumerate(hostile.items()):
        if at % _ATTACKS_PER_INNOCENT_FILE == 0:
            files[f"innocent_{at:03}.py"] = innocent
        files[path] = content
    return {**files, "innocent_last.py": innocent}


def _run(
    language: Language, config: SandboxConfig, files: Mapping[str, bytes], others: Mapping[str, bytes]
) -> dict[str, RawResult]:
    tree = MemoryTree({**files, **others})
    job = SandboxJob(language=language, files=list(files), entries=tree.entries, tree=tree)
    return {result.path: result for result in DockerSandbox(config).run(job)}
