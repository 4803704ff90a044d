"""Secret files that every user of the machine can read or write."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from kiok.server import keys

_READ_OR_WRITE = stat.S_IROTH | stat.S_IWOTH


def among(environ: Mapping[str, str]) -> Iterator[tuple[str, Path, int]]:
    """Yield the files of `<NAME>_FILE` variables that other users can read or write: variable, path, mode."""
    for name in keys.SECRETS:
        variable = f"{name}_FILE"
        if not environ.get(variable):
            continue
        path = Path(environ[variable])
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & _READ_OR_WRITE and not _is_mounted(path) and _is_reachable(path):
                yield variable, path, mode
        except OSError:
            continue  # the code that reads the secret reports it


def _is_mounted(path: Path) -> bool:
    """Return whether a container platform mounts the file or its folder: it controls the mode and the users."""
    return os.path.ismount(path) or os.path.ismount(path.parent)


def _is_reachable(path: Path) -> bool:
    """Return whether other users can reach the file: no parent folder denies them access."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)
