"""Sorting of a module's DAGs: registered, imported from another file, or not assigned to any name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from kiok.creations import Creation, origin_of
from kiok.dag import Dag
from kiok.errors import Diagnostic
from kiok.python_module import ModuleLocation
from kiok.text import shown, storable

MAX_LISTED = 10
_PACKAGE_FOLDERS = frozenset({"site-packages", "dist-packages"})
_MAX_ENTRIES = 10_000  # maximum of entries searched in one list, mapping or class


@dataclass(frozen=True, slots=True)
class HeldDags:
    """DAGs of a module, each once, in the order of their creation.

    - `own`: registered under the compiled file;
    - `imported`: created by another file of the repository (the key), and assigned to a name of its module;
    - `lost`: created by this file, but not assigned to a name of its module.
    """

    own: Sequence[Dag] = ()
    imported: Mapping[str, Sequence[Dag]] = field(default_factory=dict)
    lost: Sequence[Creation] = ()


def held_dags(namespace: dict[str, object], created: Sequence[Creation], place: ModuleLocation) -> HeldDags:
    """Sort the DAGs of a module that was run, by its namespace and by the DAGs that were created during the run."""
    held = dags_in(namespace)
    creations = {id(creation.dag): creation for creation in created}
    own: list[Dag] = []
    imported: dict[str, list[Dag]] = {}
    for dag in held:
        creator = _other_creator(creations.get(id(dag)), namespace, place)
        (own if creator is None else imported.setdefault(creator, [])).append(dag)
    return HeldDags(own, imported, _lost(held, created, namespace))


def dags_in(namespace: Mapping[str, object]) -> list[Dag]:
    """Return the DAGs among a module's values, each once, in the order of their creation."""
    # The type is checked, not the value: reading the __class__ of a lazy proxy may run any code.
    found = [value for value in list(namespace.values()) if issubclass(type(value), Dag)]
    unique: dict[int, Dag] = {id(dag): dag for dag in found if isinstance(dag, Dag)}
    return sorted(unique.values(), key=lambda dag: getattr(dag, "_order", -1))


def lost_message(held: HeldDags, namespace: Mapping[str, object], place: ModuleLocation) -> Diagnostic:
    """Return the error for the DAGs that are assigned to no module-level name, at the line of the first."""
    holders = _holders(namespace)
    listed = [_listed(creation, holders, place) for creation in held.lost[:MAX_LISTED]]
    if len(held.lost) > MAX_LISTED:
        listed.append(f"and {len(held.lost) - MAX_LISTED} more")
    kept, total = len(held.own), len(held.own) + len(held.lost)
    created = "1 DAG was" if total == 1 else f"{total} DAGs were"
    assigned = "none is" if kept == 0 else "1 is" if kept == 1 else f"{kept} are"
    message = (
        f"{created} created, {assigned} assigned to a module-level name, and only such a DAG is registered. "
        f"Not assigned: {', '.join(listed)}. Give each a name of its own: my_dag = Dag(...), "
        'or in a loop globals()["dag_" + name] = Dag(...)'
    )
    lines = [creation.site.line_in_file for creation in held.lost if creation.site.line_in_file]
    return Diagnostic(storable(message, 4_000), place.file, lines[0] if lines else None)


def _other_creator(
    creation: Creation | None, namespace: dict[str, object], place: ModuleLocation
) -> str | None:
    """Return the other file of the repository that registers the DAG, None if there is none.

    A file registers only DAGs that are assigned to a name of its module.
    """
    if creation is None or creation.module is None or creation.module is namespace:
        return None
    file = os.path.abspath(origin_of(creation.module) or place.file)  # noqa: PTH100 - keeps symbolic links
    if file == os.path.abspath(place.file) or not _is_of_the_repository(file, place):  # noqa: PTH100
        return None
    return place.name(file) if any(value is creation.dag for value in creation.module.values()) else None


def _is_of_the_repository(file: str, place: ModuleLocation) -> bool:
    """Return whether a file is in the place's folders, and not in a virtual environment there."""
    inside = any(file.startswith(folder.rstrip(os.sep) + os.sep) for folder in place.folders)
    return inside and not _PACKAGE_FOLDERS.intersection(Path(file).parts)


def _lost(held: Iterable[Dag], created: Iterable[Creation], namespace: dict[str, object]) -> list[Creation]:
    """Return the DAGs that the module created and that are assigned to none of its names.

    A template whose copy is assigned does not count, and neither does another copy of a DAG with the same id.
    """
    kept = list(held)
    addresses = {id(dag) for dag in kept}
    orders = {_attribute(dag, "_order", int) for dag in kept} - {None}
    ids = {_attribute(dag, "id", str) for dag in kept} - {None}
    return [
        creation
        for creation in created
        if (creation.module is None or creation.module is namespace)
        and id(creation.dag) not in addresses
        and not (
            _attribute(creation.dag, "id", str) in ids
            if creation.copied
            else _attribute(creation.dag, "_order", int) in orders
        )
    ]


def _attribute(dag: object, name: str, kind: type) -> object:
    """Return an attribute that has exactly this type, else None."""
    try:
        value = object.__getattribute__(dag, "__dict__").get(name)
    except BaseException:  # noqa: BLE001 - a subclass may define __dict__ as anything; then it is unknown
        return None
    return value if type(value) is kind else None


def _listed(creation: Creation, holders: Mapping[int, str], place: ModuleLocation) -> str:
    site, holder = creation.site, holders.get(id(creation.dag))
    where = [f"line {site.line_in_file}"] if site.line_in_file else []
    if site.file != place.file:
        where.append(f"called at {place.name(site.file)}:{site.line}")
    if holder:
        where.append(f"in {holder}")
    id_ = shown(_attribute(creation.dag, "id", str), 60)
    return f"{id_} ({', '.join(where)})" if where else id_


def _holders(namespace: Mapping[str, object]) -> dict[int, str]:
    """Return a description of the module-level container of each contained object, by the object's address."""
    found: dict[int, str] = {}
    for name, value in list(namespace.items()):
        kind, values = _contents(value)
        for entry in values:
            found.setdefault(id(entry), f"the {kind} {storable(name, 60)}")
    return found


def _contents(value: object) -> tuple[str, list[object]]:
    """Return the kind and the first values of a built-in container or a class."""
    kind = type(value)
    values: Iterable[object] = ()
    if kind in (list, tuple, set, frozenset):
        values = value  # type: ignore[assignment]
    elif kind is dict:
        values = value.values()  # type: ignore[attr-defined]
    elif kind is type:
        values = type.__getattribute__(value, "__dict__").values()
    return "class" if kind is type else kind.__name__, list(islice(values, _MAX_ENTRIES))
