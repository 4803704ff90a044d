"""Process trees, read from /proc."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process. `depth` is its depth below `root`, which has 0. `born` is its start in clock ticks since boot."""

    pid: int
    born: str
    root: int
    depth: int


def trees(roots: Iterable[int]) -> list[Process]:
    """Return these processes and all their descendants (proc(5), stat)."""
    below: dict[int, list[int]] = defaultdict(list)
    born: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] not in "ZX":
                    below[int(fields[1])].append(int(entry.name))
                    born[int(entry.name)] = fields[19]
    found, open_ = [], [(root, root, 0) for root in roots]
    while open_:
        root, pid, depth = open_.pop()
        if pid in born:
            found.append(Process(pid, born[pid], root, depth))
            open_ += [(root, child, depth + 1) for child in below[pid]]
    return found
