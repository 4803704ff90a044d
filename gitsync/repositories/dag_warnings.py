"""Warnings about references of DAGs to connections that their repository may not use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kiok.connections.usage import NOT_USABLE, unusable_in
from kiok.metadata.dag_warnings import DagWarning


def of_dags(repository: str, specs: Mapping[str, Any]) -> dict[str, list[DagWarning]]:
    """Return the warnings about several DAGs by their keys in `specs`. Needs one query if any contains a reference."""
    return {
        key: [DagWarning(text, tuple(tasks), NOT_USABLE) for text, tasks in of_one.items()]
        for key, of_one in unusable_in(repository, specs).items()
    }


def of_dag(repository: str, spec: Any) -> Sequence[DagWarning]:
    """Return the warnings about one DAG."""
    return of_dags(repository, {"": spec}).get("", ())
