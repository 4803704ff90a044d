"""The evidence in a damaged file, found without any code of the product."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator

import yaml

# Keys of the formats. A document with any of them near its root is no proof that no DAG is meant.
VOCABULARY = frozenset(
    (
        *("dag", "dags", "tasks", "task", "id", "name", "description", "schedule", "catchup"),
        *("script", "type", "requires", "timeout", "config"),
    )
)


def is_proof(path: str, content: bytes) -> bool:
    """Return whether the file is valid and either has no sign of a DAG, or completely defines other DAGs."""
    if path.endswith(".py"):
        return _is_proof_in_python(content)
    if path.endswith(".jar"):
        return _is_intact_jar(content)
    return _is_proof_in_yaml(content)


def _is_proof_in_yaml(content: bytes) -> bool:
    try:
        documents = [item for item in yaml.safe_load_all(content.decode()) if item is not None]
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return False
    return bool(documents) and all(_is_dag(item) or not _has_trace(item) for item in documents)


def _is_dag(document: object) -> bool:
    if not isinstance(document, dict) or not isinstance(document.get("dag"), dict):
        return False
    return isinstance(document["dag"].get("id"), str) and bool(document.get("tasks"))


def _has_trace(document: object) -> bool:
    if not isinstance(document, dict | list):
        return True  # any text is valid YAML
    words = {str(key).strip().casefold() for key in _keys(document, 2)}
    return bool(words & VOCABULARY) or any(
        len(word) in (2, 3, 4) and set(word) & set("dag") for word in words
    )


def _keys(value: object, depth: int) -> Iterator[object]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict):
        yield from value
    if depth:
        for child in children:
            yield from _keys(child, depth - 1)


def _is_proof_in_python(content: bytes) -> bool:
    """Return whether the module can be parsed, and contains nothing of kiok or defines its DAGs itself."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return False
    if not tree.body:
        return False
    if b"kiok" not in content and b"Dag" not in content:
        return True
    made = [statement.value for statement in tree.body if isinstance(statement, ast.Assign)]
    return any(isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Dag" for call in made)


def _is_intact_jar(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as jar:
            return jar.testzip() is None
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError):
        return False
