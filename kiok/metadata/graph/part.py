"""The connected parts of a graph, each laid out on its own, and their layout in plain columns.

That layout takes linear time: each task is right of those it requires, and edges are straight lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kiok.metadata.graph.dependencies import Pair, column_numbers
from kiok.metadata.graph.picture import NODE_GAP, NODE_HEIGHT, NODE_WIDTH

Point = tuple[int, int]

COLUMN_GAP = 80


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


def in_columns(part: Part) -> Placed:
    """Return the layout: tasks fill their columns from the top in the part's order. A long line may run under boxes."""
    columns = column_numbers(part.tasks, part.edges)
    filled: dict[int, int] = {}
    corners = {}
    for task in part.tasks:
        column = columns[task]
        row = filled.get(column, 0)
        filled[column] = row + 1
        corners[task] = (column * (NODE_WIDTH + COLUMN_GAP), row * (NODE_HEIGHT + NODE_GAP))
    lines = {
        (source, target): (
            (corners[source][0] + NODE_WIDTH, corners[source][1] + NODE_HEIGHT // 2),
            (corners[target][0], corners[target][1] + NODE_HEIGHT // 2),
        )
        for source, target in part.edges
    }
    return Placed(
        width=max(x for x, _ in corners.values()) + NODE_WIDTH,
        height=max(y for _, y in corners.values()) + NODE_HEIGHT,
        corners=corners,
        lines=lines,
    )
