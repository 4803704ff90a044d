"""Warnings about a DAG that is valid but will not run as written. The app that can find them registers itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DagWarning:
    """A warning: the text in the DAG that it is about, the ids of the tasks that contain it, and what is wrong."""

    subject: str
    tasks: tuple[str, ...]
    message: str

    def line(self, uid: str) -> str:
        """Return the warning as one line for logs and terminals. `uid` is that of the DAG."""
        return f"{uid}: {self.subject} in {self.named_tasks()}: {self.message}"

    def named_tasks(self, limit: int = 3) -> str:
        """Return `tasks load, store and 5 more`."""
        more = len(self.tasks) - limit
        names = ", ".join(self.tasks[:limit]) + (f" and {more} more" if more > 0 else "")
        return f"task{'s' if len(self.tasks) != 1 else ''} {names}"


# From the name of a DAG's repository and its spec to the warnings about it, as of now.
Find = Callable[[str, Any], Sequence[DagWarning]]


def _none(_repository: str, _spec: Any) -> Sequence[DagWarning]:
    return ()


_find: Find = _none


def find_with(find: Find) -> None:
    """Have `find` return the warnings about a DAG."""
    global _find
    _find = find


def warnings_of(repository: str, spec: Any) -> Sequence[DagWarning]:
    """Return the warnings about the DAG with this spec. They are computed now, so they never are out of date."""
    return _find(repository, spec)
