"""Record of the DAGs that are created while a file is compiled, with the module whose code created each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec

from kiok.call_site import CallSite, call_site

_recordings: list[list[Creation]] = []  # one per compile in progress, the innermost last


@dataclass(frozen=True, slots=True)
class Creation:
    """One DAG that was created.

    `module` is the namespace of the module whose body was running, None where none was (a thread). `copied` is set
    for a copy (`copy.copy`, `copy.deepcopy`, `pickle`). The DAG is held, so that its id and address stay known when
    the file drops it.
    """

    dag: object
    module: dict[str, object] | None
    site: CallSite
    copied: bool


@contextmanager
def recording() -> Iterator[list[Creation]]:
    """Give the list to which every DAG that is created meanwhile is added, and release them at the end."""
    created: list[Creation] = []
    _recordings.append(created)
    try:
        yield created
    finally:
        _recordings.pop()


def record(dag: object, site: CallSite | None = None) -> None:
    """Record that `dag` is complete; without the `site` of its constructor it is a copy.

    Does nothing while no file is compiled.
    """
    if _recordings:
        _recordings[-1].append(Creation(dag, _running_module(), site or call_site(), copied=site is None))


def origin_of(module: dict[str, object] | None) -> str | None:
    """Return the file that a module's namespace was loaded from, None where that is unknown."""
    spec = _spec_of(module or {})
    return spec.origin if spec is not None and isinstance(spec.origin, str) else None


def _running_module() -> dict[str, object] | None:
    """Return the namespace of the innermost module body on the stack.

    Code that `exec` or `runpy` runs in a namespace of its own is no module: what it creates belongs to the module that
    runs it, since no other file gives the same.
    """
    frame = sys._getframe(2)
    while True:
        if frame.f_code.co_name == "<module>" and _spec_of(frame.f_globals) is not None:
            return frame.f_globals
        if frame.f_back is None:
            return None
        frame = frame.f_back


def _spec_of(namespace: dict[str, object]) -> ModuleSpec | None:
    spec = namespace.get("__spec__")
    return spec if type(spec) is ModuleSpec else None
