"""kiok: write workflow DAGs in Python.

    from kiok import Dag, conn, secret

The authoring API is `Dag`, `Task`, `conn` and `secret`; it needs only the standard library.
The names are imported on first use, so `python3 -m kiok.compile` can move the current folder (which may
contain a `json.py`) behind the standard library before it imports anything else.
"""

from __future__ import annotations

# Not imported from `typing`, which imports many modules.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from kiok.dag import Dag, Task
    from kiok.refs import conn, secret

__all__ = ["Dag", "Task", "conn", "secret"]

_HOMES = {"Dag": "kiok.dag", "Task": "kiok.dag", "conn": "kiok.refs", "secret": "kiok.refs"}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'kiok' has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
