"""The driver's reading of its limits from control group trees as containers see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from compilers.images.driver.control_groups import missing_limits

MEMORY, PROCESSES = 512 << 20, 64
# As a container of Docker 20.10 shows them on version 1, and as the kernel's documentation has them on version 2.
VERSION_1 = {
    "memory/memory.limit_in_bytes": "536870912\n",
    "memory/memory.usage_in_bytes": "11407360\n",
    "pids/pids.max": "64\n",
    "pids/pids.current": "2\n",
}
VERSION_2 = {
    "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
    "memory.max": "536870912\n",
    "memory.swap.max": "0\n",
    "pids.max": "64\n",
}


def tree(root: Path, files: dict[str, str | None]) -> str:
    for name, text in files.items():
        if text is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    return str(root)


@pytest.mark.parametrize("files", [VERSION_1, VERSION_2], ids=["version 1", "version 2"])
def test_effective_limits_are_not_missing(tmp_path: Path, files: dict[str, str | None]) -> None:
    assert missing_limits(MEMORY, PROCESSES, tree(tmp_path, files)) == []


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        # A rootless engine on version 1: the figures of the whole machine.
        (
            {**VERSION_1, "memory/memory.limit_in_bytes": "9223372036854771712\n", "pids/pids.max": "max\n"},
            [
                "memory (memory/memory.limit_in_bytes: 9223372036854771712, required: 536870912)",
                "processes (pids/pids.max: max, required: 64)",
            ],
        ),
        (
            {**VERSION_1, "pids/pids.max": None},
            ["processes (pids/pids.max: no such file or directory, required: 64)"],
        ),
        ({**VERSION_2, "memory.max": "max\n"}, ["memory (memory.max: max, required: 536870912)"]),
        # A controller that was not delegated has no file.
        ({**VERSION_2, "pids.max": None}, ["processes (pids.max: no such file or directory, required: 64)"]),
        ({**VERSION_2, "memory.max": "536870913\n"}, ["memory (memory.max: 536870913, required: 536870912)"]),
        ({**VERSION_2, "pids.max": ""}, ["processes (pids.max: empty, required: 64)"]),
    ],
    ids=[
        "rootless on 1",
        "no pids on 1",
        "no memory on 2",
        "not delegated on 2",
        "more than wanted",
        "empty",
    ],
)
def test_ineffective_limits_are_named_with_the_found_values(
    tmp_path: Path, files: dict[str, str | None], missing: list[str]
) -> None:
    assert missing_limits(MEMORY, PROCESSES, tree(tmp_path, files)) == missing


def test_container_without_control_groups_has_no_limit() -> None:
    assert missing_limits(MEMORY, PROCESSES, "/nonexistent") == [
        "memory (memory/memory.limit_in_bytes: no such file or directory, required: 536870912)",
        "processes (pids/pids.max: no such file or directory, required: 64)",
    ]


def test_limits_that_are_not_requested_are_not_missing() -> None:
    assert missing_limits(0, 0, "/nonexistent") == []
