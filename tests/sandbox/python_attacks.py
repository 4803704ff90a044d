"""Hostile Python files, each between innocent ones, on the engine that DOCKER_HOST names."""

from __future__ import annotations

from collections.abc import Sequence

from compilers.formats import python
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.limits import SandboxLimits
from tests.sandbox.attack_runs import Battle, Crowd, fight
from tests.sandbox.attacks import PYTHON, Attack

# For files that do not hang: never reached. A busy machine slows the forked memory bomb most.
LIMIT_SECONDS = 20.0
# Half of the default: the duration of memory bombs grows with the limit.
MEMORY_BYTES = 256 << 20
# Extra time beyond a file's time limit for killing and collecting on a busy machine.
GRACE_SECONDS = 60.0
UNCOMPILED = {
    "shared.py": b"GREETING = 'hello'\n",
    "_kernel.py": (PYTHON / "_kernel.py").read_bytes(),
}


def path_of(attack: Attack) -> str:
    """Return the path of an attack in its tree."""
    return f"{attack.name}.py"


def _crowd(image: str, hostile: list[Attack], limit: float) -> Crowd:
    innocent = (PYTHON / "_innocent.py").read_bytes()
    return Crowd(
        config=SandboxConfig(
            images={python.PYTHON: image},
            limits=SandboxLimits(file_timeout_seconds=limit, memory_bytes=MEMORY_BYTES),
        ),
        hostile={path_of(attack): attack.path.read_bytes() for attack in hostile},
        innocent={f"innocent_{at:04}.py": innocent for at in range(len(hostile) + 1)},
        uncompiled=UNCOMPILED,
    )


def battle_of_python(python_image: str, hostile: Sequence[Attack]) -> Battle:
    """Run the attacks. Those that end only by timeout are split over two containers, because each takes its limit."""
    quick = [attack for attack in hostile if attack.limit is None]
    crowds = [_crowd(python_image, quick, LIMIT_SECONDS)]
    for limit in sorted({attack.limit for attack in hostile if attack.limit is not None}):
        slow = [attack for attack in hostile if attack.limit == limit]
        crowds += [_crowd(python_image, half, limit) for half in (slow[::2], slow[1::2]) if half]
    return fight(python.PYTHON, crowds, pause_seconds=2)
