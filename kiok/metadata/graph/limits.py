"""Graph layouts with size limits, for pages and the API: cached per process, computed one at a time."""

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
MAX_DRAWN_EDGES = 4_000  # more edges are slow to load and to move in a browser, and unreadable
MAX_REQUIREMENTS = 50_000  # with more, no layout is computed
MAX_REMEMBERED = 32  # layouts cached per process
MAX_REMEMBERED_EDGES = 200_000  # in all cached layouts together, about 50 MiB


class GraphTooLarge(Exception):
    """The graph exceeds a limit. The message states its size and the limit."""


class _Pictures:
    """A cache of layouts by a digest of their input. One thread computes at a time: a layout needs a full CPU."""

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
    """Return the layout of a spec. Raise GraphTooLarge if it has too many tasks, requirements or lines."""
    found = spec.get("tasks")
    tasks = [task for task in found if isinstance(task, dict)] if isinstance(found, list) else []
    requirements = sum(len(task.get("requires") or ()) for task in tasks)
    if len(tasks) > MAX_TASKS or requirements > MAX_REQUIREMENTS:
        raise GraphTooLarge(
            f"The DAG has {len(tasks)} tasks and {requirements} requirements; the limits are {MAX_TASKS} "
            f"tasks and {MAX_REQUIREMENTS} requirements."
        )
    graph = _pictures.of(spec)
    lines = len(graph.edges) - graph.implied
    if lines > MAX_DRAWN_EDGES:
        raise GraphTooLarge(
            f"The DAG's graph has {lines} lines that no others imply; the limit is {MAX_DRAWN_EDGES}."
        )
    return graph


def _digest(spec: Mapping[str, Any]) -> str:
    """Return a digest of the layout's input. The stored hash of the spec also covers scripts, and is not verified."""
    tasks = [
        (str(task.get("id")), str(task.get("type")), [str(one) for one in task.get("requires") or ()])
        for task in spec.get("tasks") or ()
        if isinstance(task, dict)
    ]
    return hashlib.sha256(json.dumps(tasks).encode("utf-8", "surrogatepass")).hexdigest()
