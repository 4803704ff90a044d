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

    `floor` is the least the same work costs on this machine, measured in the same run and in the same unit;
    `floor_is` says what was done for it. `target` is the most `value` may be, or the least where
    `at_least` is set; None: the figure is told, not judged. `runs` is how many measurements it stands for.
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

    @property
    def ratio(self) -> float | None:
        """How many times the floor the figure is; None without a floor."""
        return self.value / self.floor if self.floor else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target

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
