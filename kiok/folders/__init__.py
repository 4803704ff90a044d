"""Folders that no other user of the machine may enter. Standard library only."""

from __future__ import annotations

from pathlib import Path


def make_private(folder: Path) -> None:
    """Make the folder, and each missing one above it, with mode 0700; those that exist stay as they are.

    `Path.mkdir(parents=True)` gives the mode to the last one alone: the others get what the process's umask leaves, which
    may be 0777. Raises OSError.
    """
    missing: list[Path] = []
    for one in folder.parents:
        if one.exists():
            break
        missing.append(one)
    for one in (*reversed(missing), folder):
        one.mkdir(mode=0o700, exist_ok=True)
