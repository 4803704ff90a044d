"""Tasks and their dependencies, read from a stored spec; tasks are numbered by their position in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Pair = tuple[int, int]  # (source, target): the target requires the source

# Edges per task up to which all edges are drawn; with more, edges that others imply are left out.
EVERY_EDGE_PER_TASK = 2

# In larger graphs no implied edges are searched: they are too large to draw anyway.
MAX_REDUCED_TASKS = 2_000
MAX_REDUCED_EDGES = 100_000


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The graph of a spec. Every edge goes from an earlier to a later task of `order`."""

    ids: tuple[str, ...]
    types: tuple[str, ...]
    edges: tuple[Pair, ...]
    order: tuple[int, ...]


def read(spec: Mapping[str, Any]) -> Dependencies:
    """Return the graph of a spec. Skip what no valid spec has: malformed tasks, unknown ids, duplicate ids, cycles."""
    found = spec.get("tasks")
    tasks: dict[str, Mapping[str, Any]] = {}
    for task in found if isinstance(found, list) else []:
        if isinstance(task, dict) and "id" in task:
            tasks.setdefault(str(task["id"]), task)
    number = {id: place for place, id in enumerate(tasks)}
    edges = [
        (number[required], target)
        for target, task in enumerate(tasks.values())
        for required in _requires(task)
        if required in number
    ]
    order = _in_order(len(tasks), edges)
    place = {task: position for position, task in enumerate(order)}
    return Dependencies(
        ids=tuple(tasks),
        types=tuple(str(task.get("type") or "") for task in tasks.values()),
        edges=tuple((source, target) for source, target in edges if place[source] < place[target]),
        order=tuple(order),
    )


def _requires(task: Mapping[str, Any]) -> Iterable[str]:
    found = task.get("requires")
    return dict.fromkeys(str(required) for required in found) if isinstance(found, list) else ()


def _in_order(tasks: int, edges: Sequence[Pair]) -> list[int]:
    """Return the tasks in topological order; tasks on cycles come last, as authored."""
    following: list[list[int]] = [[] for _ in range(tasks)]
    missing = [0] * tasks
    for source, target in edges:
        following[source].append(target)
        missing[target] += 1
    order = [task for task in range(tasks) if not missing[task]]
    for task in order:  # grows during the loop
        for target in following[task]:
            missing[target] -= 1
            if not missing[target]:
                order.append(target)
    seen = set(order)
    return order + [task for task in range(tasks) if task not in seen]


def drawn(graph: Dependencies) -> set[Pair]:
    """Return the edges to draw: all, or the transitive reduction if there are too many to read."""
    tasks = len(graph.ids)
    edges = len(graph.edges)
    if edges <= EVERY_EDGE_PER_TASK * tasks or tasks > MAX_REDUCED_TASKS or edges > MAX_REDUCED_EDGES:
        return set(graph.edges)
    return _reduced(graph)


def _reduced(graph: Dependencies) -> set[Pair]:
    """Return the edges that are not implied by a longer path. Task sets are bits of an int, fast in dense graphs too."""
    place = {task: position for position, task in enumerate(graph.order)}
    required: list[list[int]] = [[] for _ in graph.ids]
    for source, target in graph.edges:
        required[target].append(source)
    before = [0] * len(graph.ids)
    kept: set[Pair] = set()
    for target in graph.order:
        reached = 0
        for source in sorted(required[target], key=place.__getitem__, reverse=True):
            if not reached >> source & 1:
                kept.add((source, target))
                reached |= before[source] | 1 << source
        before[target] = reached
    return kept


def column_numbers(order: Iterable[int], edges: Iterable[Pair]) -> dict[int, int]:
    """Return the length of the longest chain to each task of `order`."""
    required: dict[int, list[int]] = {}
    for source, target in edges:
        required.setdefault(target, []).append(source)
    columns: dict[int, int] = {}
    for task in order:
        columns[task] = max((columns[source] + 1 for source in required.get(task, ())), default=0)
    return columns
