"""A layout in plain columns, in linear time: each task is right of those it requires, edges are straight lines."""

from __future__ import annotations

from kiok.metadata.graph.dependencies import column_numbers
from kiok.metadata.graph.part import Part, Placed
from kiok.metadata.graph.picture import NODE_GAP, NODE_HEIGHT, NODE_WIDTH

COLUMN_GAP = 80


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
