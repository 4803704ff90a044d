"""The status of a repository as colour and label: the outcome of a requested sync, or the shown state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django_q.models import Task

from gitsync.admin.states import REPOSITORY
from gitsync.models import Repository, RepositoryState, SyncRun, SyncState
from gitsync.repositories.operation import Operation
from gitsync.repositories.queries import counted_syncs
from gitsync.repositories.requests import End, outcome_of
from gitsync.repositories.states import LABELS, QUEUED, SYNCING, load_queue, shown_state
from kiok.cluster.conf import properties
from kiok.metadata.admin.display import Tone

NO_RESULT = "No result"

_ENDS = {
    End.WORKER_FAILED: (Tone.BAD, NO_RESULT),
    End.NOT_LOOKED: (Tone.IDLE, "Not checked"),
    End.FAILING: (Tone.BAD, LABELS[RepositoryState.FAILING]),
    End.NOTHING_NEW: (Tone.GOOD, "Nothing new"),
}
# The state of the repository after a sync that ended in this state.
_STATES: Mapping[str, str] = {
    SyncState.SUCCEEDED: RepositoryState.IN_SYNC.value,
    SyncState.PARTIAL: RepositoryState.DEGRADED.value,
    SyncState.FAILED: RepositoryState.FAILING.value,
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


def statuses(repositories: Sequence[Repository], requested: Mapping[int, Operation]) -> dict[int, SyncStatus]:
    """Return the status of each repository by its key. Takes a constant number of queries."""
    load_queue(repositories)
    runs = last_runs(repository.pk for repository in repositories)
    wanted = [request.task for request in requested.values()]
    tasks = {task.pk: task for task in Task.objects.filter(pk__in=wanted)} if wanted else {}
    found = {}
    for repository in repositories:
        request = requested.get(repository.pk)
        task = tasks.get(request.task) if request else None
        found[repository.pk] = _status(repository, request, task, runs.get(repository.pk))
    return found


def _status(repository: Repository, requested: Operation | None, task: Task | None, run: Any) -> SyncStatus:
    state = shown_state(repository)
    if state == SYNCING:
        step = run.step if run and run.state == SyncState.RUNNING else ""
        return _of_state(state, f"Step {step}." if step else "Starting.", False, run)
    outcome = _outcome(repository, requested, task, run) if requested else None
    if requested and outcome is None:
        return _of_state(QUEUED, "Waiting for a worker.", False, run)
    if outcome and outcome.word == NO_RESULT:
        return outcome
    if state == QUEUED:
        return _of_state(state, "Waiting for a worker.", False, run)
    if _is_due(repository):
        return _of_state(state, "It is checked next.", False, run)
    return outcome or _of_state(state, _at_rest(repository), True, run)


def _of_state(state: str, text: str, settled: bool, run: Any) -> SyncStatus:
    tone, label = REPOSITORY[state]
    return SyncStatus(tone, label, text, settled, run)


def _outcome(repository: Repository, requested: Operation, task: Task | None, run: Any) -> SyncStatus | None:
    """Return the outcome of the request; None while it is pending."""
    outcome = outcome_of(repository, requested, task, run)
    if outcome is None:
        return None
    if outcome.end is End.SYNC:
        return _result(run)
    tone, word = _ENDS[outcome.end]
    return SyncStatus(tone, word, outcome.message, True, run)


def _is_due(repository: Repository) -> bool:
    if repository.is_paused or not (repository.enabled and properties().gitsync_enabled):
        return False
    return repository.next_due_at <= timezone.now()


def _result(run: Any) -> SyncStatus:
    """Return the status of the sync that served the request: the state that it gave to the repository."""
    text = counts(run) if run.state in (SyncState.SUCCEEDED, SyncState.PARTIAL) else ""
    message = "; ".join(part for part in (text, run.message) if part)
    if run.state in _STATES:
        return _of_state(_STATES[run.state], message, True, run)
    return SyncStatus(Tone.IDLE, str(SyncState(run.state).label), message, True, run)


def _at_rest(repository: Repository) -> str:
    """Return what a repository's state means, while no sync runs or waits."""
    if not repository.enabled:
        return "It is not checked."
    if repository.is_paused:
        return f"By {repository.paused_by}: {repository.pause_reason}"
    return repository.message


def counts(run: Any) -> str:
    """Return `2 created, 1 stale, 5 unchanged`: the counts of a sync that are not zero."""
    parts = [
        *((getattr(run, f"n_{name}"), name) for name in ("created", "updated", "pruned", "stale")),
        (run.unchanged, "unchanged"),
        (run.n_problems, "problems" if run.n_problems != 1 else "problem"),
    ]
    text = ", ".join(f"{number} {name}" for number, name in parts if number) or "no DAGs"
    return f"{text}; {run.compiled} of {run.compiled + run.reused} files compiled" if run.reused else text
