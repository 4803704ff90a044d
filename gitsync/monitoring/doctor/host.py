"""This machine: git, space on its disks."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gitsync.git.client import MINIMUM_GIT_VERSION
from gitsync.git.errors import GitError
from gitsync.models import Repository, Verify
from gitsync.monitoring.doctor.finding import Check, CheckResult, fail, ok, warn
from gitsync.remedies import REMEDIES
from gitsync.sync import remote
from kiok.cluster.conf import properties

_MIB = 2**20
FAIL_BYTES = 16 * _MIB
"""With less, not even small repositories sync."""
WARN_TEMPORARY_BYTES = 64 * _MIB
FAIL_FILES = 100
WARN_FILES = 5000


def git() -> CheckResult:
    """git's version, and the programs beside it."""
    try:
        version = remote.client().git_version()
    except GitError as exc:
        return fail(str(exc), REMEDIES[exc.reason])
    found, oldest = (".".join(map(str, numbers)) for numbers in (version, MINIMUM_GIT_VERSION))
    if version < MINIMUM_GIT_VERSION:
        return warn(f"{found}; not every safety setting is known to it", f"Install {oldest} or later.")
    if shutil.which("ssh") is None:
        return warn(f"{found}, no ssh", "Install an ssh client, if any repository has an ssh url.")
    return ok(f"{found}, with ssh{' and gpg' if shutil.which('gpg') else ''}")


def signatures() -> CheckResult:
    """gpg, where repositories demand signatures."""
    number = Repository.objects.exclude(verify=Verify.OFF).count()
    if number and shutil.which("gpg") is None:
        return fail(f"{number} repositories demand signatures, and there is no gpg", "Install GnuPG (gpg).")
    return ok(f"{number} repositories demand signatures" if number else "no repository demands signatures")


@dataclass(frozen=True, slots=True)
class Space:
    """What is free of a file system. `files` is None where it does not count them."""

    bytes: int
    files: int | None

    @classmethod
    def of(cls, folder: Path) -> Space:
        """Of the file system that the folder is on. Raises OSError."""
        seen = os.statvfs(folder)
        return cls(seen.f_bavail * seen.f_frsize, seen.f_favail if seen.f_files else None)


def disk(folder: Path, name: str, wanted_bytes: int) -> CheckResult:
    """Whether the folder takes files, and how much is left; less than `wanted_bytes` is told of.

    Of one that is not there yet, the nearest above it, in which it will be made.
    """
    try:
        while not folder.exists():
            folder = folder.parent
        space = Space.of(folder)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as exc:
        return fail(f"{folder} takes no files: {exc.strerror}", _room(name))
    files = "" if space.files is None else f", {space.files} files"
    found = f"{folder}: {space.bytes / _MIB:.0f} MiB{files} free"
    if space.bytes < FAIL_BYTES or (space.files is not None and space.files < FAIL_FILES):
        return fail(found, _room(name))
    if space.bytes < wanted_bytes or (space.files is not None and space.files < WARN_FILES):
        return warn(found, _room(name))
    return ok(found)


def _room(name: str) -> str:
    return f"Make room there, or name another place ({name})."


def data() -> CheckResult:
    """Where keys, git's own files and the embedded database are."""
    return disk(properties().base_data_dir, "kiok.base.data.dir", WARN_TEMPORARY_BYTES)


def mirrors() -> CheckResult:
    """Where repositories are fetched to, which takes twice the largest one that is allowed."""
    config = properties()
    wanted = 2 * config.gitsync_max_tree_bytes
    return disk(config.base_data_dir / "mirrors", "kiok.base.data.dir", wanted)


def temporary() -> CheckResult:
    """Where temporary files go."""
    return disk(Path(tempfile.gettempdir()), "TMPDIR", WARN_TEMPORARY_BYTES)


CHECKS = (
    Check("git", git),
    Check("signatures", signatures, needs_database=True),
    *(
        Check(f"disk-{name}", partial(look))
        for name, look in (("data", data), ("mirrors", mirrors), ("temporary", temporary))
    ),
)
