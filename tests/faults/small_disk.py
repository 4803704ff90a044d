"""A file system of a few megabytes that can be filled up, and emptied again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SmallDisk:
    """Mounted at `folder`. Only root may mount, so these tests need root."""

    folder: Path

    def fill(self, *, but: int = 0) -> None:
        """Leave so many bytes free, and no more: by default none."""
        space = os.statvfs(self.folder)
        with self._balloon.open("ab") as balloon:
            more = space.f_bavail * space.f_frsize - but
            os.posix_fallocate(balloon.fileno(), os.fstat(balloon.fileno()).st_size, more)
        assert os.statvfs(self.folder).f_bavail * space.f_frsize <= but

    def make_room(self) -> None:
        """Give back what `fill` took."""
        self._balloon.unlink(missing_ok=True)

    @property
    def _balloon(self) -> Path:
        return self.folder / "balloon"


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """A tmpfs at `folder`, which is made if it is missing; unmounted at the end, also if processes have files open there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "kiok-small-disk", str(folder)],
        check=True,
    )
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
