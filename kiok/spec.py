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

from kiok.params import ParamSpec

TASK_TYPES = ("shell", "python", "http", "livy", "trino", "ontul", "python_callable", "java")
CONTAINER_TYPES = ("shell", "python", "python_callable", "java")  # tasks that run in a container


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task. `timeout_ms` and `retry_delay_ms` are in milliseconds; `config` maps names to strings."""

    id: str
    type: str = "shell"
    script: str | None = None
    requires: tuple[str, ...] = ()
    timeout_ms: int | None = None
    config: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    retries: int | None = None
    retry_delay_ms: int | None = None
    runs: str | None = None
    image: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the task in wire form: every key up to `config`, and the later ones that are set."""
        return {
            "id": self.id,
            "type": self.type,
            "script": self.script,
            "requires": list(self.requires),
            "timeoutMs": self.timeout_ms,
            "config": dict(self.config),
            **_set(retries=self.retries, retryDelayMs=self.retry_delay_ms, runs=self.runs, image=self.image),
        }


@dataclass(frozen=True, slots=True)
class DagSpec:
    """A DAG. Names that end in `_ms` are in milliseconds; `tasks` and `tags` keep the authored order."""

    id: str
    name: str
    tasks: tuple[TaskSpec, ...]
    description: str | None = None
    schedule: str | None = None
    catchup: bool = False
    default_timeout_ms: int | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    timezone: str | None = None
    max_active_runs: int | None = None
    overlap: str | None = None
    catchup_window_ms: int | None = None
    params: tuple[ParamSpec, ...] = ()
    retries: int | None = None
    retry_delay_ms: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the DAG in wire form: every key up to `defaultTimeoutMs`, the later ones that are set, and `tasks`.

        Absent keys keep the hash, and so the version, of DAGs that were compiled before these keys existed.
        """
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "schedule": self.schedule,
            "catchup": self.catchup,
            "defaultTimeoutMs": self.default_timeout_ms,
            **_set(
                owner=self.owner,
                tags=list(self.tags) or None,
                timezone=self.timezone,
                maxActiveRuns=self.max_active_runs,
                overlap=self.overlap,
                catchupWindowMs=self.catchup_window_ms,
                params={param.name: param.to_json() for param in self.params} or None,
                retries=self.retries,
                retryDelayMs=self.retry_delay_ms,
            ),
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


def _set(**optional: Any) -> dict[str, Any]:
    """Return the keys that are set."""
    return {key: value for key, value in optional.items() if value is not None}
