"""A layout by fast_sugiyama (rust-sugiyama): columns are chosen for short edges, rows for few crossings.

An edge over several columns gets a point in each column that it crosses, and the library places those points among the
boxes. Its result is used as the order and the preferred positions. The distances are enforced here, since the library's
own are sometimes too small: no box may overlap another box, and no line may cross a box.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from fast_sugiyama import from_edges

from kiok.metadata.graph.dependencies import Pair, column_numbers
from kiok.metadata.graph.part import Part, Placed, Point, in_columns
from kiok.metadata.graph.picture import NODE_GAP, NODE_HEIGHT, NODE_WIDTH

MAX_TASKS = 2_000
MAX_EDGES = 6_000
MAX_POINTS = 12_000  # tasks plus columns that edges cross

# Up to these sizes the total length of the edges is minimized, the step whose cost grows fastest.
MAX_SHORTENED_TASKS = 250
MAX_SHORTENED_EDGES = 600

LINE_GAP = 14  # between two lines that cross the same column
_BOX_ROOM = NODE_HEIGHT + NODE_GAP
_MIN_COLUMN_GAP, _MAX_COLUMN_GAP = 60, 260
_STEEPEST = 3  # vertical pixels per horizontal pixel, until the gap has its maximum width


def can_be_routed(part: Part) -> bool:
    """Return whether the part is small enough for a layout well within a second, with any edges."""
    if len(part.tasks) > MAX_TASKS or len(part.edges) > MAX_EDGES:
        return False
    columns = column_numbers(part.tasks, part.edges)
    crossed = sum(columns[target] - columns[source] - 1 for source, target in part.edges)
    return len(part.tasks) + crossed <= MAX_POINTS


def routed(part: Part) -> Placed:
    """Return the layout with lines routed around boxes."""
    if not part.edges:
        return in_columns(part)
    try:
        wishes, chains = _wishes(part)
    except BaseException as exc:
        # A Rust panic is not an Exception; it would end the process that serves the page.
        if type(exc).__name__ != "PanicException":
            raise
        return in_columns(part)
    return _placed(part, wishes, chains)


Wish = tuple[int, float]  # preferred (column, row), the row in units of _BOX_ROOM


def _wishes(part: Part) -> tuple[list[Wish], dict[Pair, list[int]]]:
    """Return the library's positions of boxes and line points, and the vertices of each edge.

    Vertices are numbers: tasks by their position in the part, then the points.
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
    """Return for each edge of the part the vertices from its source to its target."""
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
    """Return the middles in one column that keep order and distances, closest to the preferred ones (least squares).

    Without the space of all vertices before them, the middles must not decrease: neighbours that would are merged at their
    mean. https://en.wikipedia.org/wiki/Isotonic_regression
    """
    offsets = [0]
    for one, other in pairwise(vertices):
        boxes = (one < tasks) + (other < tasks)
        offsets.append(offsets[-1] + (LINE_GAP, (_BOX_ROOM + LINE_GAP) // 2, _BOX_ROOM)[boxes])
    blocks: list[tuple[float, int]] = []  # (sum, count)
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
    """Return the left edge of each column. The steeper the lines in a gap, the wider the gap."""
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
    """Return the points of a line: horizontal in each column that it crosses, slanted only in the gaps between columns."""
    first, *between, last = chain
    points = [(lefts[wishes[first][0]] + NODE_WIDTH, middles[first])]
    for vertex in between:
        left = lefts[wishes[vertex][0]]
        points += [(left, middles[vertex]), (left + NODE_WIDTH, middles[vertex])]
    return (*points, (lefts[wishes[last][0]], middles[last]))
