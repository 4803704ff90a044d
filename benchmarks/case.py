"""The results of a case: figures, each with its floor and its target."""

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
    """A figure.

    `floor` is the least that the same work costs on this machine, or the cost of a peer, measured in the same run and unit.
    `floor_is` names it. `target` is the maximum of `value` in floors, or the minimum if `at_least` is set. If it is None,
    the figure has no verdict. Only ratios (`×`) and counts (no unit) can have a target without a floor, since seconds,
    bytes and cores differ between machines. `runs` is the number of measurements.
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
        """Raise ValueError for a target that would compare an absolute figure."""
        if self.target is not None and self.floor is None and self.unit not in ("", "×"):
            raise ValueError(f"{self.case}: {self.what}: a target in {self.unit} needs a floor")

    @property
    def ratio(self) -> float | None:
        """Return the figure in floors, or None without a floor."""
        return self.value / self.floor if self.floor else None

    @property
    def met(self) -> bool | None:
        """Return whether the target is met, or None without a target."""
        if self.target is None:
            return None
        judged = self.value if self.ratio is None else self.ratio
        return judged >= self.target if self.at_least else judged <= self.target

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "met": self.met}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Result:
        return cls(**{name: value[name] for name in cls.__dataclass_fields__ if name in value})


Measure = Callable[["Bench"], Iterator[Result]]  # a case: it gets its environment and yields its figures


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile by nearest rank: the smallest value that at least 95 % do not exceed."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]
