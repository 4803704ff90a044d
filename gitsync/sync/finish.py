"""Step "finish": the only writer of a repository's state, reason and message, and of a sync's end."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from compilers.base import CompilerError
from gitsync.errors import SyncError, SyncReason
from gitsync.git.errors import GitError, GitReason
from gitsync.models import Repository, RepositoryState, SyncRun, SyncState, Trigger
from gitsync.notices.transition import note_transition
from gitsync.sync.claim import Claim, owned
from gitsync.sync.journal import Journal
from gitsync.sync.plan import Plan
from gitsync.sync.probe import configuration_digest
from gitsync.sync.report import SyncReport, failed_files
from gitsync.sync.schedule import after_failure, next_due
from gitsync.sync.walk import Walk
from kiok import correlation
from kiok.connections.redaction import redact
from kiok.errors import KiokError

log = logging.getLogger(__name__)

MAX_MESSAGE = 4000
MAX_FAILED_FILES_KEPT = 500
MAX_PROBLEMS_TOLD = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a sync had no effect. `transient`: it is tried again with growing pauses."""

    reason: str
    message: str
    transient: bool


def failure_of(error: Exception) -> Failure:
    """The stable reason, the text for people and the policy of any error a step raised."""
    # Whatever a server says may repeat the credential it was sent, be it as the name of a branch.
    text = redact(str(error))[:MAX_MESSAGE]
    if isinstance(error, GitError | SyncError):
        return Failure(str(error.reason), text, error.transient)
    if isinstance(error, CompilerError):
        return Failure(SyncReason.COMPILE_FAILED, text, transient=False)
    if isinstance(error, KiokError):
        return Failure(str(getattr(error, "reason", SyncReason.INTERNAL)), text, True)
    message = f"an unexpected {type(error).__name__} stopped the sync; the service's log has the details"
    return Failure(SyncReason.INTERNAL, message, transient=True)


def succeed(held: Claim, run: SyncRun, plan: Plan, report: SyncReport, walk: Walk) -> None:
    """Write the end of a sync that was applied. Raises LeaseLost."""
    now = timezone.now()
    retry = any(file.retry for file in plan.files)
    reason, message = report.reason, report.message
    with transaction.atomic():
        repository = owned(held)
        failures = repository.consecutive_failures + 1 if retry else 0
        repository.state = report.state
        repository.reason = reason
        repository.message = message
        repository.last_commit = repository.last_good_commit = report.to_commit
        repository.last_good_at = now
        repository.consecutive_failures = failures
        repository.next_due_at = (
            after_failure(repository, failures, now) if retry else next_due(repository, now)
        )
        repository.checked_at = now
        if repository.config_hash == held.config_hash:
            repository.synced_location = repository.location
            repository.judgement = {} if retry else _judgement(repository, plan, report.to_commit)
        else:
            # Edited after apply had seen it unchanged: what was judged is the old configuration.
            repository.judgement = {}
            repository.next_due_at = now
        note_transition(repository, report.to_commit, transient=retry, details=_first_problems(report))
        repository.save()
        run.state = SyncState.PARTIAL if report.failed else SyncState.SUCCEEDED
        run.step = ""
        run.reason = reason
        run.message = message
        run.to_commit = report.to_commit
        run.changes = plan.changes
        run.unchanged = report.unchanged
        run.compiled, run.reused = report.compiled, report.reused
        run.failed_files = [item.to_json() for item in failed_files(plan)[:MAX_FAILED_FILES_KEPT]]
        walk.record(run)
        run.finished_at = now
        run.save()


def _first_problems(report: SyncReport) -> list[str]:
    return [
        f"{item.path}{f':{item.line}' if item.line is not None else ''}: {item.message}"
        for item in report.failed[:MAX_PROBLEMS_TOLD]
    ]


def fail(held: Claim, run: SyncRun, failure: Failure, walk: Walk) -> None:
    """Write the end of a sync that had no effect. Raises LeaseLost."""
    now = timezone.now()
    with transaction.atomic():
        repository = owned(held)
        _write_failure(repository, failure, run.trigger)
        if walk.commit:
            repository.last_commit = walk.commit
            # gpg that is missing may be there next time, at the same commit.
            is_final = not failure.transient and failure.reason != GitReason.GIT_MISSING
            is_final = is_final and repository.config_hash == held.config_hash
            repository.judgement = _judgement(repository, None, walk.commit) if is_final else {}
        note_transition(repository, walk.commit, transient=failure.transient)
        repository.save()
        run.state = SyncState.FAILED
        run.reason = failure.reason
        run.message = failure.message
        run.to_commit = walk.commit
        walk.record(run)
        run.finished_at = now
        run.save()


def postpone(repository: Repository) -> None:
    """Look again one interval from now, if the store takes even that; nothing else is written."""
    now = timezone.now()
    with suppress(DatabaseError):
        Repository.objects.filter(pk=repository.pk).update(next_due_at=after_failure(repository, 1, now))


def fail_unreached(repository: Repository, failure: Failure, trigger: str, requested_by: str = "") -> None:
    """Record a look that did not even learn the commit. The same failure again only counts up."""
    with transaction.atomic():
        row = Repository.objects.select_for_update().filter(pk=repository.pk).first()
        if row is None or row.lease_holder:
            return  # a sync under way knows better
        _write_failure(row, failure, trigger)
        note_transition(row, "", transient=failure.transient)
        row.save()
        now = timezone.now()
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


def _log_of_look(failure: Failure) -> str:
    journal = Journal()
    journal.note("probe", f"failed ({failure.reason}): {failure.message}", is_end=True)
    return journal.text()


def _write_failure(repository: Repository, failure: Failure, trigger: str) -> None:
    now = timezone.now()
    if trigger != Trigger.SCHEDULE:
        repository.consecutive_failures = 0  # somebody asked: the pauses begin anew
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


def _judgement(repository: Repository, plan: Plan | None, commit: str) -> dict[str, object]:
    images = {file.source.kind.value: file.image for file in (plan.files if plan else ()) if file.image}
    return {
        "commit": commit,
        "config": configuration_digest(repository),
        "images": images,
        "state": str(repository.state),
        "reason": str(repository.reason),
        "message": repository.message,
    }
