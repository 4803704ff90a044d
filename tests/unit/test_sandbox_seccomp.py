"""The allowed system calls of the sandbox's containers."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from compilers.sandbox.config import SandboxConfig, seccomp_profile

PROFILE = json.loads(seccomp_profile())
GROUPS = PROFILE["syscalls"]
ALLOWED = {name for group in GROUPS if group["action"] == "SCMP_ACT_ALLOW" for name in group["names"]}
ROOT = Path(__file__).resolve().parents[2]


def test_unlisted_calls_are_refused() -> None:
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {group["action"] for group in GROUPS} == {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"}
    assert all(group["errnoRet"] > 0 for group in GROUPS if group["action"] == "SCMP_ACT_ERRNO")


def test_calls_of_other_architectures_are_refused() -> None:
    """Calls of 32-bit programs on x86-64 have the same numbers with other meanings."""
    assert PROFILE["archMap"] == [
        {"architecture": f"SCMP_ARCH_{name}", "subArchitectures": []} for name in ("X86_64", "AARCH64")
    ]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["names"][0])
def test_every_group_has_a_reason(group: dict[str, str]) -> None:
    assert group["comment"].endswith(".")
    assert len(group["comment"]) > 20
    assert list(group["names"]) == sorted(group["names"])


def test_call_is_in_one_group_unless_its_arguments_differ() -> None:
    counts = Counter(name for group in GROUPS for name in group["names"])
    repeated = {name for name, count in counts.items() if count > 1}
    assert repeated == {"ioctl", "prctl"}
    assert all(group.get("args") for group in GROUPS if repeated & set(group["names"]))


@pytest.mark.parametrize(
    "start",
    [
        "io_uring",
        "process_",
        "mq_",
        "shm",
        "sem",
        "msg",
        "memfd",
        "mount",
        "pkey",
        "key",
        "sched_set",
        "set_m",
    ],
)
def test_unneeded_families_of_calls_are_refused(start: str) -> None:
    assert not {name for name in ALLOWED if name.startswith(start)}


def test_calls_with_conditions_are_never_allowed_without_them() -> None:
    for name in ("clone", "ioctl", "mknod", "mknodat", "prctl", "prlimit64", "socketpair"):
        assert all(group.get("args") for group in GROUPS if name in group["names"]), name


def test_sandbox_has_the_packaged_profile_by_default() -> None:
    assert SandboxConfig().seccomp_profile == seccomp_profile()
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "seccomp.json" in packaged["compilers.sandbox"]
