"""A DAG's graph as `kiok/graph.html` draws it: an SVG that needs no script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from unicodedata import east_asian_width

from kiok.metadata.admin.reveal_hidden import visible
from kiok.metadata.graph import DrawnEdge, DrawnGraph, GraphTooLarge, bounded

LABEL_COLUMNS = 20
"""How many Latin characters fit into a box, at 13 px; what East Asian scripts write is two wide."""
_LABEL_END = 7  # of them, kept from the end: names often differ there

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
    """A task's box: upper left corner, what is written in it, and its place in the table of tasks."""

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
    """An edge: an SVG path, and the numbers of the tasks at its ends."""

    source: int
    target: int
    path: str


def of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The context of `kiok/graph.html`; `boxes` is empty for a graph too large to be drawn."""
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
            id=visible(node.id),
            label=shortened(visible(node.id)),
            type=visible(node.type),
            tone=_tone(node.type),
            letter=_LETTERS.get(node.type, UNKNOWN_LETTER),
            x=node.x,
            y=node.y,
        )
        for place, node in enumerate(graph.nodes, 1)
    ]


def _legend(graph: DrawnGraph) -> list[dict[str, str]]:
    """The types that occur, as people read them."""
    found = {node.type for node in graph.nodes}
    known = [
        {"tone": _tone(type), "letter": letter, "word": type.replace("_", " ")}
        for type, letter in _LETTERS.items()
        if type in found
    ]
    other = [{"tone": _tone(""), "letter": UNKNOWN_LETTER, "word": "other"}] if found - set(_LETTERS) else []
    return known + other


def _tone(type: str) -> str:
    """A class of dag.css; a type's own text never becomes one."""
    return f"type-{type.replace('_', '-')}" if type in _LETTERS else "type-other"


def shortened(name: str) -> str:
    """A name that fits into a box, its middle left out where it is too long."""
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
    """Level through columns; in the gaps between them a curve that begins and ends level."""
    (x, y), *_ = edge.points
    parts = [f"M{x} {y}"]
    for (x1, y1), (x2, y2) in pairwise(edge.points):
        middle = (x1 + x2) // 2
        parts.append(f"H{x2}" if y1 == y2 else f"C{middle} {y1} {middle} {y2} {x2} {y2}")
    return "".join(parts)
