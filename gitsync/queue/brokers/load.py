"""Load of a broker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """Number of waiting and of claimed tasks, and the age of the oldest waiting one. None: unknown to the broker."""

    waiting: int
    taken: int | None
    oldest_seconds: float | None

    def __str__(self) -> str:
        """Return a text such as `3 waiting, 1 running, oldest for 12 s`."""
        taken = "" if self.taken is None else f", {self.taken} running"
        oldest = "" if self.oldest_seconds is None else f", oldest for {self.oldest_seconds:.0f} s"
        return f"{self.waiting} waiting{taken}{oldest}"
