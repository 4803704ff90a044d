"""Queries for all failing files of all repositories, and the stale DAGs that they serve."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, Count, F, Func, JSONField, Q, QuerySet, Value, Window
from django.db.models.functions import Greatest, RowNumber

from gitsync.models import FileState, SourceFile
from kiok.metadata.json_length import JsonLength
from kiok.metadata.models import Dag, Origin

SHOWN_PROBLEMS = 5  # per file; its row has all
SHOWN_DAGS = 5  # per file


@dataclass(frozen=True, slots=True)
class FailingFileFilter:
    """Filter for failing files: the name of a repository and a text in path or message, "" for any."""

    repository: str
    text: str


def failing_files(user: Any, wanted: FailingFileFilter) -> QuerySet[SourceFile, Any]:
    """Return the files that failed at the last applied commit, newest failure first, each as a dictionary.

    `problems` are the first few as stored. `last_seen` also counts later good syncs: an unchanged file is not compiled
    again, but still fails at each applied commit.
    """
    files = SourceFile.objects.filter(state=FileState.FAILED).visible_to(user)
    if wanted.repository:
        files = files.filter(repository__name=wanted.repository)
    if wanted.text:
        files = files.filter(Q(path__icontains=wanted.text) | Q(_message_contains(wanted.text)))
    return files.order_by(F("first_failed_at").desc(nulls_last=True), "-pk").values(
        "pk",
        "path",
        "repository_id",
        "first_failed_at",
        "retry_at",
        "commit_sha",
        repository_name=F("repository__name"),
        last_seen=Greatest("last_failed_at", "repository__last_good_at"),
        n_problems=JsonLength(F("diagnostics")),
        problems=Func(
            F("diagnostics"),
            template=f"jsonb_path_query_array(%(expressions)s, '$[0 to {SHOWN_PROBLEMS - 1}]')",
            output_field=JSONField(),
        ),
    )


def served(files: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[Any]]:
    """Return the stale DAGs of files by (repository, path): the first few of each file, with their total number."""
    rows = list(files)
    of_one_file = [F("repository"), F("source_path")]
    dags = (
        Dag.objects.filter(
            origin=Origin.GIT,
            stale_since__isnull=False,
            repository__in={row["repository_name"] for row in rows},
            source_path__in={row["path"] for row in rows},
        )
        .annotate(
            number=Window(Count("*"), partition_by=of_one_file),
            place=Window(RowNumber(), partition_by=of_one_file, order_by="uid"),
        )
        .filter(place__lte=SHOWN_DAGS)
        .order_by("uid")
        .values("uid", "repository", "source_path", "commit_sha", "number")
    )
    found: dict[tuple[str, str], list[Any]] = {}
    for dag in dags:
        found.setdefault((dag["repository"], dag["source_path"]), []).append(dag)
    return found


def _message_contains(text: str) -> Func:
    """Return a condition: a message of the file contains `text`, literally and regardless of case.

    The pattern of `like_regex` must be part of the path, as a string literal with JSON's escapes
    (https://www.postgresql.org/docs/current/datatype-json.html#DATATYPE-JSONPATH).
    """
    path = f'$[*].message ? (@ like_regex {json.dumps(text, ensure_ascii=False)} flag "iq")'
    return Func(
        F("diagnostics"),
        Value(path),
        template="jsonb_path_exists(%(expressions)s::jsonpath, '{}', true)",
        output_field=BooleanField(),
    )
