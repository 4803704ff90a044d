"""Hostile Python files, each compiled between innocent ones: tests/sandbox/attacks/python."""

from __future__ import annotations

import pytest

from compilers.base import FileStatus, Kind, Source
from compilers.results import result_of_raw
from compilers.sandbox import SandboxConfig, SandboxLimits
from kiok.compiled import decode
from tests.sandbox.attack_runs import Battle, Crowd, contained, fight, said
from tests.sandbox.attacks import PYTHON, Attack, attacks

ATTACKS = attacks(PYTHON)
# For the files that do not hang: never reached. A busy machine slows the forked memory bomb most.
LIMIT_SECONDS = 20.0
# Half of the default: memory bombs take time by the megabyte.
MEMORY_BYTES = 256 << 20
# What killing, collecting and a busy machine may take beyond a file's time limit.
GRACE_SECONDS = 60.0
BESIDE = {
    "shared.py": b"GREETING = 'hello'\n",
    "_kernel.py": (PYTHON / "_kernel.py").read_bytes(),
}


def _path(attack: Attack) -> str:
    return f"{attack.name}.py"


def _crowd(image: str, hostile: list[Attack], limit: float) -> Crowd:
    innocent = (PYTHON / "_innocent.py").read_bytes()
    return Crowd(
        config=SandboxConfig(
            images={Kind.PYTHON: image},
            limits=SandboxLimits(file_timeout_seconds=limit, memory_bytes=MEMORY_BYTES),
        ),
        hostile={_path(attack): attack.path.read_bytes() for attack in hostile},
        innocent={f"innocent_{at:04}.py": innocent for at in range(len(hostile) + 1)},
        beside=BESIDE,
    )


@pytest.fixture(scope="module")
def battle(python_image: str) -> Battle:
    """Those that time must end are shared out over two containers, since each takes its limit."""
    quick = [attack for attack in ATTACKS if attack.limit is None]
    crowds = [_crowd(python_image, quick, LIMIT_SECONDS)]
    for limit in sorted({attack.limit for attack in ATTACKS if attack.limit is not None}):
        slow = [attack for attack in ATTACKS if attack.limit == limit]
        crowds += [_crowd(python_image, half, limit) for half in (slow[::2], slow[1::2]) if half]
    return fight(Kind.PYTHON, crowds, pause_seconds=0.5)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_a_hostile_python_file_is_contained(battle: Battle, attack: Attack) -> None:
    contained(
        battle, Kind.PYTHON, attack, _path(attack), limit_seconds=LIMIT_SECONDS, grace_seconds=GRACE_SECONDS
    )


def test_the_innocent_python_files_compile_undisturbed(battle: Battle) -> None:
    for path, raw in battle.undisturbed.items():
        result, _ = result_of_raw(Source(path, Kind.PYTHON, "", 0), raw, text=None, image="")
        assert (result.status, result.diagnostics) == (FileStatus.COMPILED, ()), raw
        assert [dag.id for dag in decode(raw.payload).dags] == ["innocent"]


def test_every_file_between_the_hostile_ones_compiles_to_the_same_bytes(battle: Battle) -> None:
    for crowd in battle.crowds:
        for path in crowd.order[::2]:
            assert said(crowd.results[path]) == battle.undisturbed_file()


def test_another_repositorys_files_compile_to_the_same_bytes_meanwhile(battle: Battle) -> None:
    assert battle.elsewhere
    for results in battle.elsewhere:
        for raw in results.values():
            assert said(raw) == battle.undisturbed_file()


def test_one_container_outlives_every_hostile_python_file_it_is_given(battle: Battle) -> None:
    assert [crowd.containers for crowd in battle.crowds] == [1] * len(battle.crowds)


def test_no_container_process_memory_mount_or_file_of_the_hostile_is_left(battle: Battle) -> None:
    assert [crowd.left for crowd in battle.crowds] == [[]] * len(battle.crowds)
