"""Cached results: each file's last compile, from which the compilers decide whether it must be compiled again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable

from django.db.models import TextField
from django.db.models.functions import Cast

from compilers.build_cache import CachedResult
from compilers.result import FileStatus
from gitsync.models import FileState, Repository, SourceFile
from gitsync.sync.plan import Recorded
from kiok.cluster.clock import database_now
from kiok.errors import Diagnostic


def cached_results(
    repository: Repository, recorded: Iterable[Recorded], *, retry_now: bool = False
) -> dict[str, CachedResult]:
    """Return the cached result of each path whose DAGs are all still stored.

    If the store has fewer DAGs than the file gave, or stale ones of a file that did not fail, something else changed
    them. Such a file has no cached result and is compiled again. The same holds for a failed file whose retry is due;
    with `retry_now` every retry is.
    """
    now = database_now()
    served, stale = Counter[str](), Counter[str]()
    specs: dict[str, list[tuple[str, str]]] = {}
    for item in recorded:
        specs.setdefault(item.source_path, []).append((item.dag_id, item.spec_hash))
        (served if item.stale_reason is None else stale)[item.source_path] += 1
    rows = (
        SourceFile.objects.filter(repository=repository)
        .exclude(compile_key="")
        # As text: nearly all rows have no diagnostics, and decoding JSON takes longer than reading the row.
        .annotate(problems=Cast("diagnostics", TextField()))
        .values_list(
            "path", "state", "dags", "problems", "image_digest", "compile_key", "traced_accesses", "retry_at"
        )
    )
    known = {}
    for path, state, dags, problems, image, key, traced_accesses, retry_at in rows:
        if retry_at is not None and (retry_now or retry_at <= now):
            continue
        if served[path] != dags or (stale[path] and state != FileState.FAILED):
            continue
        known[path] = CachedResult(
            key=key,
            traced_accesses=tuple(traced_accesses.split("\n")) if traced_accesses else (),
            image=image,
            status=FileStatus(state),
            diagnostics=() if problems == "[]" else tuple(map(Diagnostic.from_json, json.loads(problems))),
            retry=retry_at is not None,
            dags=tuple(specs.get(path, ())),
        )
    return known


def earlier_doubts(repository: Repository, paths: Collection[str]) -> dict[str, frozenset[str]]:
    """Return the messages of the doubts that each of `paths` had at its last compile without a failure.

    The file's DAGs were registered then, so none of these doubts is about one of them. Failed paths are left out.
    """
    if not paths:
        return {}
    rows = SourceFile.objects.filter(repository=repository, path__in=paths, state=FileState.COMPILED)
    return {
        path: frozenset(str(item.get("message", "")) for item in diagnostics)
        for path, diagnostics in rows.values_list("path", "diagnostics")
    }
