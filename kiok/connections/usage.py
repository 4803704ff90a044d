"""Decision which connections the DAGs of a repository may use in references.

A connection is usable by everyone, by teams, by repositories, or (the default) by no repository. A connection that a
repository may not use does not exist for it: the answers for both are equal, so a DAG cannot find out which connections
other teams have. The use as git credential, webhook secret or trusted keys is not a reference and needs no grant.

This package knows repositories only by name. The app that owns them says which grants reach a repository.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Q

from kiok.connections import references
from kiok.connections.errors import MalformedReference
from kiok.connections.models import Connection
from kiok.connections.references import Reference

NOT_USABLE = "the connection does not exist or may not be used by this repository"
FORMS_BEGIN = ("${conn.", "${secret.")  # a text without both contains no reference
MAX_CHECKED = 100_000  # references that one call of `unusable_in` checks; bounds its memory

# From a repository's name to the condition on connections that a grant to it, or to one of its teams, reaches it.
Granted = Callable[[str], Q]

_granted: Granted | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The connection that a reference reads, and the key of the property; or the reason why it may not be resolved."""

    connection: str = ""
    key: str = ""
    reason: str = ""

    @property
    def is_allowed(self) -> bool:
        return not self.reason


def grant_by(granted: Granted) -> None:
    """Set the condition under which grants reach a repository. The app that owns the repositories calls this."""
    global _granted
    _granted = granted


def usable_by(repository: str) -> Q:
    """Return the condition on connections that the DAGs of a repository may use them.

    DAGs of no repository ("") may use only connections that are usable by everyone.
    """
    condition = Q(usable_by_all=True)
    return condition | _granted(repository) if repository and _granted else condition


def decide(repository: str, wanted: Iterable[Reference]) -> dict[str, Decision]:
    """Return by its text whether each reference may be resolved for a DAG of the repository. Needs one query.

    If several connections match a reference, it reads the one with the longest id that the repository may use:
    `${conn.lake.s3.key}` is the property `key` of `lake.s3`, otherwise `s3.key` of `lake`.
    """
    by_text = {reference.text: reference for reference in wanted}
    ids = {id for reference in by_text.values() for id, _ in reference.readings()}
    usable: set[str] = set()
    if ids:
        rows = Connection.objects.filter(usable_by(repository), pk__in=ids).order_by()
        usable.update(rows.values_list("pk", flat=True))
    return {text: _decision(reference, usable) for text, reference in by_text.items()}


def unusable_in(repository: str, specs: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Return the references that may not be resolved, each with the ids of its tasks, by the key of the DAG in `specs`.

    A DAG without such a reference is left out. Needs one query, and none if there are no references.
    """
    found: dict[str, dict[str, list[str]]] = {}
    wanted: dict[str, Reference] = {}
    used = ((key, task, reference) for key, spec in specs.items() for task, reference in _used_in(spec))
    for key, task, reference in islice(used, MAX_CHECKED):
        wanted[reference.text] = reference
        tasks = found.setdefault(key, {}).setdefault(reference.text, [])
        if tasks[-1:] != [task]:
            tasks.append(task)
    refused = {text for text, decision in decide(repository, wanted.values()).items() if decision.reason}
    left = {
        key: {text: tasks for text, tasks in of_dag.items() if text in refused}
        for key, of_dag in found.items()
    }
    return {key: of_dag for key, of_dag in left.items() if of_dag}


def _decision(reference: Reference, usable: Collection[str]) -> Decision:
    for connection, key in reference.readings():
        if connection in usable:
            return Decision(connection, key)
    return Decision(reason=NOT_USABLE)


def _used_in(spec: Any) -> Iterator[tuple[str, Reference]]:
    """Yield each reference of a compiled DAG with the id of its task."""
    tasks = spec.get("tasks") if isinstance(spec, Mapping) else None
    for task in tasks if isinstance(tasks, list) else ():
        if not isinstance(task, Mapping):
            continue
        config = task.get("config")
        values = config.values() if isinstance(config, Mapping) else ()
        for text in (task.get("script"), *values):
            if isinstance(text, str):
                for reference in _references_of(text):
                    yield str(task.get("id")), reference


def _references_of(text: str) -> Iterator[Reference]:
    """Yield the references of a text. Compiling has reported malformed ones; here they hide only their own line."""
    for line in text.split("\n") if any(beginning in text for beginning in FORMS_BEGIN) else ():
        try:
            yield from references.find(line)
        except MalformedReference:
            continue
