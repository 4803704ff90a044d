"""The system calls that the sandbox's containers may make: a list with reasons."""

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


def test_what_is_not_listed_is_refused() -> None:
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {group["action"] for group in GROUPS} == {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"}
    assert all(group["errnoRet"] > 0 for group in GROUPS if group["action"] == "SCMP_ACT_ERRNO")


def test_no_calls_of_other_architectures_get_in_by_the_side_door() -> None:
    """Calls of 32-bit programs on x86-64 have the same numbers with other meanings."""
    assert PROFILE["archMap"] == [
        {"architecture": f"SCMP_ARCH_{name}", "subArchitectures": []} for name in ("X86_64", "AARCH64")
    ]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["names"][0])
def test_every_group_says_why_it_is_there_in_a_sentence(group: dict[str, str]) -> None:
    assert group["comment"].endswith(".")
    assert len(group["comment"]) > 20
    assert list(group["names"]) == sorted(group["names"])


def test_a_call_has_one_group_unless_its_arguments_tell_them_apart() -> None:
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
def test_no_call_of_a_family_that_nobody_needs_is_allowed(start: str) -> None:
    assert not {name for name in ALLOWED if name.startswith(start)}


def test_calls_that_depend_on_their_arguments_are_never_allowed_without() -> None:
    for name in ("clone", "ioctl", "mknod", "mknodat", "prctl", "prlimit64", "socketpair"):
        assert all(group.get("args") for group in GROUPS if name in group["names"]), name


def test_a_sandbox_has_the_profile_unless_told_otherwise_and_the_package_carries_it() -> None:
    assert SandboxConfig().seccomp_profile == seccomp_profile()
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "seccomp.json" in packaged["compilers.sandbox"]
