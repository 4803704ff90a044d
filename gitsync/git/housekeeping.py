"""Keeps a mirror's disk use bounded, and tells a mirror as we made it from one that was tampered with."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from gitsync.git.client import GitClient
from gitsync.git.errors import GitError

logger = logging.getLogger(__name__)

# All there ever is; git's other settings are given on each call.
MIRROR_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
MAX_PACKS = 8
MAX_NEW_PACK_BYTES = 64 * 1024 * 1024
_MAX_UNTIDIED_PACKS = 4 * MAX_PACKS
# git makes these; an alternates file, hooks or a commondir would lead elsewhere.
_EXPECTED = frozenset(
    {"HEAD", "config", "objects", "refs", "packed-refs", "shallow", "branches", "info", "FETCH_HEAD"}
)
_EXPECTED_INFO = frozenset({"exclude", "refs"})


def is_intact(git_directory: Path) -> bool:
    """Whether the mirror is one we made, with nothing added and nothing left half done.

    Cheap; what the objects are worth is for fsck to say. False for lock files: nobody else uses the
    mirror while we hold it, so they belong to a process that was killed.
    """
    try:
        if git_directory.is_symlink() or (git_directory / "config").read_text() != MIRROR_CONFIG:
            return False
        names = {path.name for path in git_directory.iterdir()}
        if not names <= _EXPECTED or not {"HEAD", "objects", "refs"} <= names:
            return False
        info = git_directory / "info"
        if info.exists() and not {path.name for path in info.iterdir()} <= _EXPECTED_INFO:
            return False
        objects = git_directory / "objects"
        if (objects / "info" / "alternates").exists() or (objects / "info" / "http-alternates").exists():
            return False
        if len(_packs(git_directory)) > _MAX_UNTIDIED_PACKS:
            return False
        return not any(
            name.endswith(".lock") for _, _, files in os.walk(git_directory) for name in files
        ) and not any(path.is_symlink() for path in (objects, git_directory / "refs", git_directory / "HEAD"))
    except (OSError, UnicodeDecodeError):
        return False


def remove_leftover_packs(git_directory: Path) -> None:
    """Remove what an interrupted fetch left among the objects.

    Only files under git's temporary names, which no finished fetch refers to: so a server that is slow once
    does not cost a whole new mirror.
    """
    objects = git_directory / "objects"
    for pattern in ("pack/tmp_*", "pack/.tmp-*", "tmp_*", "??/tmp_obj_*"):
        for path in objects.glob(pattern):
            with contextlib.suppress(OSError):
                path.unlink()


def tidy(client: GitClient, git_directory: Path, inherit: Sequence[int] = ()) -> bool:
    """Drop all that is not reachable from the mirror's ref, if enough has piled up. True if it did.

    A failure is logged, not raised: the fetch before it is good, and a mirror that cannot be tidied is
    replaced once it holds 32 packs.
    """
    sizes = sorted(path.stat().st_size for path in _packs(git_directory))
    if len(sizes) <= MAX_PACKS and sum(sizes[:-1]) <= MAX_NEW_PACK_BYTES:
        return False
    try:
        for arguments in (
            ("repack", "-a", "-d", "-n", "-q"),
            ("prune", "--expire=now"),
            ("pack-refs", "--all"),
        ):
            client.run(arguments, directory=git_directory, inherit=inherit)
    except GitError as exc:
        logger.warning("mirror %s could not be tidied: %s", git_directory.parent.name, exc)
        return False
    return True


def _packs(git_directory: Path) -> list[Path]:
    return list((git_directory / "objects" / "pack").glob("*.pack"))
