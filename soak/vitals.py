"""Memory and open descriptors of the service's processes over time, and whether they grow."""

from __future__ import annotations

import contextlib
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soak.processes import trees

# Minimum life of a process for a verdict. A shorter one warms up throughout: a PostgreSQL session keeps open the files that
# it has read.
MIN_SECONDS = 180.0
# Allowed growth over the second half of a life: a share of the memory plus a constant, and some descriptors. A leak of
# one descriptor or 40 KiB per sync exceeds this within about fifty syncs.
MEMORY_SHARE, MEMORY_KIB, DESCRIPTORS = 0.05, 2048, 4.0
FLOOR_SPANS = 8
ROLES = {0: "cluster", 1: "sentinel", 2: "pusher or monitor"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample at `seconds` of the run. `memory` is the private memory of the process (RssAnon) in KiB."""

    seconds: float
    memory: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Life:
    """The samples of one process and their verdict: `flat`, `grows` or `short`."""

    role: str
    pid: int
    samples: Sequence[Sample]

    @property
    def seconds(self) -> float:
        return self.samples[-1].seconds - self.samples[0].seconds

    @property
    def second_half(self) -> Sequence[Sample]:
        middle = self.samples[0].seconds + self.seconds / 2
        return [sample for sample in self.samples if sample.seconds >= middle]

    @property
    def added_memory(self) -> float:
        """Return the growth in KiB over the second half of its life, from the best-fit line."""
        return _added([(sample.seconds, sample.memory) for sample in self.second_half])

    @property
    def added_descriptors(self) -> float:
        return _added([(sample.seconds, sample.descriptors) for sample in self.second_half])

    @property
    def verdict(self) -> str:
        if self.seconds < MIN_SECONDS:
            return "short"
        allowed = MEMORY_KIB + MEMORY_SHARE * statistics.fmean(sample.memory for sample in self.second_half)
        is_flat = self.added_memory <= allowed and self.added_descriptors <= DESCRIPTORS
        return "flat" if is_flat else "grows"

    def to_json(self) -> dict[str, Any]:
        return {
            "role": self.role,
            "pid": self.pid,
            "seconds": round(self.seconds, 1),
            "memory_kib": [sample.memory for sample in self.samples],
            "descriptors": [sample.descriptors for sample in self.samples],
            "added_memory_kib": round(self.added_memory),
            "added_descriptors": round(self.added_descriptors, 1),
            "verdict": self.verdict,
        }


@dataclass
class Vitals:
    """The samples of all processes so far."""

    _samples: dict[tuple[str, int, str], list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def look(self, seconds: float, clusters: Iterable[int], workers: Iterable[int], postmaster: int) -> None:
        """Take a sample of each process. `workers` are the pids of the known workers; their children are git processes."""
        known = set(workers)
        for process in trees([*clusters, postmaster]):
            if process.root == postmaster:
                role = "PostgreSQL" if process.depth == 0 else "PostgreSQL session"
            else:
                role = "worker" if process.pid in known else ROLES.get(process.depth, "")
            if role:
                self._note(role, process.pid, process.born, seconds)

    def lives(self) -> list[Life]:
        """Return the processes with at least two samples. A process counts as a worker once it is known to be one."""
        named: dict[tuple[int, str], str] = {}
        joined: dict[tuple[int, str], list[Sample]] = defaultdict(list)
        for (role, pid, born), samples in self._samples.items():
            if role == "worker" or (pid, born) not in named:
                named[pid, born] = role
            joined[pid, born] += samples
        lives = [
            Life(named[key], key[0], sorted(samples, key=lambda sample: sample.seconds))
            for key, samples in joined.items()
        ]
        return sorted(
            (life for life in lives if len(life.samples) > 1), key=lambda life: (life.role, -life.seconds)
        )

    def _note(self, role: str, pid: int, born: str, seconds: float) -> None:
        with contextlib.suppress(OSError, StopIteration):
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
            memory = int(next(line for line in status if line.startswith("RssAnon:")).split()[1])
            descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
            self._samples[role, pid, born].append(Sample(seconds, memory, descriptors))


def _added(points: Sequence[tuple[float, float]]) -> float:
    """Return the rise of the least-squares line through the floor of the points, from the first to the last.

    The floor is the minimum of each of a few time spans. Resources that are held during a poll or a sync go up and down.
    Resources that are never released raise the floor.
    """
    first, last = points[0][0], points[-1][0]
    if first == last:
        return 0.0
    spans: dict[int, tuple[float, float]] = {}
    for seconds, value in points:
        span = min(FLOOR_SPANS - 1, int(FLOOR_SPANS * (seconds - first) / (last - first)))
        spans[span] = min(spans.get(span, (value, seconds)), (value, seconds))
    values, times = zip(*spans.values(), strict=True)
    return float(statistics.linear_regression(times, values).slope * (last - first))
