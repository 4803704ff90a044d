"""Which tests show which rule, read from their source: nothing is imported or run for it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
MARKERS = ("rule", "case")


@dataclass(frozen=True, slots=True, order=True)
class MarkedTest:
    """A test function; `path` is relative to the folder of the tests."""

    path: str
    name: str


def marked_tests(marker: str, tests: Path = TESTS) -> dict[str, list[MarkedTest]]:
    """The tests that carry `pytest.mark.<marker>(id, ...)`, themselves or by their class, by id."""
    found: dict[str, set[MarkedTest]] = defaultdict(set)
    for path in sorted(tests.rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if f"pytest.mark.{marker}(" not in source:  # parsing every test takes seconds
            continue
        for name, ids in _functions(ast.parse(source, str(path)), marker, ()):
            for one in ids:
                found[one].add(MarkedTest(path.relative_to(tests).as_posix(), name))
    return {one: sorted(tests_of) for one, tests_of in found.items()}


def _functions(
    node: ast.Module | ast.ClassDef, marker: str, inherited: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for item in node.body:
        if isinstance(item, ast.ClassDef):
            yield from _functions(item, marker, inherited + _ids(item.decorator_list, marker))
        elif isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and item.name.startswith("test_"):
            yield item.name, inherited + _ids(item.decorator_list, marker)


def _ids(decorators: list[ast.expr], marker: str) -> tuple[str, ...]:
    return tuple(
        argument.value
        for decorator in decorators
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{marker}"
        for argument in decorator.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )
