"""Explanation of why a Python file that was run has no DAG, and whether it was probably meant to have one."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType

from kiok.dag import Dag
from kiok.errors import Diagnostic
from kiok.python_module import ModuleLocation, comes_from
from kiok.text import storable

NO_KIOK = "it does not import kiok"
_MENTION = re.compile(rb"\bkiok\b")
_DAG_MODULES = ("kiok", "kiok.dag")
_MAIN = "__main__"
_REMEDY = (
    "A DAG must be created while the file is imported, and assigned to a module-level name; "
    "to remove a DAG for good, delete the file or list it in .kiokignore"
)


def no_dag_reason(
    source: bytes, namespace: dict[str, object], place: ModuleLocation
) -> tuple[Diagnostic, bool]:
    """Return why the module has no DAG, and whether that is in doubt.

    It is in doubt if the module can reach `Dag`, by its own import or through a module of the repository: a function
    that is not called, or a condition that is false, removes its DAGs without any change of its text.
    """
    try:
        found = _read(source) if _MENTION.search(source) else _Found()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Python compiled the source, but its syntax tree may still be too deep.
        return Diagnostic(f"it mentions kiok but creates no DAG. {_REMEDY}", place.file), True
    if found.line is not None or _holds_dag(namespace):
        line = found.line or 1
        message = f"it imports Dag (line {line}) but creates no DAG: {_why(found)}. {_REMEDY}"
        return Diagnostic(message, place.file, found.call or line), True
    helper = _helper_with_dag(namespace, place)
    if helper is not None:
        message = f"it imports {helper}, which imports Dag, but creates no DAG. {_REMEDY}"
        return Diagnostic(storable(message, 1_000), place.file), True
    return Diagnostic("it does not import Dag from kiok" if found.imports else NO_KIOK, place.file), False


@dataclass(slots=True)
class _Found:
    """Uses of kiok in the text of a file: the first import of Dag, and the first call of it that did not run."""

    imports: bool = False
    line: int | None = None
    call: int | None = None
    function: str | None = None
    guard: int | None = None
    main: int | None = None
    modules: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


def _why(found: _Found) -> str:
    if found.call is None:
        return "it never calls Dag"
    if found.guard is not None:
        return (
            f'the call in line {found.call} is under `if __name__ == "__main__":` (line {found.guard}), '
            "which is never true for a DAG file"
        )
    if found.function is None:
        return f"the call in line {found.call} was not reached"
    why = f"the call in line {found.call} is in {found.function!r}, which was not called"
    if found.main is not None:
        why += f'; code under `if __name__ == "__main__":` (line {found.main}) does not run'
    return why


def _read(source: bytes) -> _Found:
    """Read the text of a file that Python has compiled."""
    found = _Found()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        _read_import(node, found)
        if isinstance(node, ast.ClassDef) and any(_is_dag(base, found) for base in node.bases):
            found.names.add(node.name)
        if isinstance(node, ast.If) and _is_main_guard(node) and found.main is None:
            found.main = node.lineno
    for node, function, guard in _placed(tree):
        if isinstance(node, ast.Call) and _is_dag(node.func, found):
            found.call, found.function, found.guard = node.lineno, function, guard
            break
    return found


def _read_import(node: ast.AST, found: _Found) -> None:
    if isinstance(node, ast.ImportFrom) and not node.level and node.module in _DAG_MODULES:
        found.imports = True
        names = {alias.asname or alias.name for alias in node.names if alias.name in ("Dag", "*")}
        found.names |= {"Dag" if name == "*" else name for name in names}
        modules = {alias.asname or alias.name for alias in node.names if alias.name == "dag"}
        found.modules |= modules
        if names or modules:
            found.line = min(found.line or node.lineno, node.lineno)
    elif isinstance(node, ast.Import):
        names = {
            alias.asname or alias.name.partition(".")[0] for alias in node.names if alias.name in _DAG_MODULES
        }
        found.modules |= names
        if names:
            found.imports = True
            found.line = min(found.line or node.lineno, node.lineno)
    elif isinstance(node, ast.Constant) and node.value in _DAG_MODULES:
        # For example importlib.import_module("kiok").
        found.line = min(found.line or node.lineno, node.lineno)


def _is_dag(node: ast.expr, found: _Found) -> bool:
    """Return whether an expression names the class: `Dag`, `kiok.Dag`, `kiok.dag.Dag`."""
    if isinstance(node, ast.Name):
        return node.id in found.names
    if not isinstance(node, ast.Attribute) or node.attr != "Dag":
        return False
    root = node.value.value if isinstance(node.value, ast.Attribute) else node.value
    return isinstance(root, ast.Name) and root.id in found.modules


def _is_main_guard(node: ast.If) -> bool:
    compared = {part.value for part in ast.walk(node.test) if isinstance(part, ast.Constant)}
    names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
    return _MAIN in compared and "__name__" in names


def _placed(tree: ast.AST) -> Iterator[tuple[ast.AST, str | None, int | None]]:
    """Yield every node in text order, with its enclosing function and the line of its enclosing main guard."""
    waiting: list[tuple[ast.AST, str | None, int | None]] = [(tree, None, None)]
    while waiting:
        node, function, guard = waiting.pop()
        yield node, function, guard
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = function or node.name
        elif isinstance(node, ast.Lambda):
            function = function or "a lambda"
        elif isinstance(node, ast.If) and _is_main_guard(node):
            guard = guard or node.lineno
        waiting += [(child, function, guard) for child in reversed(list(ast.iter_child_nodes(node)))]


def _holds_dag(namespace: dict[str, object]) -> bool:
    """Return whether a name of a module refers to the class `Dag`, a subclass, or its module."""
    for value in list(namespace.values()):
        kind = type(value)
        if kind is ModuleType:
            name = ModuleType.__getattribute__(value, "__dict__").get("__name__")
            if name in _DAG_MODULES:
                return True
        # Compared by identity: a metaclass may run any code in a comparison.
        elif issubclass(kind, type):
            bases = type.__getattribute__(value, "__mro__")
            if any(base is Dag for base in bases):
                return True
    return False


def _helper_with_dag(namespace: dict[str, object], place: ModuleLocation) -> str | None:
    """Return the file of a module of the repository that this run has imported and that has `Dag`."""
    for module in list(sys.modules.values()):
        if type(module) is not ModuleType or module.__dict__ is namespace:
            continue
        file, name = module.__dict__.get("__file__"), module.__dict__.get("__name__")
        if isinstance(name, str) and name.partition(".")[0] == "kiok":
            continue
        if isinstance(file, str) and comes_from(module, place.folders) and _holds_dag(module.__dict__):
            return place.name(file)
    return None
