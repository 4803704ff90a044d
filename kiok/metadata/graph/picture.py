"""What a layout says: places in pixels, x to the right and y down, all of them whole numbers from 0."""

from __future__ import annotations

from dataclasses import dataclass

NODE_WIDTH = 200
NODE_HEIGHT = 40
NODE_GAP = 12  # between boxes one above the other


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A task's box; `x` and `y` are its upper left corner."""

    id: str
    type: str
    x: int
    y: int
    width: int = NODE_WIDTH
    height: int = NODE_HEIGHT


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """`target` requires `source`. `points` lead from the one's right side to the other's left side.

    No points: the edge is not drawn, since a longer way of drawn edges leads from source to target.
    """

    source: str
    target: str
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class DrawnGraph:
    """A whole picture. Nodes are in the spec's order, each once; edges in the order of their targets."""

    width: int
    height: int
    nodes: tuple[DrawnNode, ...]
    edges: tuple[DrawnEdge, ...]

    @property
    def implied(self) -> int:
        """How many edges are not drawn."""
        return sum(not edge.points for edge in self.edges)
