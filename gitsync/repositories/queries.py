"""Queries for lists, which read only the shown part of long JSON columns."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, F, IntegerField, OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Coalesce, Left

from gitsync.models import FileState, Repository, SourceFile, SyncRun
from gitsync.models.source_file import reason_text
from gitsync.repositories.states import with_queue
from kiok.metadata.json_length import JsonLength
from kiok.metadata.models import Dag, Origin

CHANGES = ("created", "updated", "pruned", "stale")
SHOWN_MESSAGE_CHARACTERS = 300


def counted_syncs(syncs: QuerySet[SyncRun]) -> QuerySet[Any]:
    """Annotate syncs with `n_created`, `n_updated`, `n_pruned`, `n_stale`, `n_problems`."""
    counts = {f"n_{name}": _length(KeyTransform(name, "changes")) for name in CHANGES}
    return syncs.defer("changes", "failed_files", "log").annotate(
        n_problems=_length(F("failed_files")), **counts
    )


def located_files(files: QuerySet[SourceFile]) -> QuerySet[Any]:
    """Annotate files with the first problem's `problem`, `problem_line`, `problem_column`, and with `n_problems`."""
    first = KeyTransform("0", "diagnostics")
    return files.defer("diagnostics").annotate(
        problem=Left(KeyTextTransform("message", first), SHOWN_MESSAGE_CHARACTERS, output_field=TextField()),
        problem_line=KeyTextTransform("line", first),
        problem_column=KeyTextTransform("column", first),
        n_problems=_length(F("diagnostics")),
    )


def reason_of(file: Any) -> str:
    """Return why a file from `located_files` contains no DAG or is ignored; "" if it was compiled or failed."""
    if file.state not in (FileState.NOT_A_DAG, FileState.IGNORED):
        return ""
    line = int(file.problem_line) if (file.problem_line or "").isdigit() else None
    return reason_text([{"message": file.problem, "line": line}])


def counted_repositories(repositories: QuerySet[Repository]) -> QuerySet[Any]:
    """Annotate repositories with `n_dags`, `n_stale`, `n_failed` (files), and with `is_queued` for their state."""
    dags = Dag.objects.filter(origin=Origin.GIT, repository=OuterRef("name"))
    failed = SourceFile.objects.filter(repository=OuterRef("pk"), state=FileState.FAILED)
    counted: QuerySet[Any] = with_queue(repositories).annotate(
        n_dags=_counted(dags, "repository"),
        n_stale=_counted(dags.filter(stale_since__isnull=False), "repository"),
        n_failed=_counted(failed, "repository"),
    )
    return counted


def _length(array: Any) -> Coalesce:
    return Coalesce(JsonLength(array), Value(0))


def _counted(rows: QuerySet[Any], group: str) -> Coalesce:
    counts = rows.order_by().values(group).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counts, output_field=IntegerField()), Value(0))
