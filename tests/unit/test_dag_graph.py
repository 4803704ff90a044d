"""The layout of a DAG: complete, without overlap, deterministic, and fast for any spec."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.metadata.graph import DrawnGraph, DrawnNode, laid_out
from kiok.metadata.graph import routed as routed_module
from kiok.metadata.graph.dependencies import EVERY_EDGE_PER_TASK
from kiok.metadata.graph.routed import LINE_GAP, MAX_TASKS

Requires = list[list[int]]


def spec_of(requires: Requires) -> dict[str, Any]:
    """Return a spec whose task n requires the tasks of `requires[n]`."""
    tasks = [
        {"id": f"t{number}", "type": "shell", "requires": [f"t{one}" for one in required]}
        for number, required in enumerate(requires)
    ]
    return {"id": "d", "tasks": tasks}


@st.composite
def graphs(draw: st.DrawFn, max_tasks: int = 24) -> Requires:
    """Draw an acyclic graph with its tasks in any order."""
    tasks = draw(st.integers(0, max_tasks))
    shuffled = draw(st.permutations(range(tasks)))
    requires: Requires = [[] for _ in range(tasks)]
    for place, task in enumerate(shuffled):
        if place:
            requires[task] = draw(st.lists(st.sampled_from(shuffled[:place]), unique=True, max_size=6))
    return requires


def sparse(tasks: int, seed: int, *, most: int = 3, back: int = 30) -> Requires:
    chance = random.Random(seed)
    return [
        sorted({chance.randrange(max(0, task - back), task) for _ in range(chance.randint(0, most))})
        if task
        else []
        for task in range(tasks)
    ]


def edges_of(requires: Requires) -> set[tuple[str, str]]:
    return {(f"t{one}", f"t{task}") for task, required in enumerate(requires) for one in required}


def boxes_overlap(one: DrawnNode, other: DrawnNode) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def assert_no_box_lies_on_another(graph: DrawnGraph) -> None:
    fields: dict[tuple[int, int], list[DrawnNode]] = defaultdict(list)
    for node in graph.nodes:
        column, row = node.x // node.width, node.y // node.height
        near = [(column + right, row + down) for right in (-1, 0, 1) for down in (-1, 0, 1)]
        for other in (other for field in near for other in fields.get(field, ())):
            assert not boxes_overlap(node, other), (node, other)
        fields[column, row].append(node)


def crosses(box: DrawnNode, start: tuple[int, int], end: tuple[int, int]) -> bool:
    """Return whether a segment enters the inside of a box, tested at points at most a pixel apart."""
    (x1, y1), (x2, y2) = start, end
    left, right = max(x1, box.x + 1), min(x2, box.x + box.width - 1)
    if left > right:
        return False
    heights = [y1 + (y2 - y1) * (x - x1) / max(x2 - x1, 1) for x in (left, right)]
    return max(heights) > box.y and min(heights) < box.y + box.height


@given(graphs())
def test_each_task_is_one_box_and_each_requirement_one_edge(requires: Requires) -> None:
    graph = laid_out(spec_of(requires))
    assert [node.id for node in graph.nodes] == [f"t{number}" for number in range(len(requires))]
    assert {(edge.source, edge.target) for edge in graph.edges} == edges_of(requires)
    assert len(graph.edges) == len(edges_of(requires))
    if len(graph.edges) <= EVERY_EDGE_PER_TASK * len(requires):
        assert graph.implied == 0


@given(graphs())
def test_edges_that_are_not_drawn_are_implied_by_others(requires: Requires) -> None:
    graph = laid_out(spec_of(requires))
    following = defaultdict(set)
    for edge in graph.edges:
        if edge.points:
            following[edge.source].add(edge.target)
    for edge in graph.edges:
        if not edge.points:
            reached = {edge.source}
            pending = [edge.source]
            while pending:
                fresh = following[pending.pop()] - reached
                reached |= fresh
                pending += fresh
            assert edge.target in reached


@given(graphs())
def test_boxes_do_not_overlap_and_are_inside_the_picture(requires: Requires) -> None:
    graph = laid_out(spec_of(requires))
    assert_no_box_lies_on_another(graph)
    for node in graph.nodes:
        assert node.x >= 0
        assert node.y >= 0
        assert node.x + node.width <= graph.width
        assert node.y + node.height <= graph.height


@given(graphs())
def test_lines_go_from_left_to_right_and_cross_no_box(requires: Requires) -> None:
    graph = laid_out(spec_of(requires))
    boxes = {node.id: node for node in graph.nodes}
    for edge in graph.edges:
        if not edge.points:
            continue
        source, target = boxes[edge.source], boxes[edge.target]
        assert edge.points[0] == (source.x + source.width, source.y + source.height // 2)
        assert edge.points[-1] == (target.x, target.y + target.height // 2)
        for start, end in pairwise(edge.points):
            assert start[0] < end[0]
            assert not any(crosses(box, start, end) for box in graph.nodes)
        assert all(0 <= x <= graph.width and 0 <= y <= graph.height for x, y in edge.points)


@given(graphs())
def test_lines_through_the_same_column_do_not_overlap(requires: Requires) -> None:
    levels: dict[int, list[int]] = defaultdict(list)
    for edge in laid_out(spec_of(requires)).edges:
        for (x1, y1), (_, y2) in pairwise(edge.points[1:-1]):
            if y1 == y2:
                levels[x1].append(y1)
    for passing in levels.values():
        assert all(below - above >= LINE_GAP or below == above for above, below in pairwise(sorted(passing)))


def digest(graph: DrawnGraph) -> str:
    return hashlib.sha256(repr(graph).encode()).hexdigest()


def test_picture_is_the_same_in_every_process() -> None:
    program = (
        "from tests.unit.test_dag_graph import digest, laid_out, sparse, spec_of;"
        "print([digest(laid_out(spec_of(sparse(n, n, back=b)))) for n in (30, 300) for b in (3, 30)])"
    )
    output = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": str(seed), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(output) == 1
    assert len(set(output.pop().split(", "))) == 4


def complete(tasks: int) -> Requires:
    return [list(range(task)) for task in range(tasks)]


def in_layers(layers: int, width: int) -> Requires:
    """Return a spec in which each task requires all tasks of the layer before, so that no edge is implied."""
    return [
        [] if task < width else list(range(task // width * width - width, task // width * width))
        for task in range(layers * width)
    ]


def comb(tasks: int) -> Requires:
    """Return a chain whose last task also requires each task through another one: long lines, none implied."""
    chain = [[task - 1] if task else [] for task in range(tasks)]
    teeth = [[task] for task in range(tasks)]
    return [*chain, *teeth, [tasks + task for task in range(tasks)]]


HOSTILE = {
    "one chain": [[task - 1] if task else [] for task in range(10_000)],
    "a chain at the limit": [[task - 1] if task else [] for task in range(MAX_TASKS)],
    "no edges": [[] for _ in range(10_000)],
    "pairs": [[task - 1] if task % 2 else [] for task in range(2_000)],
    "all from one": [[0] if task else [] for task in range(10_000)],
    "everything requires everything": complete(400),
    "full layers": in_layers(20, 50),
    "full layers within the limits": in_layers(20, 17),
    "a comb": comb(3_000),
    "a comb within the limits": comb(100),
    "sparse": sparse(10_000, 1),
    "sparse within the limits": sparse(2_000, 2, most=2, back=40),
    "sparse with long edges": sparse(1_000, 3, most=3, back=1_000),
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_large_graph_is_laid_out_without_overlap(shape: str) -> None:
    graph = laid_out(spec_of(HOSTILE[shape]))
    assert len(graph.nodes) == len(HOSTILE[shape])
    assert len(graph.edges) == len(edges_of(HOSTILE[shape]))
    assert_no_box_lies_on_another(graph)


def test_plain_columns_are_used_if_the_library_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):  # as pyo3 names it
        pass

    def panics(*args: Any, **options: Any) -> None:
        raise PanicException

    monkeypatch.setattr(routed_module, "from_edges", panics)
    graph = laid_out(spec_of([[], [0], [1]]))
    assert [node.x for node in graph.nodes] == sorted({node.x for node in graph.nodes})
    assert all(edge.points for edge in graph.edges)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"tasks": None},
        {"tasks": "x"},
        {"tasks": [1, None, {}, {"id": None}, {"id": "a", "requires": "b"}]},
        {
            "tasks": [
                {"id": "a", "requires": ["a", "b", "nobody", "b"]},
                {"id": "b", "requires": ["a"]},
                {"id": "a"},
            ]
        },
    ],
)
def test_invalid_spec_raises_no_error(spec: dict[str, Any]) -> None:
    graph = laid_out(spec)
    assert_no_box_lies_on_another(graph)
    assert len({node.id for node in graph.nodes}) == len(graph.nodes)
