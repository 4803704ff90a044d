"""Keeps a mirror's disk use bounded, and tells a mirror as we made it from one that was tampered with."""

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

# All there ever is; git's other settings are given on each call.
MIRROR_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
MIRROR_CONFIGS = {
    "sha1": MIRROR_CONFIG,
    "sha256": "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n",
}
"""The configuration by the format of the objects, which a mirror has from the repository that it is of."""
MAX_PACKS = 8
_PACK_OVERHEAD_BYTES = 512
MAX_SHALLOW_MARKS = 16
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
    """Return the format of the mirror's objects, `sha1` or `sha256`; None where its configuration is not ours."""
    found = (git_directory / "config").read_text()
    return next((name for name, config in MIRROR_CONFIGS.items() if config == found), None)


def remove_leftover_packs(git_directory: Path) -> None:
    """Remove what an interrupted fetch or `tidy` left among the objects.

    Only files under git's temporary names, which no finished fetch refers to, and halves of a pack: so a
    server that is slow once does not cost a whole new mirror.
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
    """Whether some of the packs came from a fetch that left files out."""
    return any((git_directory / "objects" / "pack").glob("*.promisor"))


def tidy(client: GitClient, git_directory: Path, ref: str, inherit: Sequence[int] = ()) -> bool:
    """Drop all that is not reachable from `ref`, if as much has piled up as is in use. True if it did.

    Not by `git repack`: with files left out on purpose it fails, or keeps everything for ever. A failure is logged,
    not raised: the fetch before it is good, and a mirror that cannot be tidied is replaced once it holds 32 packs.
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
                "--window=0",  # the server has looked for deltas already; they are kept
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
    """Return whether there are many packs, or they hold twice what is in use. Raises GitError, OSError."""
    sizes = [path.stat().st_size for path in _packs(git_directory)]
    if len(sizes) > MAX_PACKS:
        return True
    # Only then git is asked what is in use, which reads every folder of the commit.
    if sum(sizes) <= 2 * max(sizes, default=0) + _PACK_OVERHEAD_BYTES:
        return False
    arguments = ("rev-list", "--objects", "--disk-usage", "--missing=allow-any", ref)
    used = int(client.run(arguments, directory=git_directory, inherit=inherit))
    return sum(sizes) > 2 * used + _PACK_OVERHEAD_BYTES


def _keep_only(git_directory: Path, name: str) -> None:
    """Remove every pack but the one of this name, the index first: without it git takes a pack for none."""
    folder = git_directory / "objects" / "pack"
    if not (folder / f"pack-{name}.idx").is_file():
        raise OSError(f"git made no pack {name[:80]!r}")
    if holds_parts(git_directory):
        (folder / f"pack-{name}.promisor").touch(mode=0o600)
    old = [path for path in folder.glob("pack-*") if path.stem != f"pack-{name}"]
    for path in sorted(old, key=lambda path: path.suffix != ".idx"):
        path.unlink()


def _shallow_marks(git_directory: Path) -> int:
    """How many commits the mirror knows as cut off from their parents: ours, and those before it."""
    try:
        return len((git_directory / "shallow").read_bytes().splitlines())
    except FileNotFoundError:
        return 0


def _packs(git_directory: Path) -> list[Path]:
    return list((git_directory / "objects" / "pack").glob("*.pack"))
