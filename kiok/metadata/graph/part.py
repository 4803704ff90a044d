"""The connected parts of a graph, each laid out on its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kiok.metadata.graph.dependencies import Pair

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """Tasks that are connected by edges; `tasks` are in topological order."""

    tasks: tuple[int, ...]
    edges: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A laid-out part with its own coordinates from (0, 0): corners of boxes, and the points of each edge."""

    width: int
    height: int
    corners: Mapping[int, Point]
    lines: Mapping[Pair, tuple[Point, ...]]


def parts(order: Sequence[int], edges: Iterable[Pair]) -> list[Part]:
    """Return the connected parts, ordered by their first task as authored."""
    leader = list(range(len(order)))

    def leader_of(task: int) -> int:
        while leader[task] != task:
            leader[task] = leader[leader[task]]
            task = leader[task]
        return task

    edges = sorted(edges)
    for source, target in edges:
        one, other = sorted((leader_of(source), leader_of(target)))
        leader[other] = one  # the smaller number leads, so the leader is the first task
    tasks: dict[int, list[int]] = {task: [] for task in range(len(order)) if leader[task] == task}
    for task in order:
        tasks[leader_of(task)].append(task)
    lines: dict[int, list[Pair]] = {first: [] for first in tasks}
    for source, target in edges:
        lines[leader_of(source)].append((source, target))
    return [Part(tuple(tasks[first]), tuple(lines[first])) for first in tasks]
