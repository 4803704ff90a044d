"""Checks of this machine: git and disk space."""

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
from gitsync.monitoring.doctor.check import Check, fail, ok, warn
from gitsync.remedies import REMEDIES
from gitsync.sync import remote
from kiok.checks import CheckResult
from kiok.cluster.conf import properties

_MIB = 2**20
FAIL_BYTES = 16 * _MIB  # with less, not even small repositories sync
WARN_TEMPORARY_BYTES = 64 * _MIB
FAIL_FILES = 100
WARN_FILES = 5000


def git() -> CheckResult:
    """Check git's version, and that ssh is installed."""
    try:
        version = remote.client().git_version()
    except GitError as exc:
        return fail(str(exc), REMEDIES[exc.reason])
    found, oldest = (".".join(map(str, numbers)) for numbers in (version, MINIMUM_GIT_VERSION))
    if version < MINIMUM_GIT_VERSION:
        return warn(f"{found}; it does not support all safety settings", f"Install {oldest} or later.")
    if shutil.which("ssh") is None:
        return warn(f"{found}, no ssh", "Install an ssh client if any repository has an ssh URL.")
    return ok(f"{found}, with ssh{' and gpg' if shutil.which('gpg') else ''}")


def signatures() -> CheckResult:
    """Check that gpg is installed if repositories require signatures."""
    number = Repository.objects.exclude(verify=Verify.OFF).count()
    if number and shutil.which("gpg") is None:
        return fail(
            f"{number} repositories require signatures, but gpg is not installed", "Install GnuPG (gpg)."
        )
    return ok(f"{number} repositories require signatures" if number else "no repository requires signatures")


@dataclass(frozen=True, slots=True)
class Space:
    """Free space of a file system. `files` is None if the file system does not report it."""

    bytes: int
    files: int | None

    @classmethod
    def of(cls, folder: Path) -> Space:
        """Return the free space of the folder's file system. Raise OSError."""
        seen = os.statvfs(folder)
        return cls(seen.f_bavail * seen.f_frsize, seen.f_favail if seen.f_files else None)


def disk(folder: Path, name: str, wanted_bytes: int) -> CheckResult:
    """Check that the folder is writable and has `wanted_bytes` of free space.

    If the folder does not exist, check the nearest existing parent, in which it will be created.
    """
    try:
        while not folder.exists():
            folder = folder.parent
        space = Space.of(folder)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as exc:
        return fail(f"{folder} is not writable: {exc.strerror}", _room(name))
    files = "" if space.files is None else f", {space.files} files"
    found = f"{folder}: {space.bytes / _MIB:.0f} MiB{files} free"
    if space.bytes < FAIL_BYTES or (space.files is not None and space.files < FAIL_FILES):
        return fail(found, _room(name))
    if space.bytes < wanted_bytes or (space.files is not None and space.files < WARN_FILES):
        return warn(found, _room(name))
    return ok(found)


def _room(name: str) -> str:
    return f"Free disk space there, or set another folder ({name})."


def data() -> CheckResult:
    """Check the folder of keys, git's files and the embedded database."""
    return disk(properties().base_data_dir, "kiok.base.data.dir", WARN_TEMPORARY_BYTES)


def mirrors() -> CheckResult:
    """Check the folder of mirrors, which needs twice the size of the largest allowed repository."""
    config = properties()
    wanted = 2 * config.gitsync_max_tree_bytes
    return disk(config.base_data_dir / "mirrors", "kiok.base.data.dir", wanted)


def temporary() -> CheckResult:
    """Check the folder of temporary files."""
    return disk(Path(tempfile.gettempdir()), "TMPDIR", WARN_TEMPORARY_BYTES)


CHECKS = (
    Check("git", git),
    Check("signatures", signatures, needs_database=True),
    *(
        Check(f"disk-{name}", partial(look))
        for name, look in (("data", data), ("mirrors", mirrors), ("temporary", temporary))
    ),
)
