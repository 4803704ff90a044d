"""`sync_repository`: the one function under every trigger. It walks the steps and reports."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, suppress
from dataclasses import replace

from django.db import DatabaseError, Error, InterfaceError, OperationalError, connection

from gitsync.errors import (
    Busy,
    ConfigurationChanged,
    LeaseLost,
    Requeue,
    SyncError,
    SyncReason,
    WorkerDied,
    WouldEmpty,
)
from gitsync.models import Repository, RepositoryState, SyncRun, SyncState, Trigger
from gitsync.sync import apply as store
from gitsync.sync import status
from gitsync.sync.backoff import may_sync
from gitsync.sync.context import Progress, SyncContext
from gitsync.sync.crash_loop import find_crash_loop
from gitsync.sync.empty_hold import every_dag, require_acceptance
from gitsync.sync.failure import is_store_full, logged_failure_of
from gitsync.sync.lease import SyncLease, acquire, keep_alive, leave_request, release
from gitsync.sync.plan import Plan
from gitsync.sync.poll import settled
from gitsync.sync.prepare import prepare
from gitsync.sync.report import (
    SyncReport,
    report_of_held_back,
    report_of_plan,
    report_of_record,
    report_without_effect,
)
from gitsync.sync.request import SyncOptions
from gitsync.sync.retries import scheduled_retries
from kiok import correlation
from kiok.cluster.clock import database_now
from kiok.cluster.conf import properties

__all__ = ["SyncOptions", "dry_run", "sync_repository"]

log = logging.getLogger(__name__)

WAIT_POLL_SECONDS = 0.2
PLAIN = SyncOptions()


def sync_repository(
    repository_id: int,
    request: SyncOptions = PLAIN,
    progress: Progress = lambda _step, _detail: None,
) -> SyncReport:
    """Bring the metadata store in line with a repository, if anything changed, and say what was done.

    Never raises for what is wrong with the repository, its remote or its files: that is in the report. Raises
    Repository.DoesNotExist, database errors, and Deferred if the request's `admit` does.
    """
    started = time.monotonic()
    repository = Repository.objects.select_related("credential", "verify_keys").get(pk=repository_id)
    if request.dry_run:
        return dry_run(repository, full=request.full, progress=progress)[0]
    with correlation.bound(repository=repository.name):
        report = _sync_repository(repository, request, progress)
    return replace(report, seconds=time.monotonic() - started)


def dry_run(
    repository: Repository, *, full: bool = False, progress: Progress = lambda _step, _detail: None
) -> tuple[SyncReport, Plan | None]:
    """What a sync would do now, and the plan of it, None where it came to none. Writes nothing to the store.

    Raises database errors.
    """
    started = time.monotonic()
    with correlation.bound(repository=repository.name):
        report, plan = _dry_run(repository, full=full, progress=progress)
    return replace(report, seconds=time.monotonic() - started), plan


def _sync_repository(repository: Repository, request: SyncOptions, progress: Progress) -> SyncReport:
    if held_back := report_of_held_back(repository):
        return held_back
    if not request.full:
        progress("probe", "")
        if settled(repository, request):
            return report_of_record(repository)
    try:
        held = _claim(repository.pk, request)
    except Busy as exc:
        return report_without_effect(repository, exc.reason, str(exc))
    with ExitStack() as followed:
        return _sync_while_asked(held, request, progress, followed)


def _claim(repository_id: int, request: SyncOptions) -> SyncLease:
    """Claim, or wait for it, or leave the request with the holder. Raises Busy, Repository.DoesNotExist."""
    deadline = time.monotonic() + properties().gitsync_sync_timeout_ms / 1000
    while True:
        held = acquire(repository_id)
        if held:
            return held
        if not request.wait and leave_request(
            repository_id, request.trigger, request.requested_by, full=request.full
        ):
            raise Busy(
                "a sync of this repository is under way; it is followed by another one for this request"
            )
        if time.monotonic() > deadline:
            raise Busy("another sync of this repository has been under way for too long; try again later")
        time.sleep(WAIT_POLL_SECONDS)


def _sync_while_asked(
    held: SyncLease, request: SyncOptions, progress: Progress, followed: ExitStack
) -> SyncReport:
    """One sync under the claim; then another where a request came meanwhile or the configuration changed.

    `followed`: a sync that a request asked for goes by that request's id, and so does what comes after it.
    """
    while True:
        try:
            report = _sync(held, request, progress)
        except Requeue as exc:
            meanwhile = release(held)
            exc.full = request.full or bool(meanwhile and meanwhile["full"])
            raise
        except BaseException:
            release(held, keep_request=True)
            raise
        asked = release(held)
        if asked:
            known = asked.pop("correlation_id", "")
            log.info("the sync %s follows, which was asked for meanwhile", known)
            followed.enter_context(correlation.bound(known))
            asked["trigger"] = Trigger(asked["trigger"])
            request = replace(request, **asked, is_repeat=False)
        elif report.reason != SyncReason.CONFIGURATION_CHANGED:
            return report
        repository = (
            Repository.objects.select_related("credential", "verify_keys")
            .filter(may_sync(), pk=held.repository_id)
            .first()
        )
        if repository is None:
            return report
        if asked and not request.full:
            progress("probe", "")
            if settled(repository, request):
                return report  # what was asked for had been done already
        try:
            held = _claim(held.repository_id, request)
        except Busy:
            return report  # whoever was faster has the request


def _sync(held: SyncLease, request: SyncOptions, progress: Progress) -> SyncReport:
    repository = Repository.objects.select_related("credential", "verify_keys").get(pk=held.repository_id)
    # Once more: a look takes its time, and the claim is to the configuration that it found.
    if held_back := report_of_held_back(repository):
        return held_back
    if backed_off := _back_off(held, request, repository):
        return backed_off
    run = SyncRun.objects.create(
        repository=repository,
        lease_number=held.number,
        trigger=request.trigger,
        requested_by=request.requested_by,
        correlation_id=correlation.current(),
        full=request.full,
        from_commit=repository.last_good_commit,
        started_at=database_now(),
    )
    context = SyncContext(run, progress, admit=request.admit)
    context.note(_beginning(request))
    limit = properties().gitsync_sync_timeout_ms / 1000
    try:
        with keep_alive(held, limit):
            plan, compilation = prepare(repository, context, full=request.full, retry_now=request.retries_now)
            if accepted_by := require_acceptance(repository, plan, context.commit):
                context.note(f"the commit prunes {every_dag(len(plan.pruned))}, which {accepted_by} accepted")
            context.enter("apply")
            store.apply(plan, held, context.commit, compilation.ignored)
            is_change = any(plan.changes.values())
            context.note("committed" if is_change else "committed; no DAG changed", is_end=True)
            context.enter("finish")
            retries = scheduled_retries(repository, plan)
            report = report_of_plan(
                repository, plan, compilation.ignored, to_commit=context.commit, retries=retries
            )
            status.succeed(held, run, plan, report, context, retries)
    except Requeue:
        run.delete()
        raise
    except LeaseLost as exc:
        _abandon(run, context, exc)
        return report_without_effect(repository, exc.reason, str(exc))
    except (OperationalError, InterfaceError) as exc:
        if is_store_full(exc):
            # What is there can be written over, mostly: so an operator learns of it where the sync would be told.
            with suppress(DatabaseError):
                return _failed(held, run, exc, context, repository)
        log.warning("the sync of %s ended, since the database is in trouble: %s", repository.name, exc)
        # The store itself is in trouble, so its failure is not recorded as the repository's.
        status.postpone(held, repository)
        raise
    except SystemExit as exc:  # so the worker ends a task that is over its time, and itself
        connection.close()  # it comes at any moment, in the midst of a statement too
        _abandon(run, context, WorkerDied(f"the worker ended it, and itself: {exc}"))
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is this repository's failure and stops no other
        return _failed(held, run, exc, context, repository)
    else:
        log.info("synced %s to %s: %s", repository.name, context.commit[:12], _counts(report))
        return report


def _back_off(held: SyncLease, request: SyncOptions, repository: Repository) -> SyncReport | None:
    """A report if workers died at the repository so often that it waits; see `gitsync.sync.crash_loop`."""
    if request.insists:
        return None
    if deaths := find_crash_loop(repository):
        try:
            status.worker_died(held, deaths)
        except LeaseLost as exc:
            return report_without_effect(repository, exc.reason, str(exc))
    elif not (request.is_repeat and repository.reason == SyncReason.WORKER_DIED):
        return None
    repository.refresh_from_db()
    return report_of_record(repository)


def _dry_run(repository: Repository, *, full: bool, progress: Progress) -> tuple[SyncReport, Plan | None]:
    if held_back := report_of_held_back(repository, is_dry_run=True):
        return held_back, None
    context = SyncContext(None, progress)
    try:
        plan, compilation = prepare(repository, context, full=full, retry_now=True)
    except Error:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is this repository's failure and stops no other
        failure = logged_failure_of(exc, repository)
        return report_without_effect(
            repository, failure.reason, failure.message, to_commit=context.commit
        ), None
    report = report_of_plan(repository, plan, compilation.ignored, to_commit=context.commit)
    try:
        require_acceptance(repository, plan, context.commit, is_dry_run=True)
    except WouldEmpty as exc:
        report = replace(report, state=RepositoryState.FAILING, reason=str(exc.reason), message=str(exc))
    return report, plan


def _failed(
    held: SyncLease, run: SyncRun, error: Exception, context: SyncContext, repository: Repository
) -> SyncReport:
    failure = logged_failure_of(error, repository)
    if isinstance(error, ConfigurationChanged):
        _abandon(run, context, error)
        return report_without_effect(repository, failure.reason, failure.message)
    context.note(f"failed ({failure.reason}): {failure.message}", is_end=True)
    context.enter("")
    try:
        would_prune = error.dags if isinstance(error, WouldEmpty) else None
        status.fail(held, run, failure, context, would_prune=would_prune)
    except LeaseLost as exc:
        _abandon(run, context, exc)
    return report_without_effect(repository, failure.reason, failure.message, to_commit=context.commit)


def _abandon(run: SyncRun, context: SyncContext, error: SyncError) -> None:
    """Write the end of a sync that is void. Whoever took its repository over may have done so already, and may have
    taken its worker for dead.
    """
    context.note(f"abandoned ({error.reason}): {error}", is_end=True)
    context.enter("")
    context.record(run)
    observed = {name: getattr(run, name) for name in ("timings", "files_done", "files_total", "log")}
    observed |= {"reason": error.reason, "message": str(error)}
    rows = SyncRun.objects.filter(pk=run.pk)
    ended = rows.filter(state=SyncState.RUNNING).update(
        state=SyncState.ABANDONED, finished_at=database_now(), **observed
    )
    if not ended:
        rows.filter(state=SyncState.ABANDONED).update(**observed)


def _beginning(request: SyncOptions) -> str:
    """Who asked for what."""
    by = f" by {request.requested_by}" if request.requested_by else ""
    everything = ", compiling also what has not changed" if request.full else ""
    return f"asked for{by} ({request.trigger.label}){everything}"


def _counts(report: SyncReport) -> str:
    return (
        f"{len(report.created)} created, {len(report.updated)} updated, {len(report.pruned)} pruned, "
        f"{len(report.stale)} stale, {report.unchanged} unchanged, {len(report.failed)} problems; "
        f"{report.compiled} of {report.compiled + report.reused} files compiled"
    )
