"""The status of a requested sync as colour and word: queued, running, or its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django_q.models import Task

from gitsync.models import Repository, RepositoryState, SyncRun, SyncState
from gitsync.repositories.operation import Operation
from gitsync.repositories.queries import counted_syncs
from gitsync.repositories.requests import End, is_claimed, outcome_of
from kiok.cluster.conf import properties
from kiok.metadata.admin.display import Tone

NO_RESULT = "no result"

_ENDS = {
    End.WORKER_FAILED: (Tone.BAD, NO_RESULT),
    End.NOT_LOOKED: (Tone.IDLE, "not checked"),
    End.FAILING: (Tone.BAD, "failing"),
    End.NOTHING_NEW: (Tone.GOOD, "nothing new"),
}


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """The status of a repository after a request. `settled`: the request is complete, so the page can stop polling.

    `run` is the running sync or the last one, with the counts of `counted_syncs`.
    """

    tone: Tone
    word: str
    text: str
    settled: bool
    run: Any = None


def last_runs(repository_ids: Iterable[int]) -> dict[int, Any]:
    """Return the newest sync of each repository, by repository key."""
    newest = SyncRun.objects.filter(repository_id__in=list(repository_ids)).order_by("repository_id", "-id")
    return {run.repository_id: run for run in counted_syncs(newest.distinct("repository_id"))}


def statuses(repositories: Sequence[Repository], asked: Mapping[int, Operation]) -> dict[int, SyncStatus]:
    """Return the status of each repository by its key. Takes a constant number of queries."""
    runs = last_runs(repository.pk for repository in repositories)
    wanted = [request.task for request in asked.values()]
    tasks = {task.pk: task for task in Task.objects.filter(pk__in=wanted)} if wanted else {}
    found = {}
    for repository in repositories:
        request = asked.get(repository.pk)
        task = tasks.get(request.task) if request else None
        found[repository.pk] = _status(repository, request, task, runs.get(repository.pk))
    return found


def _status(repository: Repository, asked: Operation | None, task: Task | None, run: Any) -> SyncStatus:
    if run and run.state == SyncState.RUNNING and is_claimed(repository):
        return SyncStatus(Tone.BUSY, "syncing", f"Step {run.step}." if run.step else "Starting.", False, run)
    outcome = _outcome(repository, asked, task, run) if asked else None
    if asked and outcome is None:
        return SyncStatus(Tone.BUSY, "queued", "Waiting for a worker.", False, run)
    if _is_due(repository) and not (outcome and outcome.word == NO_RESULT):
        return SyncStatus(Tone.BUSY, "queued", "It is checked next.", False, run)
    return outcome or _at_rest(repository, run)


def _outcome(repository: Repository, asked: Operation, task: Task | None, run: Any) -> SyncStatus | None:
    """Return the outcome of the request; None while it is pending."""
    outcome = outcome_of(repository, asked, task, run)
    if outcome is None:
        return None
    if outcome.end is End.SYNC:
        return _result(run)
    tone, word = _ENDS[outcome.end]
    return SyncStatus(tone, word, outcome.message, True, run)


def _is_due(repository: Repository) -> bool:
    if repository.is_paused or not (repository.enabled and properties().gitsync_enabled):
        return False
    now = timezone.now()
    queued = repository.queued_until is not None and repository.queued_until > now
    return queued or repository.next_due_at <= now


def _result(run: Any) -> SyncStatus:
    """Return the status of the sync that served the request."""
    tone = {SyncState.SUCCEEDED: Tone.GOOD, SyncState.PARTIAL: Tone.WARN, SyncState.FAILED: Tone.BAD}
    word = "synced" if run.state in (SyncState.SUCCEEDED, SyncState.PARTIAL) else SyncState(run.state).label
    text = counts(run) if word == "synced" else ""
    message = "; ".join(part for part in (text, run.message) if part)
    return SyncStatus(tone.get(run.state, Tone.IDLE), word, message, True, run)


def _at_rest(repository: Repository, run: Any) -> SyncStatus:
    if not repository.enabled:
        return SyncStatus(Tone.IDLE, "disabled", "It is not checked.", True, run)
    if repository.is_paused:
        text = f"By {repository.paused_by}: {repository.pause_reason}"
        return SyncStatus(Tone.WARN, "paused", text, True, run)
    tone = {RepositoryState.IN_SYNC: Tone.GOOD, RepositoryState.DEGRADED: Tone.WARN}
    state = RepositoryState(repository.state)
    if state == RepositoryState.FAILING:
        return SyncStatus(Tone.BAD, state.label, repository.message, True, run)
    return SyncStatus(tone.get(state, Tone.IDLE), state.label, repository.message, True, run)


def counts(run: Any) -> str:
    """Return `2 created, 1 stale, 5 unchanged`: the counts of a sync that are not zero."""
    parts = [
        *((getattr(run, f"n_{name}"), name) for name in ("created", "updated", "pruned", "stale")),
        (run.unchanged, "unchanged"),
        (run.n_problems, "problems" if run.n_problems != 1 else "problem"),
    ]
    text = ", ".join(f"{number} {name}" for number, name in parts if number) or "no DAGs"
    return f"{text}; {run.compiled} of {run.compiled + run.reused} files compiled" if run.reused else text
