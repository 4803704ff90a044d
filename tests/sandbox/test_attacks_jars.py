"""Hostile jars, each compiled between innocent ones: tests/sandbox/attacks/jars.

A `.java` file is a DAG class; its jar also contains a good class, which must compile regardless. A `.py` file makes
the bytes of a jar from the classes that it requests.
"""

from __future__ import annotations

import pytest

from compilers.formats.jar import JAVA
from compilers.result import FileStatus, result_of_raw
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.limits import SandboxLimits
from compilers.source import DiscoveredFile
from kiok.compiled import decode
from tests.sandbox.attack_runs import Battle, Crowd, contained, fight, without_path_and_time
from tests.sandbox.attacks import JARS, Attack, attacks
from tests.sandbox.jar_attacks import LIMIT_SECONDS, compiled_classes, jar_of, path_of, uncompiled
from tests.sandbox.jar_runs import zipped

ATTACKS = attacks(JARS)
GRACE_SECONDS = 60.0


@pytest.fixture(scope="module")
def battle(java_image: str, java_builder_image: str) -> Battle:
    classes = compiled_classes(java_builder_image)
    crowds = []
    for limit in sorted({attack.limit or LIMIT_SECONDS for attack in ATTACKS}):
        hostile = [attack for attack in ATTACKS if (attack.limit or LIMIT_SECONDS) == limit]
        innocent = {f"innocent_{at:04}.jar": zipped(classes("Innocent")) for at in range(len(hostile) + 1)}
        config = SandboxConfig(images={JAVA: java_image}, limits=SandboxLimits(jar_timeout_seconds=limit))
        jars = {path_of(attack): jar_of(attack, classes) for attack in hostile}
        crowds.append(Crowd(config, hostile=jars, innocent=innocent, uncompiled=uncompiled(classes)))
    return fight(JAVA, crowds, pause_seconds=5)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_a_hostile_jar_is_contained(battle: Battle, attack: Attack) -> None:
    result = contained(
        battle, JAVA, attack, path_of(attack), limit_seconds=LIMIT_SECONDS, grace_seconds=GRACE_SECONDS
    )
    if attack.spares != "nothing":
        assert "sound" in [dag.id for dag in result.dags]


def test_the_innocent_jars_compile_undisturbed(battle: Battle) -> None:
    for path, raw in battle.undisturbed.items():
        result, _ = result_of_raw(DiscoveredFile(path, "jar", "", 0), raw, text=None, image="")
        assert (result.status, result.diagnostics) == (FileStatus.COMPILED, ()), raw
        assert [dag.id for dag in decode(raw.payload).dags] == ["innocent"]


def test_every_jar_between_the_hostile_ones_compiles_to_the_same_bytes(battle: Battle) -> None:
    for crowd in battle.crowds:
        for path in crowd.order[::2]:
            assert without_path_and_time(crowd.results[path]) == battle.undisturbed_file()


def test_concurrent_jars_of_another_repository_compile_to_the_same_bytes(battle: Battle) -> None:
    assert battle.elsewhere
    for results in battle.elsewhere:
        for raw in results.values():
            assert without_path_and_time(raw) == battle.undisturbed_file()


def test_one_container_outlives_every_hostile_jar_it_is_given(battle: Battle) -> None:
    assert [crowd.containers for crowd in battle.crowds] == [1] * len(battle.crowds)


def test_hostile_jars_leave_no_container_process_mount_or_file(battle: Battle) -> None:
    assert [crowd.left for crowd in battle.crowds] == [[]] * len(battle.crowds)
