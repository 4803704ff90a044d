"""The result of a layout: positions in pixels, x to the right and y down, all integers from 0."""

from __future__ import annotations

from dataclasses import dataclass

NODE_WIDTH = 200
NODE_HEIGHT = 40
NODE_GAP = 12  # vertical distance between boxes


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """The box of a task; `x` and `y` are its upper left corner."""

    id: str
    type: str
    x: int
    y: int
    width: int = NODE_WIDTH
    height: int = NODE_HEIGHT


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """An edge: `target` requires `source`. `points` lead from the right side of the source to the left side of the target.

    An edge without points is not drawn, since a longer path of drawn edges leads from source to target.
    """

    source: str
    target: str
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class DrawnGraph:
    """A complete layout. Nodes are in the order of the spec, edges in the order of their targets."""

    width: int
    height: int
    nodes: tuple[DrawnNode, ...]
    edges: tuple[DrawnEdge, ...]

    @property
    def implied(self) -> int:
        """Return the number of edges that are not drawn."""
        return sum(not edge.points for edge in self.edges)
