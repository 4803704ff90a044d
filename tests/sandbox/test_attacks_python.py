"""Hostile Python files, each compiled between innocent ones: tests/sandbox/attacks/python."""

from __future__ import annotations

import pytest

from compilers.formats import python
from compilers.result import FileStatus, result_of_raw
from compilers.source import DiscoveredFile
from kiok.compiled import decode
from tests.sandbox.attack_runs import Battle, contained, without_path_and_time
from tests.sandbox.attacks import PYTHON, Attack, attacks
from tests.sandbox.python_attacks import GRACE_SECONDS, LIMIT_SECONDS, battle_of_python, path_of

ATTACKS = attacks(PYTHON)


@pytest.fixture(scope="module")
def battle(python_image: str) -> Battle:
    return battle_of_python(python_image, ATTACKS)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_a_hostile_python_file_is_contained(battle: Battle, attack: Attack) -> None:
    contained(
        battle,
        python.PYTHON,
        attack,
        path_of(attack),
        limit_seconds=LIMIT_SECONDS,
        grace_seconds=GRACE_SECONDS,
    )


def test_the_innocent_python_files_compile_undisturbed(battle: Battle) -> None:
    for path, raw in battle.undisturbed.items():
        result, _ = result_of_raw(DiscoveredFile(path, "python", "", 0), raw, text=None, image="")
        assert (result.status, result.diagnostics) == (FileStatus.COMPILED, ()), raw
        assert [dag.id for dag in decode(raw.payload).dags] == ["innocent"]


def test_every_file_between_the_hostile_ones_compiles_to_the_same_bytes(battle: Battle) -> None:
    for crowd in battle.crowds:
        for path in crowd.order[::2]:
            assert without_path_and_time(crowd.results[path]) == battle.undisturbed_file()


def test_concurrent_files_of_another_repository_compile_alike(battle: Battle) -> None:
    assert battle.elsewhere
    for results in battle.elsewhere:
        for raw in results.values():
            assert without_path_and_time(raw) == battle.undisturbed_file()


def test_one_container_outlives_every_hostile_python_file_it_is_given(battle: Battle) -> None:
    assert [crowd.containers for crowd in battle.crowds] == [1] * len(battle.crowds)


def test_no_container_process_memory_mount_or_file_of_the_hostile_is_left(battle: Battle) -> None:
    assert [crowd.left for crowd in battle.crowds] == [[]] * len(battle.crowds)
