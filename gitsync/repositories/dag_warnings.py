"""Warnings about references of DAGs to connections that their repository may not use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kiok.connections.usage import NOT_USABLE, unusable_in
from kiok.metadata.dag_warnings import DagWarning

NAMED_TASKS = 3  # in a line of text


def of_dag(repository: str, spec: Any) -> Sequence[DagWarning]:
    """Return the warnings about a DAG, with one query if it contains references."""
    found = unusable_in(repository, {"": spec}).get("", {})
    return [DagWarning(text, tuple(tasks), NOT_USABLE) for text, tasks in found.items()]


def as_lines(repository: str, specs: Mapping[str, Any]) -> list[str]:
    """Return the warnings about several DAGs as lines that begin with the DAG's key, with one query at most."""
    return [
        f"{key}: {text} in {_named(tasks)}: {NOT_USABLE}"
        for key, of_dag in unusable_in(repository, specs).items()
        for text, tasks in of_dag.items()
    ]


def _named(tasks: Sequence[str]) -> str:
    more = len(tasks) - NAMED_TASKS
    names = ", ".join(tasks[:NAMED_TASKS]) + (f" and {more} more" if more > 0 else "")
    return f"task{'s' if len(tasks) != 1 else ''} {names}"
