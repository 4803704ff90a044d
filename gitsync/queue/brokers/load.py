"""How much is in a broker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """Tasks that wait, tasks that workers have, and how long the oldest has waited. None: the broker cannot tell."""

    waiting: int
    taken: int | None
    oldest_seconds: float | None

    def __str__(self) -> str:
        """`3 waiting, 1 at work, the oldest for 12 s`"""
        taken = "" if self.taken is None else f", {self.taken} at work"
        oldest = "" if self.oldest_seconds is None else f", the oldest for {self.oldest_seconds:.0f} s"
        return f"{self.waiting} waiting{taken}{oldest}"
