"""Problems of a DAG, before their lines in the file are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kiok.errors import Diagnostic
from kiok.text import storable

MAX_PROBLEMS = 200

# Path to a value inside a DAG in wire form, such as `("tasks", 3, "requires", 1)`; `()` is the DAG.
Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class LocatedProblem:
    """A problem of a DAG. `dag`, `task` and `key` as in `kiok.errors.Diagnostic`.

    `location` may name a value that does not exist (a missing or misspelled key); it is then mapped to the
    line of the nearest enclosing value that exists.
    """

    message: str
    dag: str | None = None
    task: str | None = None
    key: str | None = None
    location: Location = ()

    @property
    def subject(self) -> tuple[Location, str | None]:
        """The location of the DAG or task that has the problem, and the key."""
        inside = self.location[:2] if self.location[:1] == ("tasks",) and len(self.location) > 1 else ()
        return inside, self.key

    def diagnostic(
        self, path: str | None = None, line: int | None = None, column: int | None = None
    ) -> Diagnostic:
        """Return the problem as a diagnostic at that place."""
        return Diagnostic(self.message, path, line, column, self.dag, self.task, self.key)


class Problems:
    """Collector of the problems of a DAG: the first 200, and the number of the rest."""

    def __init__(self, dag: str | None = None) -> None:
        self.dag = dag
        self._kept: list[LocatedProblem] = []
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._kept)

    @property
    def full(self) -> bool:
        """Return whether further problems are only counted, so that their messages need no work."""
        return len(self._kept) >= MAX_PROBLEMS

    def add(
        self, message: str, location: Location = (), *, task: str | None = None, key: str | None = None
    ) -> None:
        if self.full:
            self._more += 1
            return
        # Config keys and unknown keys are untrusted and may be long.
        short = None if key is None else storable(key, 250)
        self._kept.append(LocatedProblem(message, self.dag, task, short, location))

    def all(self) -> tuple[LocatedProblem, ...]:
        if not self._more:
            return tuple(self._kept)
        return (*self._kept, LocatedProblem(f"... and {self._more} more", self.dag))


def without_echoes(own: Sequence[LocatedProblem], problems: Sequence[LocatedProblem]) -> list[LocatedProblem]:
    """Return the problems of a format and of validation, without validation problems of the same subject.

    A value that a format could not read is omitted from the wire form, where validation then reports it as missing.
    """
    told = {problem.subject for problem in own}
    return [*own, *(problem for problem in problems if problem.subject not in told)]
