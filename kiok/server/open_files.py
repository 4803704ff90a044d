"""Files of secrets that are open to every user of the machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from kiok.server import keys

_READ_OR_WRITE = stat.S_IROTH | stat.S_IWOTH


def among(environ: Mapping[str, str]) -> Iterator[tuple[str, Path, int]]:
    """Those that `<NAME>_FILE` variables name and others can read or write: variable, path, mode."""
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
            continue  # whoever reads it says so


def _is_mounted(path: Path) -> bool:
    """Whether a container platform hands it over, file by file or as a folder: it chooses the mode, and who is there."""
    return os.path.ismount(path) or os.path.ismount(path.parent)


def _is_reachable(path: Path) -> bool:
    """Whether others get to it: no folder above keeps them out."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)
