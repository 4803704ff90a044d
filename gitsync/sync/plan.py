"""Step "plan": what a commit changes in the metadata store. Pure functions: no database, no clock.

The rules are the invariants (ARCHITECTURE.md): only DAGs that are provably gone are pruned, and a file that
fails keeps its last good DAGs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from compilers.result import FileResult, FileStatus, failed
from kiok.errors import Diagnostic
from kiok.spec import DagSpec


class Recorded(NamedTuple):
    """Stored DAG of this repository. `text` is only read if its file was compiled.

    A sync creates one for each DAG of the repository; a tuple takes a third of the time of a frozen dataclass.
    """

    uid: str
    dag_id: str
    source_path: str
    spec_hash: str
    version: int
    stale_reason: str | None = None
    image: str = ""
    text: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedDag:
    """Valid DAG of the commit."""

    uid: str
    spec: DagSpec
    spec_json: str
    spec_hash: str
    file: FileResult

    @property
    def source_path(self) -> str:
        return self.file.source.path


@dataclass(frozen=True, slots=True)
class Stale:
    """Stale DAG: its file fails, and its last good version keeps serving."""

    uid: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes to apply. `refreshed` DAGs keep their spec and version, but their text, image or staleness changed.

    `files` are all files of the commit, whether compiled now or reused from the cached result.
    """

    created: tuple[PlannedDag, ...] = ()
    updated: tuple[tuple[PlannedDag, Recorded], ...] = ()
    refreshed: tuple[tuple[PlannedDag, Recorded], ...] = ()
    unchanged: tuple[str, ...] = ()
    pruned: tuple[str, ...] = ()
    stale: tuple[Stale, ...] = ()
    files: tuple[FileResult, ...] = ()

    @property
    def failed_files(self) -> tuple[FileResult, ...]:
        return tuple(file for file in self.files if file.status is FileStatus.FAILED)

    @property
    def compiled_files(self) -> tuple[FileResult, ...]:
        return tuple(file for file in self.files if not file.reused)

    @property
    def would_empty(self) -> bool:
        """Return whether the plan prunes every stored DAG and adds none."""
        left = (self.created, self.updated, self.refreshed, self.unchanged, self.stale)
        return bool(self.pruned) and not any(left)

    @property
    def changes(self) -> dict[str, list[str]]:
        """Return the uids by kind of change, as shown to people and stored with the sync."""
        return {
            "created": [found.uid for found in self.created],
            "updated": [found.uid for found, _ in self.updated],
            "pruned": list(self.pruned),
            "stale": [stale.uid for stale in self.stale],
        }


def make_plan(
    repository: str,
    files: Sequence[FileResult],
    recorded: Iterable[Recorded],
    taken: Mapping[str, str] | None = None,
    earlier_doubts: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Plan:
    """Compare a commit's files with the stored DAGs of the same repository.

    `taken` maps uids that belong to another origin to a description of the owner; a file that uses one fails with that
    message. `earlier_doubts` are the messages of the doubts that a path had when its DAGs last served: the same doubt
    now says nothing about a missing DAG. The stored DAGs of a reused file stay as they are, served or stale.
    """
    reused = {file.source.path for file in files if file.reused}
    known = {item.uid: item for item in recorded}
    unchanged: list[str] = []
    stale: list[Stale] = []
    uids_by_path: dict[str, set[str]] = {}
    for dag in known.values():
        if dag.source_path not in reused:
            uids_by_path.setdefault(dag.source_path, set()).add(dag.uid)
        elif dag.stale_reason is None:
            unchanged.append(dag.uid)
        else:
            stale.append(Stale(dag.uid, dag.stale_reason))
    judged = []
    found: dict[str, PlannedDag] = {}
    for file in files:
        if file.reused:
            judged.append(file)
            continue
        result, dags = _judge(
            repository,
            file,
            uids_by_path.get(file.source.path, set()),
            taken or {},
            earlier_doubts.get(file.source.path, ()),
        )
        judged.append(result)
        found.update((item.uid, item) for item in dags)

    created, updated, refreshed = [], [], []
    for item in found.values():
        before = known.get(item.uid)
        if before is None:
            created.append(item)
        elif before.spec_hash != item.spec_hash:
            updated.append((item, before))
        elif _needs_refresh(item, before):
            refreshed.append((item, before))
        else:
            unchanged.append(item.uid)

    missing = [item for item in known.values() if item.uid not in found and item.source_path not in reused]
    now_stale, pruned = _sort_the_missing(missing, found, judged)
    return Plan(
        created=tuple(created),
        updated=tuple(updated),
        refreshed=tuple(refreshed),
        unchanged=tuple(unchanged),
        pruned=tuple(sorted(pruned)),
        stale=tuple(sorted((*stale, *now_stale), key=lambda item: item.uid)),
        files=tuple(judged),
    )


def uid_of(repository: str, source_path: str, dag_id: str | None) -> str:
    """Return a DAG's unique id (docs/authors/compiled-form.md, "Identity"). `dag_id` None: the file contains one DAG."""
    base = f"{repository}/{source_path}"
    return base if dag_id is None else f"{base}::{dag_id}"


def _judge(
    repository: str,
    file: FileResult,
    recorded_uids: set[str],
    taken: Mapping[str, str],
    earlier_doubts: Collection[str],
) -> tuple[FileResult, list[PlannedDag]]:
    """Return the file as the plan uses it, with a doubt about a stored DAG turned into a failure, and its DAGs.

    A result that depends on the store gets no cache key, because the store may differ at the next sync.
    """
    if file.doubts and not file.keyed and _are_keyed(repository, file, recorded_uids):
        # A document in doubt counts as a document, so that the other documents keep their uids.
        file = replace(file, keyed=True)
    found = _found_in(repository, file)
    doubts = tuple(doubt for doubt in file.doubts if doubt.message not in earlier_doubts)
    if doubts and recorded_uids - {item.uid for item in found}:
        # A DAG is missing, but parts of the file were not understood, which does not prove that the DAG is gone.
        problems = file.diagnostics if file.status is FileStatus.FAILED else ()
        file = replace(file, status=FileStatus.FAILED, diagnostics=(*problems, *doubts), key="")
        return file, [replace(item, file=file) for item in found]
    for item in found:
        if item.uid in taken:
            message = f"the id {item.uid!r} belongs to {taken[item.uid]}"
            return failed(file.source, message, text=file.text), []
    return file, found


def _found_in(repository: str, file: FileResult) -> list[PlannedDag]:
    found = []
    for spec in file.dags:
        uid = uid_of(repository, file.source.path, spec.id if file.keyed else None)
        text = spec.canonical_json()
        found.append(PlannedDag(uid, spec, text, hashlib.sha256(text.encode()).hexdigest(), file))
    return found


def _are_keyed(repository: str, file: FileResult, recorded_uids: set[str]) -> bool:
    """Return whether the uids of a YAML file's stored DAGs contain the DAG ids."""
    return bool(recorded_uids) and uid_of(repository, file.source.path, None) not in recorded_uids


def _needs_refresh(item: PlannedDag, before: Recorded) -> bool:
    return (
        before.stale_reason is not None
        or item.file.text != before.text
        or (item.file.image or "") != before.image
    )


def _sort_the_missing(
    missing: Iterable[Recorded], found: Mapping[str, PlannedDag], files: Sequence[FileResult]
) -> tuple[list[Stale], list[str]]:
    """Split the stored DAGs that the compile did not give: stale if their file failed, else pruned.

    A file that gains or loses a second YAML document changes its DAGs' uids. If it fails in part, a stored DAG whose id
    was found under its new uid is superseded, not stale: otherwise it would serve twice.
    """
    failures = {file.source.path: file for file in files if file.status is FileStatus.FAILED}
    given = {(item.source_path, item.spec.id) for item in found.values()}
    stale, pruned = [], []
    for item in missing:
        failure = failures.get(item.source_path)
        if failure is None or (item.source_path, item.dag_id) in given:
            pruned.append(item.uid)
        else:
            stale.append(Stale(item.uid, _reason(failure.diagnostics)))
    return stale, pruned


def _reason(diagnostics: Sequence[Diagnostic]) -> str:
    if not diagnostics:
        return "its file failed"
    rest = len(diagnostics) - 1
    return str(diagnostics[0]) + (f" (and {rest} more)" if rest else "")
