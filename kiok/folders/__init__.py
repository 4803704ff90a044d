"""Folders that only the service's user may enter. Standard library only."""

from __future__ import annotations

from pathlib import Path


def make_private(folder: Path) -> None:
    """Create the folder, and each missing parent, with mode 0700; existing folders stay unchanged.

    `Path.mkdir(parents=True)` sets the mode of the last folder only: the mode of the others follows the umask, and may be
    0777. Raises OSError.
    """
    missing: list[Path] = []
    for one in folder.parents:
        if one.exists():
            break
        missing.append(one)
    for one in (*reversed(missing), folder):
        one.mkdir(mode=0o700, exist_ok=True)
