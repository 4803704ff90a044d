"""What is wrong with one DAG, before it is known where in a file that stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kiok.errors import Diagnostic
from kiok.text import printable

MAX_PROBLEMS = 200

Location = tuple[str | int, ...]
"""The way to a value inside a DAG in wire form, such as `("tasks", 3, "requires", 1)`; `()` is the DAG."""


@dataclass(frozen=True, slots=True)
class LocatedProblem:
    """One problem of one DAG. `dag`, `task` and `key` as in `kiok.errors.Diagnostic`.

    `location` may name something that is not there (a key that is missing or only meant); whoever maps it
    to a line takes the nearest place above it that is.
    """

    message: str
    dag: str | None = None
    task: str | None = None
    key: str | None = None
    location: Location = ()

    @property
    def subject(self) -> tuple[Location, str | None]:
        """What it is about: the DAG or a task of it, by place, and the key."""
        inside = self.location[:2] if self.location[:1] == ("tasks",) and len(self.location) > 1 else ()
        return inside, self.key

    def diagnostic(
        self, path: str | None = None, line: int | None = None, column: int | None = None
    ) -> Diagnostic:
        """The problem as a diagnostic at that place."""
        return Diagnostic(self.message, path, line, column, self.dag, self.task, self.key)


class Problems:
    """Collects the problems of one DAG: the first 200, and the number of the rest."""

    def __init__(self, dag: str | None = None) -> None:
        self.dag = dag
        self._kept: list[LocatedProblem] = []
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._kept)

    @property
    def full(self) -> bool:
        """Whether further problems are only counted, so that work on their wording is lost."""
        return len(self._kept) >= MAX_PROBLEMS

    def add(
        self, message: str, location: Location = (), *, task: str | None = None, key: str | None = None
    ) -> None:
        if self.full:
            self._more += 1
            return
        # Config keys and unknown keys are untrusted and may be long.
        short = None if key is None else printable(key, 250)
        self._kept.append(LocatedProblem(message, self.dag, task, short, location))

    def all(self) -> tuple[LocatedProblem, ...]:
        if not self._more:
            return tuple(self._kept)
        return (*self._kept, LocatedProblem(f"... and {self._more} more", self.dag))


def without_echoes(own: Sequence[LocatedProblem], problems: Sequence[LocatedProblem]) -> list[LocatedProblem]:
    """A format's own problems and those of validation, less what validation says of the same thing.

    A value that a format could not read is left out of the wire form, where it then seems to be missing.
    """
    told = {problem.subject for problem in own}
    return [*own, *(problem for problem in problems if problem.subject not in told)]
