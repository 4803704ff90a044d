"""Record of the DAGs that are created while a file is compiled, with the module that created each."""

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
    """The creation of a DAG.

    `module` is the namespace of the module whose body was running, None if none was (a thread). `copied` is true
    for a copy (`copy.copy`, `copy.deepcopy`, `pickle`). The reference keeps the DAG alive, so that its id and address
    stay known when the file drops it.
    """

    dag: object
    module: dict[str, object] | None
    site: CallSite
    copied: bool


@contextmanager
def recording() -> Iterator[list[Creation]]:
    """Yield the list to which every DAG that is created in the block is added."""
    created: list[Creation] = []
    _recordings.append(created)
    try:
        yield created
    finally:
        _recordings.pop()


def record(dag: object, site: CallSite | None = None) -> None:
    """Record that `dag` was created; without the `site` of its constructor it is a copy.

    Does nothing while no file is being compiled.
    """
    if _recordings:
        _recordings[-1].append(Creation(dag, _running_module(), site or call_site(), copied=site is None))


def origin_of(module: dict[str, object] | None) -> str | None:
    """Return the file that a module's namespace was loaded from, None if it is unknown."""
    spec = _spec_of(module or {})
    return spec.origin if spec is not None and isinstance(spec.origin, str) else None


def _running_module() -> dict[str, object] | None:
    """Return the namespace of the innermost module body on the stack.

    Code that `exec` or `runpy` runs in a separate namespace is not a module: the DAGs that it creates belong to the module
    that runs it, since no other file creates them.
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
