"""The amount of work in a soak."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The duration, size and rates of a soak. `*_seconds` are mean seconds between two events of a kind."""

    seconds: float
    repositories: int
    seed: int
    interval_ms: int
    push_seconds: float
    fault_seconds: float
    operator_seconds: float

    @classmethod
    def of(cls, seconds: float, repositories: int, seed: int, *, is_calm: bool = False) -> Plan:
        """Return a plan for two cores. A push takes about 0.15 s of a core, a poll 0.015 s. `is_calm`: no faults."""
        return cls(
            seconds=seconds,
            repositories=repositories,
            seed=seed,
            interval_ms=max(2000, repositories * 100),
            push_seconds=max(0.33, 10 / repositories),
            fault_seconds=float("inf") if is_calm else min(5.0, seconds / 12),
            operator_seconds=min(6.0, seconds / 6),
        )
