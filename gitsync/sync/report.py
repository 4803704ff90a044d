"""Report of a sync. The JSON form is a public contract (docs/reference/cli.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from compilers.result import FileStatus
from compilers.source import Ignored
from gitsync.errors import SyncReason
from gitsync.models import FileState, Repository, RepositoryState
from gitsync.models.source_file import reason_text
from gitsync.sync.plan import Plan
from gitsync.sync.retries import Retries
from kiok.metadata.models import Origin


@dataclass(frozen=True, slots=True)
class FileFailure:
    """Problem of a file that failed."""

    path: str
    line: int | None
    message: str

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "line": self.line, "message": self.message}


@dataclass(frozen=True, slots=True)
class SyncReport:
    """Report on one repository after a sync. `seconds` is wall time, set at the end; uids are sorted by source path.

    `compiled` counts the files that were compiled, `reused` those with a valid cached result. The reasons map a path to
    why the file contains no DAG, or why the entry is ignored.
    """

    name: str
    state: str
    reason: str = ""
    message: str = ""
    from_commit: str = ""
    to_commit: str = ""
    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    pruned: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    unchanged: int = 0
    compiled: int = 0
    reused: int = 0
    failed: tuple[FileFailure, ...] = ()
    not_a_dag: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    not_a_dag_reasons: Mapping[str, str] = field(default_factory=dict)
    ignored_reasons: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Return whether the repository is in sync and no file failed."""
        return self.state == RepositoryState.IN_SYNC and not self.failed

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "message": self.message,
            "from_commit": self.from_commit,
            "to_commit": self.to_commit,
            "created": list(self.created),
            "updated": list(self.updated),
            "pruned": list(self.pruned),
            "stale": list(self.stale),
            "unchanged": self.unchanged,
            "compiled": self.compiled,
            "reused": self.reused,
            "failed": [item.to_json() for item in self.failed],
            "not_a_dag": list(self.not_a_dag),
            "ignored": list(self.ignored),
            "not_a_dag_reasons": dict(self.not_a_dag_reasons),
            "ignored_reasons": dict(self.ignored_reasons),
            "seconds": round(self.seconds, 3),
        }


def failed_files(plan: Plan) -> tuple[FileFailure, ...]:
    """Return every diagnostic of every failed file of the plan, sorted by path and line."""
    return tuple(
        FileFailure(file.source.path, item.line, _subject(item.dag, item.task, item.key) + item.message)
        for file in plan.failed_files
        for item in file.diagnostics
    )


def not_a_dag_reasons(plan: Plan) -> dict[str, str]:
    """Return by path why a file of the plan contains no DAG, with the line if it is known."""
    return {
        file.source.path: reason_text([item.to_json() for item in file.diagnostics])
        for file in plan.files
        if file.status is FileStatus.NOT_A_DAG
    }


def report_of_plan(
    repository: Repository,
    plan: Plan,
    ignored: Sequence[Ignored],
    *,
    to_commit: str,
    retries: Retries | None = None,
) -> SyncReport:
    """Return a report of the changes of the plan, applied or (in a dry run) only planned."""
    failures = failed_files(plan)
    reasons = not_a_dag_reasons(plan)
    compiled = len(plan.compiled_files)
    return SyncReport(
        name=repository.name,
        state=RepositoryState.DEGRADED if failures else RepositoryState.IN_SYNC,
        reason=str(_reason(plan)) if failures else "",
        message=_message(plan, retries) if failures else "",
        from_commit=repository.last_good_commit,
        to_commit=to_commit,
        created=tuple(found.uid for found in plan.created),
        updated=tuple(found.uid for found, _ in plan.updated),
        pruned=plan.pruned,
        stale=tuple(item.uid for item in plan.stale),
        unchanged=len(plan.unchanged) + len(plan.refreshed),
        compiled=compiled,
        reused=len(plan.files) - compiled,
        failed=failures,
        not_a_dag=tuple(reasons),
        ignored=tuple(item.path for item in ignored),
        not_a_dag_reasons=reasons,
        ignored_reasons={item.path: item.reason for item in ignored},
    )


def report_of_record(repository: Repository) -> SyncReport:
    """Return a report of the repository's stored state, for a poll that found nothing new."""
    dags, stale, files = _stored(repository)
    failures = tuple(
        FileFailure(
            path,
            item.get("line"),
            _subject(item.get("dag"), item.get("task"), item.get("key")) + str(item.get("message", "")),
        )
        for path, state, diagnostics in files
        if state == FileState.FAILED
        for item in diagnostics
    )
    not_a_dag, ignored = (
        {path: reason_text(diagnostics) for path, state, diagnostics in files if state == wanted}
        for wanted in (FileState.NOT_A_DAG, FileState.IGNORED)
    )
    return SyncReport(
        name=repository.name,
        state=repository.state,
        reason=repository.reason,
        message=repository.message,
        from_commit=repository.last_good_commit,
        to_commit=repository.last_good_commit,
        stale=stale,
        unchanged=dags - len(stale),
        failed=failures,
        not_a_dag=tuple(not_a_dag),
        ignored=tuple(ignored),
        not_a_dag_reasons=not_a_dag,
        ignored_reasons=ignored,
    )


def _stored(repository: Repository) -> tuple[int, tuple[str, ...], list[tuple[str, str, Any]]]:
    """Return the number of a repository's DAGs, the uids of the stale ones, and its files that hold no good DAG.

    A file is its path, state and diagnostics. In SQL, because Django takes longer to build these queries than git takes
    to answer a poll that finds nothing new.
    """
    query = (
        "SELECT count(*), coalesce(array_agg(uid ORDER BY uid) FILTER (WHERE stale_since IS NOT NULL), '{}'), "
        "(SELECT coalesce(json_agg(json_build_array(path, state, diagnostics) ORDER BY path), '[]')::text "
        "FROM gitsync_sourcefile WHERE repository_id = %s AND state <> %s) "
        "FROM metadata_dag WHERE origin = %s AND repository = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [repository.pk, FileState.COMPILED.value, Origin.GIT.value, repository.name])
        count, stale, files = cursor.fetchone()
    return count, tuple(stale), json.loads(files)


def report_without_effect(
    repository: Repository, reason: str, message: str, *, to_commit: str = ""
) -> SyncReport:
    """Return a report of a sync that had no effect or did not start."""
    return SyncReport(
        name=repository.name,
        state=RepositoryState.FAILING,
        reason=str(reason),
        message=message,
        from_commit=repository.last_good_commit,
        to_commit=to_commit,
    )


def report_of_held_back(repository: Repository, *, is_dry_run: bool = False) -> SyncReport | None:
    """Return a report if the repository must not be synced, else None. A pause does not prevent a dry run."""
    if not repository.enabled:
        return report_without_effect(repository, SyncReason.DISABLED, "the repository is disabled")
    if repository.is_paused and not is_dry_run:
        message = f"the repository is paused by {repository.paused_by}: {repository.pause_reason}"
        return report_without_effect(repository, SyncReason.PAUSED, message)
    return None


def _reason(plan: Plan) -> SyncReason:
    """Return the reason for failed files: a missing container takes precedence, because an operator must act."""
    unavailable = [file.unavailable for file in plan.failed_files if file.unavailable]
    return SyncReason(unavailable[0]) if unavailable else SyncReason.FILES_FAILED


def _message(plan: Plan, retries: Retries | None) -> str:
    summary = failure_summary(len(plan.failed_files), len(plan.stale))
    causes = [item.message for file in plan.failed_files if file.unavailable for item in file.diagnostics]
    # One message per language: all files of a language have the same one.
    return ". ".join([summary, *dict.fromkeys(causes), *([retries.message()] if retries else [])])


def failure_summary(files: int, stale: int) -> str:
    """Return the counts as one line for people."""
    text = f"{files} file{'s' if files != 1 else ''} failed"
    if stale:
        text += "; 1 DAG keeps its" if stale == 1 else f"; {stale} DAGs keep their"
        text += " last good version"
    return text


def _subject(dag: str | None, task: str | None, key: str | None) -> str:
    parts = [f"{what} {value!r}" for what, value in (("DAG", dag), ("task", task), ("key", key)) if value]
    return ", ".join(parts) + ": " if parts else ""
