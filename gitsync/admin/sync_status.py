"""What became of a sync that somebody asked for: waiting, under way, or its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import Task

from gitsync.admin import states
from gitsync.admin.records import counted_syncs
from gitsync.conf import properties
from gitsync.models import Leadership, Repository, RepositoryState, SyncRun, SyncState
from gitsync.tasks import SYNC
from kiok.metadata.admin.cells import Tone

FOLLOW_UP_GRACE = timedelta(seconds=2)
"""A request that came during a sync is served by what follows it, a look or a sync; in the moment between
the two nothing in the store tells of it."""

WORKER_FAILED = "no result"
NO_WORKER = "No worker is running; start `manage.py run` or `manage.py qcluster`."


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and how things stood when it was made. Compared with the store alone, never with a clock.

    `task` is django-q2's id, `last_run` the newest sync's key then (0: none), `checked_at` the last look then
    as ISO 8601 ("": none), `busy` whether a sync was under way.
    """

    task: str
    last_run: int
    checked_at: str
    busy: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Asked:
        return cls(
            str(value["task"]), int(value["last_run"]), str(value["checked_at"]), value["busy"] is True
        )


@dataclass(frozen=True, slots=True)
class Status:
    """How a repository stands for whoever waits. `settled`: nothing more is to come of the request.

    `run` is the sync under way or the last one, with the counts of `counted_syncs`.
    """

    tone: Tone
    word: str
    text: str
    settled: bool
    run: Any = None


def last_runs(repository_ids: Iterable[int]) -> dict[int, Any]:
    """The newest sync of each repository, by the repository's key."""
    newest = SyncRun.objects.filter(repository_id__in=list(repository_ids)).order_by("repository_id", "-id")
    return {run.repository_id: run for run in counted_syncs(newest.distinct("repository_id"))}


def standing(repository: Repository, task: str, run: SyncRun | None) -> Asked:
    """The request that has just become `task`, given the newest sync before it."""
    return Asked(
        task=task,
        last_run=run.pk if run else 0,
        checked_at=repository.checked_at.isoformat() if repository.checked_at else "",
        busy=bool(run and run.state == SyncState.RUNNING),
    )


def statuses(repositories: Sequence[Repository], asked: Mapping[int, Asked]) -> dict[int, Status]:
    """The status of each repository by its key; a constant number of queries."""
    runs = last_runs(repository.pk for repository in repositories)
    wanted = [request.task for request in asked.values()]
    tasks = {task.pk: task for task in Task.objects.filter(pk__in=wanted, func=SYNC)} if wanted else {}
    found = {}
    for repository in repositories:
        request = asked.get(repository.pk)
        task = tasks.get(request.task) if request else None
        found[repository.pk] = _status(repository, request, task, runs.get(repository.pk))
    return found


def worker_hint() -> str:
    """What to do where nobody takes requests up; "" while there is a leader, which only a worker can be."""
    if not properties().gitsync_enabled:  # then nobody leads, and workers do not show
        return ""
    alive = Leadership.objects.filter(pk=1, expires_at__gt=Now()).exclude(holder="").exists()
    return "" if alive else NO_WORKER


def _status(repository: Repository, asked: Asked | None, task: Task | None, run: Any) -> Status:
    if run and run.state == SyncState.RUNNING and states.is_claimed(repository):
        return Status(Tone.BUSY, "syncing", f"Step {run.step}." if run.step else "Beginning.", False, run)
    outcome = _outcome(repository, asked, task, run) if asked else None
    if asked and outcome is None:
        return Status(Tone.BUSY, "waiting", "Waiting for a worker.", False, run)
    if _is_due(repository) and not (outcome and outcome.word == WORKER_FAILED):
        return Status(Tone.BUSY, "due", "It is looked at next.", False, run)
    return outcome or _at_rest(repository, run)


def _outcome(repository: Repository, asked: Asked, task: Task | None, run: Any) -> Status | None:
    """What came of the request; None while it is open."""
    if run and run.pk > asked.last_run and run.state != SyncState.RUNNING:
        return _result(run)
    if task is None or repository.follow_up or states.is_claimed(repository):
        return None
    if not task.success:
        text = "The worker failed at it; the service's log has the details."
        return Status(Tone.BAD, WORKER_FAILED, text, True, run)
    if asked.busy and _is_followed(repository, run):
        return None
    checked_at = repository.checked_at.isoformat() if repository.checked_at else ""
    if checked_at == asked.checked_at:
        return Status(Tone.IDLE, "not checked", str(task.result)[:500], True, run)
    if repository.state == RepositoryState.FAILING:
        return Status(Tone.BAD, "failing", repository.message, True, run)
    return Status(Tone.GOOD, "nothing new", "The commit is the one that was last synced.", True, run)


def _is_followed(repository: Repository, run: Any) -> bool:
    """Whether the sync that was under way at the request is over, and the look that follows it is to come."""
    if not (run and run.finished_at and repository.checked_at):
        return False
    looked_again = repository.checked_at > run.finished_at
    return not looked_again or timezone.now() - run.finished_at < FOLLOW_UP_GRACE


def _is_due(repository: Repository) -> bool:
    if repository.is_paused or not (repository.enabled and properties().gitsync_enabled):
        return False
    now = timezone.now()
    queued = repository.queued_until is not None and repository.queued_until > now
    return queued or repository.next_due_at <= now


def _result(run: Any) -> Status:
    """The sync that came of the request."""
    tone = {SyncState.SUCCEEDED: Tone.GOOD, SyncState.PARTIAL: Tone.WARN, SyncState.FAILED: Tone.BAD}
    word = "synced" if run.state in (SyncState.SUCCEEDED, SyncState.PARTIAL) else SyncState(run.state).label
    text = counts(run) if word == "synced" else ""
    message = "; ".join(part for part in (text, run.message) if part)
    return Status(tone.get(run.state, Tone.IDLE), word, message, True, run)


def _at_rest(repository: Repository, run: Any) -> Status:
    if not repository.enabled:
        return Status(Tone.IDLE, "switched off", "It is not looked at.", True, run)
    if repository.is_paused:
        text = f"By {repository.paused_by}: {repository.pause_reason}"
        return Status(Tone.WARN, "paused", text, True, run)
    tone = {RepositoryState.IN_SYNC: Tone.GOOD, RepositoryState.DEGRADED: Tone.WARN}
    state = RepositoryState(repository.state)
    if state == RepositoryState.FAILING:
        return Status(Tone.BAD, state.label, repository.message, True, run)
    return Status(tone.get(state, Tone.IDLE), state.label, repository.message, True, run)


def counts(run: Any) -> str:
    """`2 created, 1 stale, 5 unchanged`: what a sync did, without what it did not."""
    parts = [
        *((getattr(run, f"n_{name}"), name) for name in ("created", "updated", "pruned", "stale")),
        (run.unchanged, "unchanged"),
        (run.n_problems, "problems" if run.n_problems != 1 else "problem"),
    ]
    text = ", ".join(f"{number} {name}" for number, name in parts if number) or "no DAGs"
    return f"{text}; {run.compiled} of {run.compiled + run.reused} files compiled" if run.reused else text
