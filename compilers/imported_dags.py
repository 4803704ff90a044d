"""Decide which file registers a DAG that one Python file creates and another imports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from compilers.build_cache import CachedResult, is_source
from compilers.result import EVERYTHING, FileResult, FileStatus, status_of
from kiok.compiled import bounded, imported_message, repeated_message
from kiok.errors import Diagnostic
from kiok.spec import DagSpec


def settle(
    result: FileResult, files: Mapping[str, FileResult], known: Mapping[str, CachedResult]
) -> FileResult:
    """Return the result with each imported DAG either registered under it or left to its creator.

    `files` are the results of all sources of the commit by path, `known` the cached results of those that were not
    compiled now. A DAG belongs to the file that created it. The importing file registers it if the creator is no source
    (outside the subpath, excluded by `.kiokignore`) or does not define the same DAG itself, because the importing file
    changed it: no DAG disappears by being imported. If the creator failed, nothing is proven, and the DAG is a doubt.
    """
    dags: list[DagSpec] = list(result.dags)
    problems = list(result.diagnostics) if result.status is FileStatus.FAILED else []
    doubts = list(result.doubts)
    elsewhere: dict[str, int] = {}
    traced_accesses, is_final = result.traced_accesses, True
    for group in result.imported:
        creator = files.get(group.path)
        given = _given_by(creator, known)
        left = [dag for dag in group.dags if (dag.id, dag.sha256) not in given]
        if len(left) < len(group.dags):
            elsewhere[group.path] = len(group.dags) - len(left)
        if creator is not None and creator.status is FileStatus.FAILED:
            doubts += [_doubt(dag, group.path, result.source.path) for dag in left]
            is_final = is_final and not (left and creator.retry)
        else:
            dags += left
            problems += group.diagnostics
        # If more counts than the fact that the creator is a source, all inputs of the creator's result count.
        is_settled = creator is None or not (left or group.diagnostics)
        traced_accesses = _with(traced_accesses, is_source(group.path) if is_settled else EVERYTHING[0])
    dags, repeated = _distinct(dags, result.source.path)
    problems += repeated
    reason = Diagnostic(imported_message(elsewhere), result.source.path) if elsewhere else None
    status, diagnostics = status_of(result.source, dags, problems, doubts, reason)
    return replace(
        result,
        status=status,
        dags=tuple(dags),
        diagnostics=bounded(diagnostics),
        doubts=tuple(doubts),
        imported=(),
        traced_accesses=traced_accesses if is_final else None,
    )


def _given_by(creator: FileResult | None, known: Mapping[str, CachedResult]) -> frozenset[tuple[str, str]]:
    """Return the id and the hash of each DAG that a file defines itself."""
    if creator is None:
        return frozenset()
    if creator.reused:
        return frozenset(known[creator.source.path].dags)
    return frozenset((dag.id, dag.sha256) for dag in creator.dags)


def _doubt(dag: DagSpec, creator: str, path: str) -> Diagnostic:
    return Diagnostic(
        f"this DAG is imported from {creator}, which failed. It is registered under {creator} once that file compiles",
        path,
        dag=dag.id,
    )


def _with(traced_accesses: tuple[str, ...] | None, question: str) -> tuple[str, ...] | None:
    if traced_accesses is None or traced_accesses == EVERYTHING:
        return traced_accesses
    return EVERYTHING if question in EVERYTHING else tuple(dict.fromkeys((*traced_accesses, question)))


def _distinct(dags: list[DagSpec], path: str) -> tuple[list[DagSpec], list[Diagnostic]]:
    """Return the DAGs whose id occurs once, and a problem for each other id."""
    counts = {id_: count for id_, count in Counter(dag.id for dag in dags).items() if count > 1}
    problems = [Diagnostic(repeated_message(count), path, dag=id_, key="id") for id_, count in counts.items()]
    return [dag for dag in dags if dag.id not in counts], problems
