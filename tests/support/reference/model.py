"""From the commits of a repository that were synced to all that the store must hold of it.

Written from the rules (docs/authors, ARCHITECTURE.md "Always true"), without the product's code. `synced` is the
whole of it; everything else are shapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

# A compiled DAG as the JSON object of docs/authors/compiled-form.md.
Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Authored:
    """A file as it was written, and what it means.

    `dags` are the specs it gives, by DAG id; a file that fails in part gives some and `fails`. One that gives none and
    does not fail is no DAG file. `is_keyed`: its DAGs' uids end in their ids (Python, jars, YAML of several documents).
    `text` is None for a jar, whose source is not stored.
    """

    text: str | None
    dags: Mapping[str, Spec] = field(default_factory=dict)
    fails: bool = False
    is_keyed: bool = False


# The files of a commit that are in the repository's scope, by path.
Files = Mapping[str, Authored]


@dataclass(frozen=True, slots=True)
class Served:
    """A DAG as it is served. `commit` is the one at which this text and spec came, the last good one while stale."""

    path: str
    dag_id: str
    spec: Spec
    text: str | None
    commit: str
    version: int
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """One entry of a DAG's history."""

    number: int
    spec: Spec
    text: str | None
    commit: str


@dataclass(frozen=True, slots=True)
class Store:
    """All that the store holds of one repository: DAGs by uid, and by uid their history, oldest first."""

    dags: Mapping[str, Served] = field(default_factory=dict)
    history: Mapping[str, tuple[Version, ...]] = field(default_factory=dict)


def synced(store: Store, repository: str, commit: str, files: Files) -> Store:
    """Return the content of the store after the sync of `commit`, whose files are `files`."""
    dags: dict[str, Served] = {}
    history = dict(store.history)
    for path, file in files.items():
        for dag_id, spec in file.dags.items():
            uid = f"{repository}/{path}" + (f"::{dag_id}" if file.is_keyed else "")
            last = store.dags.get(uid)
            if last and last.spec == spec and last.text == file.text and not last.is_stale:
                dags[uid] = last  # it says what it said
                continue
            if not last or last.spec != spec:  # new, returned, or changed: the next version
                versions = history.get(uid, ())
                history[uid] = (*versions, Version(len(versions) + 1, spec, file.text, commit))
            dags[uid] = Served(path, dag_id, spec, file.text, commit, version=len(history[uid]))
    for uid, last in store.dags.items():
        now = files.get(last.path)
        if now and now.fails and last.dag_id not in now.dags:  # failure is not absence
            dags[uid] = replace(last, is_stale=True)
    return Store(dags, history)


def after(repository: str, commits: Iterable[tuple[str, Files]], store: Store = Store()) -> Store:
    """Return the content of the store after the syncs of these commits, (id, files in scope) each, in order."""
    return reduce(lambda before, commit: synced(before, repository, *commit), commits, store)


def in_scope(files: Files, subpath: str = "") -> Files:
    """Those under the folder that is synced; "" is the whole repository."""
    return {path: file for path, file in files.items() if not subpath or path.startswith(f"{subpath}/")}
