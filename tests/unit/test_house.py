"""The layout: few modules at the root of gitsync, no import cycle, unique class names, short modules and names of tests."""

from __future__ import annotations

import ast
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gitsync", "compilers", "kiok")
OTHER_FOLDERS = ("benchmarks", "scripts", "soak", "tests")
MAX_ROOT_MODULES = 8
MAX_LINES = 350
MAX_TEST_NAME = 70  # characters
# Django's own names, and `Dag`: the authoring class and the row of the same thing.
SHARED_NAMES = {"Command", "Dag", "Media", "Meta", "Migration"}


def modules() -> list[Path]:
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(found) > 300
    return [path for path in found if "migrations" not in path.parts]


def test_the_root_of_gitsync_has_few_modules() -> None:
    found = sorted(path.name for path in (ROOT / "gitsync").glob("*.py"))
    assert len(found) <= MAX_ROOT_MODULES, found


def test_no_modules_import_each_other() -> None:
    """Imports that only type checkers follow count too."""
    imports = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False)
    graph = {name: imports.find_modules_directly_imported_by(name) for name in imports.modules}
    assert len(graph) > 300
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


def test_class_names_are_unique() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name not in SHARED_NAMES:
                where[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert {name: places for name, places in where.items() if len(places) > 1} == {}


def test_no_module_is_long() -> None:
    others = [path for folder in OTHER_FOLDERS for path in (ROOT / folder).rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): path.read_text("utf-8").count("\n") for path in modules() + others}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}


def test_names_of_tests_are_short() -> None:
    names = [
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert len(names) > 2000
    assert [name for name in names if len(name) > MAX_TEST_NAME] == []
