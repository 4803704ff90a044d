"""DagSpec: the compiled form of a DAG, the same for every authoring format.

Shapes follow docs/authors/compiled-form.md. A `DagSpec` object is always valid:
`kiok.validation.validate` is the only place that makes one from untrusted data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

TASK_TYPES = ("shell", "python", "http", "livy", "trino", "ontul", "python_callable", "java")


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task. `timeout_ms` is in milliseconds; `config` maps names to strings."""

    id: str
    type: str = "shell"
    script: str | None = None
    requires: tuple[str, ...] = ()
    timeout_ms: int | None = None
    config: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, Any]:
        """Return the task in wire form; every key is present."""
        return {
            "id": self.id,
            "type": self.type,
            "script": self.script,
            "requires": list(self.requires),
            "timeoutMs": self.timeout_ms,
            "config": dict(self.config),
        }


@dataclass(frozen=True, slots=True)
class DagSpec:
    """A DAG. `default_timeout_ms` is in milliseconds; `tasks` and `tags` keep the authored order."""

    id: str
    name: str
    tasks: tuple[TaskSpec, ...]
    description: str | None = None
    schedule: str | None = None
    catchup: bool = False
    default_timeout_ms: int | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the DAG in wire form; every key is present, except `owner` and `tags` if they are not set.

        Absent keys keep the hash, and so the version, of DAGs that were compiled before these keys existed.
        """
        labels: dict[str, Any] = {} if self.owner is None else {"owner": self.owner}
        if self.tags:
            labels["tags"] = list(self.tags)
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "schedule": self.schedule,
            "catchup": self.catchup,
            "defaultTimeoutMs": self.default_timeout_ms,
            **labels,
            "tasks": [task.to_json() for task in self.tasks],
        }

    def canonical_json(self) -> str:
        """Return the canonical JSON: sorted keys, no white space, non-ASCII characters not escaped.

        Equal DAGs give equal bytes in every authoring format, so a new version is created only if
        the DAG really changed.
        """
        return json.dumps(
            self.to_json(),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )

    @property
    def sha256(self) -> str:
        """Hex digest of the canonical JSON in UTF-8."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()
