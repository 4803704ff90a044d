"""Search for cycles in a graph of named nodes, without recursion: a hostile graph may be a chain of 10 000 nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def find_cycles(edges: Mapping[str, Sequence[str]], limit: int = 10) -> list[list[str]]:
    """Return up to `limit` cycles that share no node, each as `[a, b, ..., a]`.

    A cycle starts at the node that comes first in `edges`; edges to unknown nodes are ignored.
    """
    order = {node: position for position, node in enumerate(edges)}
    done: set[str] = set()
    cycles: list[list[str]] = []
    while len(cycles) < limit:
        cycle = _cycle(edges, done)
        if cycle is None:
            break
        start = cycle.index(min(cycle, key=order.__getitem__))
        cycles.append([*cycle[start:], *cycle[:start], cycle[start]])
        done.update(cycle)
    return cycles


def _cycle(edges: Mapping[str, Sequence[str]], done: set[str]) -> list[str] | None:
    """Return a cycle outside `done`. Nodes that are on no cycle, or lead only to `done`, are added to `done`."""
    for root in edges:
        if root in done:
            continue
        path, on_path = [root], {root}
        pending = [iter(edges[root])]
        while pending:
            for node in pending[-1]:
                if node in on_path:
                    return path[path.index(node) :]
                if node in edges and node not in done:
                    path.append(node)
                    on_path.add(node)
                    pending.append(iter(edges[node]))
                    break
            else:
                pending.pop()
                on_path.discard(path[-1])
                done.add(path.pop())
    return None


def cycle_text(cycle: Sequence[str], limit: int = 12) -> str:
    """Return the text `a -> b -> a`; the middle of a long cycle is only counted."""
    if len(cycle) > limit:
        half = limit // 2
        hidden = len(cycle) - 2 * half
        cycle = [*cycle[:half], f"... ({hidden} more)", *cycle[-half:]]
    return " -> ".join(cycle)
