"""Search for cycles in a graph of named nodes. `graphlib` needs no recursion: a hostile graph may be a chain of 10 000."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def find_cycles(edges: Mapping[str, Sequence[str]], limit: int = 10) -> list[list[str]]:
    """Return up to `limit` cycles that share no node, each as `[a, b, ..., a]`.

    A cycle starts at the node that comes first in `edges`; edges to unknown nodes are ignored.
    """
    left = dict.fromkeys(edges)  # in their order, which decides which cycles are found
    order = {node: position for position, node in enumerate(edges)}
    cycles: list[list[str]] = []
    while len(cycles) < limit and (cycle := _cycle(edges, left)):
        start = cycle.index(min(cycle, key=order.__getitem__))
        cycles.append([*cycle[start:], *cycle[:start], cycle[start]])
        for node in cycle:
            del left[node]
    return cycles


def _cycle(edges: Mapping[str, Sequence[str]], nodes: Mapping[str, object]) -> list[str]:
    """Return the nodes of a cycle among `nodes`, without the first one again at the end; none if there is no cycle."""
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(nodes, ()))
    for node in nodes:
        for other in edges[node]:
            if other in nodes:
                sorter.add(other, node)
    try:
        sorter.prepare()
    except CycleError as exc:
        cycle: list[str] = exc.args[1]
        return cycle[:-1]
    return []


def cycle_text(cycle: Sequence[str], limit: int = 12) -> str:
    """Return the text `a -> b -> a`; the middle of a long cycle is only counted."""
    if len(cycle) > limit:
        half = limit // 2
        hidden = len(cycle) - 2 * half
        cycle = [*cycle[:half], f"... ({hidden} more)", *cycle[-half:]]
    return " -> ".join(cycle)
