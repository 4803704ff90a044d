"""The complete layout: each part of a graph is laid out on its own, then the parts are placed on shelves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any

from kiok.metadata.graph.dependencies import drawn, read
from kiok.metadata.graph.part import Placed, Point, in_columns, parts
from kiok.metadata.graph.picture import NODE_GAP, DrawnEdge, DrawnGraph, DrawnNode
from kiok.metadata.graph.routed import can_be_routed, routed

MARGIN = 10
PART_GAP = 2 * NODE_GAP
WIDTH_TO_HEIGHT = 1.8  # approximate ratio of several parts together, like a screen


def laid_out(spec: Mapping[str, Any]) -> DrawnGraph:
    """Return the layout of a spec's tasks. Never raises for a spec that is valid JSON; see ADR 19 for its cost."""
    graph = read(spec)
    lines = drawn(graph)
    placed = [routed(part) if can_be_routed(part) else in_columns(part) for part in parts(graph.order, lines)]
    corners: dict[int, Point] = {}
    points: dict[tuple[int, int], tuple[Point, ...]] = {}
    width = height = 0
    for part, (right, down) in zip(placed, _shelves(placed), strict=True):
        for task, (x, y) in part.corners.items():
            corners[task] = (x + right, y + down)
        for edge, line in part.lines.items():
            points[edge] = tuple((x + right, y + down) for x, y in line)
        width = max(width, right + part.width)
        height = max(height, down + part.height)
    return DrawnGraph(
        width=width + MARGIN,
        height=height + MARGIN,
        nodes=tuple(
            DrawnNode(graph.ids[task], graph.types[task], *corners[task]) for task in range(len(graph.ids))
        ),
        edges=tuple(
            DrawnEdge(graph.ids[source], graph.ids[target], points.get((source, target), ()))
            for source, target in graph.edges
        ),
    )


def _shelves(placed: Sequence[Placed]) -> Iterator[Point]:
    """Yield a corner for each part: from left to right, then on a new shelf below when the width is used up."""
    area = sum((part.width + PART_GAP) * (part.height + PART_GAP) for part in placed)
    limit = max([sqrt(area * WIDTH_TO_HEIGHT), *(part.width for part in placed)])
    x = y = MARGIN
    shelf_height = 0
    for part in placed:
        if x > MARGIN and x + part.width > MARGIN + limit:
            x, y, shelf_height = MARGIN, y + shelf_height + PART_GAP, 0
        yield x, y
        x += part.width + PART_GAP
        shelf_height = max(shelf_height, part.height)
