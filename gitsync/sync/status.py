"""Step "finish": the only writer of a repository's state, reason and message, and of the end of a sync.

Exception: a sync that lost its lease marks itself abandoned; one whose process died is marked by the next lease holder.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from django.db import DatabaseError, transaction
from django.db.models import F

from gitsync.errors import WorkerDied
from gitsync.git.errors import GitReason
from gitsync.models import Repository, RepositoryState, SyncRun, SyncState, Trigger
from gitsync.models.sync_run import MAX_FAILED_FILES
from gitsync.sync.backoff import after_failure, next_due, retry_at
from gitsync.sync.context import SyncContext
from gitsync.sync.crash_loop import CrashLoop
from gitsync.sync.empty_hold import EmptyHold, hold_after_failure
from gitsync.sync.failure import SyncFailure, logged_failure_of
from gitsync.sync.lease import SyncLease, is_held, locked_if_held
from gitsync.sync.log import SyncLog
from gitsync.sync.notify import record_transition
from gitsync.sync.plan import Plan
from gitsync.sync.probe import configuration_digest
from gitsync.sync.report import SyncReport, failed_files
from gitsync.sync.retries import Retries
from kiok import correlation
from kiok.cluster.clock import database_now
from kiok.cluster.idle_timeout import limit_idle_in_transaction

MAX_PROBLEMS_TOLD = 3  # problems in a notification


def succeed(
    held: SyncLease,
    run: SyncRun,
    plan: Plan,
    report: SyncReport,
    context: SyncContext,
    retries: Retries | None,
) -> None:
    """Record the end of a sync whose plan was applied. Raises LeaseLost."""
    now = database_now()
    reason, message = report.reason, report.message
    with transaction.atomic():
        repository = locked_if_held(held)
        repository.state = report.state
        repository.reason = reason
        repository.message = message
        repository.last_commit = repository.last_good_commit = report.to_commit
        repository.last_good_at = now
        repository.empty_hold = None
        repository.consecutive_failures = 0
        repository.next_due_at = next_due(repository, now)
        repository.checked_at = now
        if repository.config_hash == held.config_hash:
            repository.synced_location = repository.location
            repository.last_outcome = _judgement(repository, plan, report.to_commit, retries)
        else:
            # Edited after the check in apply: the outcome is that of the old configuration.
            repository.last_outcome = {}
            repository.next_due_at = now
        record_transition(
            repository, report.to_commit, transient=bool(retries), details=_first_problems(report)
        )
        repository.save()
        run.state = SyncState.PARTIAL if report.failed else SyncState.SUCCEEDED
        run.step = ""
        run.reason = reason
        run.message = message
        run.to_commit = report.to_commit
        run.changes = plan.changes
        run.unchanged = report.unchanged
        run.compiled, run.reused = report.compiled, report.reused
        run.failed_files = [item.to_json() for item in failed_files(plan)[:MAX_FAILED_FILES]]
        context.record(run)
        run.finished_at = now
        run.save()


def _first_problems(report: SyncReport) -> list[str]:
    return [
        f"{item.path}{f':{item.line}' if item.line is not None else ''}: {item.message}"
        for item in report.failed[:MAX_PROBLEMS_TOLD]
    ]


def fail(
    held: SyncLease,
    run: SyncRun,
    failure: SyncFailure,
    context: SyncContext,
    *,
    would_prune: int | None = None,
) -> None:
    """Record the end of a sync that had no effect. Raises LeaseLost.

    `would_prune`: the number of DAGs, if the commit is held because it would prune every DAG.
    """
    now = database_now()
    with transaction.atomic():
        repository = locked_if_held(held)
        due = next_due(repository, now)
        _write_failure(repository, failure, run.trigger)
        if context.commit:
            repository.last_commit = context.commit
            hold = (
                EmptyHold(context.commit, held.config_hash, would_prune) if would_prune is not None else None
            )
            repository.empty_hold = hold_after_failure(repository, context.commit, hold)
            # A missing gpg may be installed by the next sync of the same commit.
            is_outcome = (
                failure.reason != GitReason.GIT_MISSING and repository.config_hash == held.config_hash
            )
            repository.last_outcome = _judgement(repository, None, context.commit) if is_outcome else {}
            if is_outcome and failure.transient:
                _retry_commit_later(repository, due)
        record_transition(repository, context.commit, transient=failure.transient)
        repository.save()
        run.state = SyncState.FAILED
        run.reason = failure.reason
        run.message = failure.message
        run.to_commit = context.commit
        context.record(run)
        run.finished_at = now
        run.save()


def _retry_commit_later(repository: Repository, due: datetime) -> None:
    """Back off from the failed commit only, and keep polling on the interval: another commit may fix it.

    `due` is the next regular poll of the repository.
    """
    until = repository.next_due_at
    if repository.last_good_at:
        until = retry_at(repository, repository.consecutive_failures, due)
    repository.message = (
        f"{repository.message.rstrip('.')}. Retrying this commit at {until:%Y-%m-%d %H:%M:%S} UTC"
    )
    repository.last_outcome |= {"until": until.isoformat(), "transient": True, "message": repository.message}
    repository.next_due_at = min(until, due)


def worker_died(held: SyncLease, deaths: CrashLoop) -> SyncFailure:
    """Mark the repository as failing because of a crash loop, with a back-off that a request or a new commit ends.

    The last of the abandoned syncs becomes the failed one. Raises LeaseLost.
    """
    now = database_now()
    run = deaths.last
    with transaction.atomic():
        repository = locked_if_held(held)
        due = next_due(repository, now)
        failure = logged_failure_of(WorkerDied(deaths.message()), repository)
        _write_failure(repository, failure, run.trigger)
        until = repository.next_due_at
        repository.message = (
            f"{failure.message}. Retrying after {until:%Y-%m-%d %H:%M:%S} UTC, "
            "or immediately on Sync now or a new commit"
        )
        if deaths.commit:
            # Keep polling: another commit may fix it.
            repository.last_commit = deaths.commit
            repository.last_outcome = _judgement(repository, None, deaths.commit) | {
                "until": until.isoformat()
            }
            repository.next_due_at = due
        else:
            repository.last_outcome = {}
        # After this many deaths it does not resolve by itself.
        record_transition(repository, deaths.commit, transient=False)
        repository.save()
        SyncRun.objects.filter(pk=run.pk).update(
            state=SyncState.FAILED, reason=failure.reason, message=repository.message
        )
    return failure


def postpone(held: SyncLease, repository: Repository) -> None:
    """Set the next poll to one interval from now, if the database accepts the write. Nothing else is written."""
    mine = Repository.objects.filter(
        pk=held.repository_id, lease_holder=held.holder, lease_number=held.number
    )
    with suppress(DatabaseError):
        mine.update(next_due_at=after_failure(repository, 1, database_now()))


def nothing_new(repository: Repository) -> None:
    """Record a poll that found nothing new: the only write of a sync with nothing to do.

    If the repository was unreachable before, this also restores the state of the last outcome. If the repository was
    synced or edited since it was read, nothing is written and the row is read again.
    """
    now = database_now()
    changes: dict[str, object] = {
        "checked_at": now,
        "next_due_at": next_due(repository, now),
        "queued_until": None,
    }
    judged = {name: repository.last_outcome.get(name, "") for name in ("state", "reason", "message")}
    if any(getattr(repository, name) != value for name, value in judged.items()):
        changes.update(judged, consecutive_failures=0)
    as_read = Repository.objects.filter(
        pk=repository.pk, lease_number=repository.lease_number, next_due_at=repository.next_due_at
    )
    if "state" in changes:
        with transaction.atomic():
            limit_idle_in_transaction()
            written = as_read.update(**changes)
            if written:
                # The update locked the row: read it as it is now and record the transition.
                row = Repository.objects.get(pk=repository.pk)
                is_transient = bool(row.last_outcome.get("transient"))
                record_transition(row, row.last_commit, transient=is_transient)
                row.save(update_fields=["notified_state", "unnotified_polls"])
    else:
        written = as_read.update(**changes)
    if not written:
        repository.refresh_from_db()
        return
    for name, value in changes.items():
        setattr(repository, name, value)


def fail_unreached(
    repository: Repository, failure: SyncFailure, trigger: str, requested_by: str = ""
) -> None:
    """Record a poll that could not read the commit. A repeated failure only increases a counter."""
    with transaction.atomic():
        limit_idle_in_transaction()
        row = Repository.objects.select_for_update().filter(pk=repository.pk).first()
        if row is None or is_held(row) or _is_overtaken(repository, row):
            return  # a running or later sync knows better; an edit causes a new poll
        _write_failure(row, failure, trigger)
        record_transition(row, "", transient=failure.transient)
        row.save()
        now = database_now()
        last = SyncRun.objects.filter(repository=row).first()
        if last and (last.state, last.reason, last.message) == (
            SyncState.FAILED,
            failure.reason,
            failure.message,
        ):
            SyncRun.objects.filter(pk=last.pk).update(repeats=F("repeats") + 1, finished_at=now)
            return
        SyncRun.objects.create(
            repository=row,
            lease_number=row.lease_number,
            trigger=trigger,
            requested_by=requested_by,
            correlation_id=correlation.current(),
            state=SyncState.FAILED,
            step="probe",
            reason=failure.reason,
            message=failure.message,
            from_commit=row.last_good_commit,
            log=_log_of_look(failure),
            started_at=now,
            finished_at=now,
        )


def _is_overtaken(repository: Repository, row: Repository) -> bool:
    """Return whether the repository was synced or edited since it was read for a poll; `row` is its current row."""
    return row.lease_number != repository.lease_number or row.config_hash != repository.config_hash


def _log_of_look(failure: SyncFailure) -> str:
    journal = SyncLog()
    journal.note("probe", f"failed ({failure.reason}): {failure.message}", is_end=True)
    return journal.text()


def _write_failure(repository: Repository, failure: SyncFailure, trigger: str) -> None:
    now = database_now()
    if trigger != Trigger.SCHEDULE:
        repository.consecutive_failures = 0  # a request restarts the back-off
    repository.state = RepositoryState.FAILING
    repository.reason = failure.reason
    repository.message = failure.message
    repository.consecutive_failures += 1
    repository.next_due_at = (
        after_failure(repository, repository.consecutive_failures, now)
        if failure.transient
        else next_due(repository, now)
    )
    repository.checked_at = now


def _judgement(
    repository: Repository, plan: Plan | None, commit: str, retries: Retries | None = None
) -> dict[str, object]:
    images = {file.source.kind: file.image for file in (plan.files if plan else ()) if file.image}
    last_outcome: dict[str, object] = {
        "commit": commit,
        "config": configuration_digest(repository),
        "images": images,
        "state": str(repository.state),
        "reason": str(repository.reason),
        "message": repository.message,
    }
    if retries:
        last_outcome |= {"retry_at": retries.at.isoformat(), "transient": True}
        last_outcome["unavailable"] = list(retries.unavailable)
    return last_outcome
