"""`Task`: a task of a DAG written in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from kiok.call_site import call_site
from kiok.config_values import ConfigValueError, encode
from kiok.text import shown


class TaskOwner(Protocol):
    """The DAG of a task, whose module imports this one."""

    id: str


class Task:
    """A task of a DAG, created by `Dag.task` and similar methods. Other tasks name it in `requires`."""

    def __init__(
        self,
        dag: TaskOwner,
        id: str,
        type: str,
        script: str | None,
        requires: Requires,
        timeout: str | None,
        config: Mapping[str, Any] | None,
        retries: int | None = None,
        retry_delay: str | None = None,
        runs: str | None = None,
        image: str | None = None,
    ) -> None:
        self.dag = dag
        self.id = id
        self.type = type
        self.script = script
        self.timeout = timeout
        self.retries = retries
        self.retry_delay = retry_delay
        self.runs = runs
        self.image = image
        self._site = call_site()
        self._problems: list[tuple[str, str]] = []
        self.requires = self._read_requires(requires)
        self.config = self._read_config(config)

    def __repr__(self) -> str:
        return f"<Task {shown(self.id)}>"

    def _wrong(self, key: str, message: str) -> None:
        self._problems.append((key, message))

    def _read_requires(self, requires: object) -> object:
        """Return a list of task ids; a value of another type stays unchanged, and validation reports it."""
        if requires is None:
            return []
        if isinstance(requires, str | Task):
            requires = [requires]
        if not isinstance(requires, list | tuple):
            return requires
        return [self._required_id(required) for required in requires]

    def _required_id(self, required: object) -> object:
        if not isinstance(required, Task):
            return required
        if required.dag is not self.dag:
            other = f"the task {shown(required.id)} belongs to another DAG, {shown(required.dag.id)}"
            self._wrong("requires", other)
        return required.id

    def _read_config(self, config: object) -> object:
        """Return the config in wire form, as a copy: later changes of the mapping do not affect the task."""
        if not isinstance(config, Mapping):
            return config
        read: dict[object, str] = {}
        for key, value in config.items():
            try:
                read[key] = encode(value)
            except ConfigValueError as error:
                self._wrong(key if isinstance(key, str) else "config", str(error))
        return read


Requires: TypeAlias = str | Task | Sequence[str | Task] | None
