"""The context of `kiok/graph.html`, which draws a DAG's graph as SVG without a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from unicodedata import east_asian_width

from kiok.metadata.graph import DrawnEdge, DrawnGraph, GraphTooLarge, bounded
from kiok.text import reveal_hidden

# Latin characters that fit into a box at 13 px; East Asian characters count as two.
LABEL_COLUMNS = 20
_LABEL_END = 7  # columns kept from the end, where names often differ

_LETTERS = {
    "shell": "S",
    "python": "P",
    "http": "H",
    "livy": "L",
    "trino": "T",
    "ontul": "O",
    "python_callable": "C",
    "java": "J",
}
UNKNOWN_LETTER = "?"


@dataclass(frozen=True, slots=True)
class Box:
    """A task's box: upper left corner, label, and row number in the table of tasks."""

    number: int
    id: str
    label: str
    type: str
    tone: str
    letter: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Line:
    """An edge: an SVG path, and the row numbers of its two tasks."""

    source: int
    target: int
    path: str


def of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context of `kiok/graph.html`; `boxes` is empty for a graph that is too large to draw."""
    tasks = spec.get("tasks")
    tasks = tasks if isinstance(tasks, list) else []
    size = {"n_tasks": len(tasks), "boxes": (), "lines": ()}
    try:
        graph = bounded(spec)
    except GraphTooLarge:
        return size
    number = {node.id: place for place, node in enumerate(graph.nodes, 1)}
    return size | {
        "width": graph.width,
        "height": graph.height,
        "boxes": _boxes(graph),
        "lines": [
            Line(number[edge.source], number[edge.target], _path(edge)) for edge in graph.edges if edge.points
        ],
        "implied": graph.implied,
        "legend": _legend(graph),
    }


def _boxes(graph: DrawnGraph) -> list[Box]:
    return [
        Box(
            number=place,
            id=reveal_hidden(node.id),
            label=shortened(reveal_hidden(node.id)),
            type=reveal_hidden(node.type),
            tone=_tone(node.type),
            letter=_LETTERS.get(node.type, UNKNOWN_LETTER),
            x=node.x,
            y=node.y,
        )
        for place, node in enumerate(graph.nodes, 1)
    ]


def _legend(graph: DrawnGraph) -> list[dict[str, str]]:
    """Return the legend of the task types that occur."""
    found = {node.type for node in graph.nodes}
    known = [
        {"tone": _tone(type), "letter": letter, "word": type.replace("_", " ")}
        for type, letter in _LETTERS.items()
        if type in found
    ]
    other = [{"tone": _tone(""), "letter": UNKNOWN_LETTER, "word": "other"}] if found - set(_LETTERS) else []
    return known + other


def _tone(type: str) -> str:
    """Return a class of dag.css. An unknown type's text never becomes a class."""
    return f"type-{type.replace('_', '-')}" if type in _LETTERS else "type-other"


def shortened(name: str) -> str:
    """Return a name that fits into a box, without its middle if it is too long."""
    if _columns(name) <= LABEL_COLUMNS:
        return name
    end = _fitting(name[::-1], _LABEL_END)[::-1]
    return f"{_fitting(name, LABEL_COLUMNS - 1 - _columns(end))}…{end}"


def _fitting(name: str, columns: int) -> str:
    for place, character in enumerate(name):
        columns -= _columns(character)
        if columns < 0:
            return name[:place]
    return name


def _columns(name: str) -> int:
    return sum(2 if east_asian_width(character) in "WFA" else 1 for character in name)


def _path(edge: DrawnEdge) -> str:
    """Return a path that is horizontal in columns, and curved in the gaps between them."""
    (x, y), *_ = edge.points
    parts = [f"M{x} {y}"]
    for (x1, y1), (x2, y2) in pairwise(edge.points):
        middle = (x1 + x2) // 2
        parts.append(f"H{x2}" if y1 == y2 else f"C{middle} {y1} {middle} {y2} {x2} {y2}")
    return "".join(parts)
