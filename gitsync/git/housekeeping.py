"""Maintenance of mirrors: a bound on their disk use, and detection of damage and tampering."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from gitsync.git.client import GitClient
from gitsync.git.errors import GitError
from kiok import correlation

logger = logging.getLogger(__name__)

# The complete configuration file. All other git settings are passed on each call.
MIRROR_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
# The configuration by object format. A mirror has the format of its repository.
MIRROR_CONFIGS = {
    "sha1": MIRROR_CONFIG,
    "sha256": "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n",
}
MAX_PACKS = 8
_PACK_OVERHEAD_BYTES = 512
MAX_SHALLOW_MARKS = 16
_MAX_UNTIDIED_PACKS = 4 * MAX_PACKS
# The names that git creates. An alternates file, hooks or a commondir would point outside the mirror.
_EXPECTED = frozenset(
    {"HEAD", "config", "objects", "refs", "packed-refs", "shallow", "branches", "info", "FETCH_HEAD"}
)
_EXPECTED_INFO = frozenset({"exclude", "refs"})


def is_intact(git_directory: Path) -> bool:
    """Return whether the mirror is as this module creates it, without additions and without unfinished changes.

    The check is cheap and does not verify objects, which is left to fsck. Lock files make it false: the caller holds the
    mirror, so they belong to a process that was killed.
    """
    try:
        if git_directory.is_symlink() or object_format(git_directory) is None:
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


def object_format(git_directory: Path) -> str | None:
    """Return the mirror's object format, `sha1` or `sha256`, or None if the configuration was changed."""
    found = (git_directory / "config").read_text()
    return next((name for name, config in MIRROR_CONFIGS.items() if config == found), None)


def remove_leftover_packs(git_directory: Path) -> None:
    """Remove the leftovers of an interrupted fetch or `tidy` from the objects.

    It removes only files with git's temporary names, which no finished fetch refers to, and incomplete packs. So one
    timeout does not cost a whole new mirror.
    """
    objects = git_directory / "objects"
    for pattern in ("pack/tmp_*", "pack/.tmp-*", "tmp_*", "??/tmp_obj_*"):
        for path in objects.glob(pattern):
            with contextlib.suppress(OSError):
                path.unlink()
    indexed = {path.stem for path in (objects / "pack").glob("pack-*.idx")}
    for path in (objects / "pack").glob("pack-*"):
        if path.stem not in indexed or path.suffix == ".keep":
            with contextlib.suppress(OSError):
                path.unlink()


def holds_parts(git_directory: Path) -> bool:
    """Return whether some packs come from a fetch that left files out."""
    return any((git_directory / "objects" / "pack").glob("*.promisor"))


def tidy(client: GitClient, git_directory: Path, ref: str, inherit: Sequence[int] = ()) -> bool:
    """Drop all objects that `ref` does not reach, if they take as much space as the others. Return whether it did.

    It does not use `git repack`, which fails when files were left out on purpose, or keeps everything. A failure is
    logged and not raised: the fetch before it succeeded, and a mirror that cannot be tidied is replaced once it has more
    than 32 packs.
    """
    try:
        if not _is_untidy(client, git_directory, ref, inherit):
            return False
        name = client.run(
            (
                "pack-objects",
                "-q",
                "--revs",
                "--missing=allow-any",
                "--delta-base-offset",
                "--window=0",  # keep the deltas that the server sent, search for no others
                "objects/pack/pack",
            ),
            directory=git_directory,
            stdin=f"{ref}\n".encode("ascii"),
            inherit=inherit,
        )
        _keep_only(git_directory, name.decode("ascii").strip())
        if _shallow_marks(git_directory) > MAX_SHALLOW_MARKS:
            client.run(("prune", "--expire=now"), directory=git_directory, inherit=inherit)
    except (GitError, OSError, ValueError) as exc:
        whose = correlation.fields().get("repository", git_directory.parent)
        logger.warning("the mirror of %s could not be tidied: %s", whose, exc)
        return False
    return True


def _is_untidy(client: GitClient, git_directory: Path, ref: str, inherit: Sequence[int]) -> bool:
    """Return whether there are too many packs or they take twice the space in use. Raises GitError, OSError."""
    sizes = [path.stat().st_size for path in _packs(git_directory)]
    if len(sizes) > MAX_PACKS:
        return True
    # Ask git for the space in use only now, since that reads every folder of the commit.
    if sum(sizes) <= 2 * max(sizes, default=0) + _PACK_OVERHEAD_BYTES:
        return False
    arguments = ("rev-list", "--objects", "--disk-usage", "--missing=allow-any", ref)
    used = int(client.run(arguments, directory=git_directory, inherit=inherit))
    return sum(sizes) > 2 * used + _PACK_OVERHEAD_BYTES


def _keep_only(git_directory: Path, name: str) -> None:
    """Remove every pack except the one of this name, index first: git ignores a pack without an index."""
    folder = git_directory / "objects" / "pack"
    if not (folder / f"pack-{name}.idx").is_file():
        raise OSError(f"git created no pack {name[:80]!r}")
    if holds_parts(git_directory):
        (folder / f"pack-{name}.promisor").touch(mode=0o600)
    old = [path for path in folder.glob("pack-*") if path.stem != f"pack-{name}"]
    for path in sorted(old, key=lambda path: path.suffix != ".idx"):
        path.unlink()


def _shallow_marks(git_directory: Path) -> int:
    """Return the number of commits that the mirror marks as shallow: the current one and earlier ones."""
    try:
        return len((git_directory / "shallow").read_bytes().splitlines())
    except FileNotFoundError:
        return 0


def _packs(git_directory: Path) -> list[Path]:
    return list((git_directory / "objects" / "pack").glob("*.pack"))
