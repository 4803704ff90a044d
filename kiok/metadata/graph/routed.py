"""A part placed by fast_sugiyama (rust-sugiyama): columns chosen for short edges, rows for few crossings.

An edge over several columns gets a point in each that it crosses, and the library gives those points places among the
boxes. What comes back is taken as order and wish. The distances are kept here: the library's own are at times too small,
and no box may lie upon another, nor a line upon a box.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from fast_sugiyama import from_edges

from kiok.metadata.graph.columns import in_columns
from kiok.metadata.graph.dependencies import Pair, column_numbers
from kiok.metadata.graph.part import Part, Placed, Point
from kiok.metadata.graph.picture import NODE_GAP, NODE_HEIGHT, NODE_WIDTH

MAX_TASKS = 2_000
MAX_EDGES = 6_000
MAX_POINTS = 12_000
"""Tasks, and columns that edges cross."""

MAX_SHORTENED_TASKS = 250
MAX_SHORTENED_EDGES = 600
"""Up to here the sum of all edges' lengths is made as small as can be; what that costs grows fastest."""

LINE_GAP = 14  # between two lines that pass one column
_BOX_ROOM = NODE_HEIGHT + NODE_GAP
_MIN_COLUMN_GAP, _MAX_COLUMN_GAP = 60, 260
_STEEPEST = 3  # pixels down or up for each to the right, until the gap is at its widest


def can_be_routed(part: Part) -> bool:
    """Whether it is small enough to be placed well within a second, whatever its edges."""
    if len(part.tasks) > MAX_TASKS or len(part.edges) > MAX_EDGES:
        return False
    columns = column_numbers(part.tasks, part.edges)
    crossed = sum(columns[target] - columns[source] - 1 for source, target in part.edges)
    return len(part.tasks) + crossed <= MAX_POINTS


def routed(part: Part) -> Placed:
    """The part with its lines led around boxes."""
    if not part.edges:
        return in_columns(part)
    try:
        wishes, chains = _wishes(part)
    except BaseException as exc:
        # A panic in Rust is no Exception; it would end the process that serves the page.
        if type(exc).__name__ != "PanicException":
            raise
        return in_columns(part)
    return _placed(part, wishes, chains)


Wish = tuple[int, float]
"""(column, row), the row in units of a box's room."""


def _wishes(part: Part) -> tuple[list[Wish], dict[Pair, list[int]]]:
    """Where the library wants boxes and the points of lines, and which vertices each edge leads over.

    Vertices are numbers: tasks by their place in the part, then the points.
    """
    number = {task: place for place, task in enumerate(part.tasks)}
    small = len(part.tasks) <= MAX_SHORTENED_TASKS and len(part.edges) <= MAX_SHORTENED_EDGES
    layouts = from_edges(
        [(number[source], number[target]) for source, target in part.edges],
        minimum_length=1,
        vertex_spacing=1,
        dummy_vertices=True,
        dummy_size=LINE_GAP / _BOX_ROOM,
        ranking_type="minimize" if small else "up",
        crossing_minimization="barycenter",
        transpose=small,
        check_layout=False,
    )
    ((positions, _, _, edges),) = layouts
    tasks = len(part.tasks)
    points = sorted(int(vertex) for vertex, _ in positions if int(vertex) >= tasks)
    renumbered = {vertex: vertex for vertex in range(tasks)} | {
        vertex: tasks + place for place, vertex in enumerate(points)
    }
    bottom = max(y for _, (_, y) in positions)
    wishes: list[Wish] = [(0, 0.0)] * len(positions)
    for vertex, (x, y) in positions:
        wishes[renumbered[int(vertex)]] = (round(bottom - y), x)
    return wishes, _chains(
        part, tasks, [(renumbered[int(one)], renumbered[int(other)]) for one, other in edges or ()]
    )


def _chains(part: Part, tasks: int, steps: Sequence[Pair]) -> dict[Pair, list[int]]:
    """For each of the part's edges the vertices from its source to its target."""
    following = {one: other for one, other in steps if one >= tasks}
    chains = {}
    for one, other in steps:
        if one < tasks:
            chain = [one, other]
            while chain[-1] >= tasks:
                chain.append(following[chain[-1]])
            chains[part.tasks[one], part.tasks[chain[-1]]] = chain
    return chains


def _placed(part: Part, wishes: Sequence[Wish], chains: dict[Pair, list[int]]) -> Placed:
    tasks = len(part.tasks)
    columns: dict[int, list[int]] = defaultdict(list)
    for vertex, (column, _) in enumerate(wishes):
        columns[column].append(vertex)
    middles: dict[int, int] = {}
    for vertices in columns.values():
        vertices.sort(key=lambda vertex: (wishes[vertex][1], vertex))
        middles.update(_spread(vertices, [wishes[vertex][1] * _BOX_ROOM for vertex in vertices], tasks))
    top = min(middle - (NODE_HEIGHT // 2 if vertex < tasks else 0) for vertex, middle in middles.items())
    middles = {vertex: middle - top for vertex, middle in middles.items()}
    lefts = _lefts(len(columns), wishes, middles, chains)
    corners = {
        task: (lefts[wishes[vertex][0]], middles[vertex] - NODE_HEIGHT // 2)
        for vertex, task in enumerate(part.tasks)
    }
    return Placed(
        width=lefts[-1] + NODE_WIDTH,
        height=max(
            middle + (NODE_HEIGHT // 2 if vertex < tasks else 0) for vertex, middle in middles.items()
        ),
        corners=corners,
        lines={edge: _line(chain, wishes, middles, lefts) for edge, chain in chains.items()},
    )


def _spread(vertices: Sequence[int], wished: Sequence[float], tasks: int) -> dict[int, int]:
    """Middles in one column, nearest to those wished (least squares) that keep order and distances.

    Less the room that all before them take, they must not fall: neighbours that would are put together at their mean.
    https://en.wikipedia.org/wiki/Isotonic_regression
    """
    offsets = [0]
    for one, other in pairwise(vertices):
        boxes = (one < tasks) + (other < tasks)
        offsets.append(offsets[-1] + (LINE_GAP, (_BOX_ROOM + LINE_GAP) // 2, _BOX_ROOM)[boxes])
    blocks: list[tuple[float, int]] = []  # sum, and how many
    for wish, offset in zip(wished, offsets, strict=True):
        total, count = wish - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / count:
            before = blocks.pop()
            total, count = total + before[0], count + before[1]
        blocks.append((total, count))
    means = [total / count for total, count in blocks for _ in range(count)]
    return {
        vertex: math.floor(mean + 0.5) + offset
        for vertex, mean, offset in zip(vertices, means, offsets, strict=True)
    }


def _lefts(
    columns: int, wishes: Sequence[Wish], middles: dict[int, int], chains: dict[Pair, list[int]]
) -> list[int]:
    """Where each column begins: the steeper the lines in a gap, the wider it is."""
    steepest = [0] * columns
    for chain in chains.values():
        for one, other in pairwise(chain):
            column = wishes[one][0]
            steepest[column] = max(steepest[column], abs(middles[one] - middles[other]))
    lefts = [0]
    for column in range(columns - 1):
        gap = min(max(steepest[column] // _STEEPEST, _MIN_COLUMN_GAP), _MAX_COLUMN_GAP)
        lefts.append(lefts[-1] + NODE_WIDTH + gap)
    return lefts


def _line(
    chain: Sequence[int], wishes: Sequence[Wish], middles: dict[int, int], lefts: Sequence[int]
) -> tuple[Point, ...]:
    """Level through every column that is crossed, slanting only in the gaps, where no box is."""
    first, *between, last = chain
    points = [(lefts[wishes[first][0]] + NODE_WIDTH, middles[first])]
    for vertex in between:
        left = lefts[wishes[vertex][0]]
        points += [(left, middles[vertex]), (left + NODE_WIDTH, middles[vertex])]
    return (*points, (lefts[wishes[last][0]], middles[last]))
