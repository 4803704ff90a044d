"""A picture of a spec within limits, for whoever serves it to clients: laid out once per process, one at a time."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from kiok.metadata.graph.layout import laid_out
from kiok.metadata.graph.picture import DrawnGraph

MAX_TASKS = 1_000
MAX_DRAWN_EDGES = (
    4_000  # a picture with more is slow to come and to move in a browser, and shows nothing any more
)
MAX_REQUIREMENTS = 50_000  # more are not even laid out
MAX_REMEMBERED = 32  # pictures that a process keeps
MAX_REMEMBERED_EDGES = 200_000  # of all of them together, some 50 MiB


class GraphTooLarge(Exception):
    """The graph is not laid out. The message says its size and what is allowed."""


class _Pictures:
    """The last pictures, by a digest of what they are made of. One thread at a time makes one: each takes the CPU."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, DrawnGraph] = OrderedDict()

    def of(self, spec: Mapping[str, Any]) -> DrawnGraph:
        digest = _digest(spec)
        with self._lock:
            found = self._known.get(digest)
            if found is None:
                found = self._known[digest] = laid_out(spec)
            self._known.move_to_end(digest)
            self._forget()
        return found

    def _forget(self) -> None:
        while len(self._known) > MAX_REMEMBERED or (
            len(self._known) > 1
            and sum(len(graph.edges) for graph in self._known.values()) > MAX_REMEMBERED_EDGES
        ):
            self._known.popitem(last=False)


_pictures = _Pictures()


def bounded(spec: Mapping[str, Any]) -> DrawnGraph:
    """Return the picture of a spec. Raises GraphTooLarge where it has too many tasks, requirements or lines."""
    found = spec.get("tasks")
    tasks = [task for task in found if isinstance(task, dict)] if isinstance(found, list) else []
    requirements = sum(len(task.get("requires") or ()) for task in tasks)
    if len(tasks) > MAX_TASKS or requirements > MAX_REQUIREMENTS:
        raise GraphTooLarge(
            f"The DAG has {len(tasks)} tasks and {requirements} requirements; a graph is laid out up to {MAX_TASKS} "
            f"tasks and {MAX_REQUIREMENTS} requirements."
        )
    graph = _pictures.of(spec)
    lines = len(graph.edges) - graph.implied
    if lines > MAX_DRAWN_EDGES:
        raise GraphTooLarge(
            f"The DAG's graph has {lines} lines that no others imply; one with up to {MAX_DRAWN_EDGES} is drawn."
        )
    return graph


def _digest(spec: Mapping[str, Any]) -> str:
    """Return a digest of what a picture shows. The spec's stored hash would also differ by scripts, and is not checked."""
    tasks = [
        (str(task.get("id")), str(task.get("type")), [str(one) for one in task.get("requires") or ()])
        for task in spec.get("tasks") or ()
        if isinstance(task, dict)
    ]
    return hashlib.sha256(json.dumps(tasks).encode("utf-8", "surrogatepass")).hexdigest()
