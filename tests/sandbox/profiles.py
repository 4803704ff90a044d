"""Seccomp profiles other than the sandbox's own."""

from __future__ import annotations

import errno
import json

from compilers.sandbox.config import seccomp_profile


def without_landlock() -> str:
    """Return the sandbox's profile, in which Landlock's calls answer like a kernel without Landlock."""
    profile = json.loads(seccomp_profile())
    for group in profile["syscalls"]:
        if "landlock_create_ruleset" in group["names"]:
            group |= {"action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS}
    return json.dumps(profile)


def without_pidfd_open() -> str:
    """Return the sandbox's profile, in which pidfd_open answers like a kernel without it."""
    profile = json.loads(seccomp_profile())
    for group in profile["syscalls"]:
        if "pidfd_open" in group["names"]:
            group["names"].remove("pidfd_open")
    profile["syscalls"].append(
        {"names": ["pidfd_open"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS}
    )
    return json.dumps(profile)
