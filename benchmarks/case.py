"""What a case gives: figures, each with its floor and its target."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.bench import Bench


@dataclass(frozen=True, slots=True)
class Result:
    """One figure.

    `floor` is the least the same work costs on this machine, or what a peer takes for it, measured in the same run and in
    the same unit; `floor_is` names it. `target` is the most that `value` may be, in floors, or the least where `at_least`
    is set; None: the figure is shown and not judged. Only ratios (`×`) and counts (no unit) have a target without a
    floor: seconds, bytes and cores differ between machines. `runs` is the number of measurements.
    """

    case: str
    what: str
    value: float
    unit: str
    floor: float | None = None
    floor_is: str = ""
    target: float | None = None
    at_least: bool = False
    runs: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError for a target that would be judged by an absolute figure."""
        if self.target is not None and self.floor is None and self.unit not in ("", "×"):
            raise ValueError(f"{self.case}: {self.what}: a target in {self.unit} needs a floor")

    @property
    def ratio(self) -> float | None:
        """Return the figure in floors; None without a floor."""
        return self.value / self.floor if self.floor else None

    @property
    def met(self) -> bool | None:
        """Return the verdict on the target; None without a target."""
        if self.target is None:
            return None
        judged = self.value if self.ratio is None else self.ratio
        return judged >= self.target if self.at_least else judged <= self.target

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "met": self.met}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Result:
        return cls(**{name: value[name] for name in cls.__dataclass_fields__ if name in value})


Measure = Callable[["Bench"], Iterator[Result]]
"""A case: told where to work, it yields its figures as they come."""


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    """The 95th percentile by nearest rank: the smallest value that at least 95 % of them do not pass."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]
