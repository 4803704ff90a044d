"""Sync one repository: the steps in their order, and every way in which a sync ends.

A sync that is requested ends before its first step when the repository is

    held back       disabled or paused
    up to date      the commit, the configuration and the images are those of the last outcome (`gitsync.sync.poll`)
    busy            another sync of it runs; that one, or a sync after it, serves the request
    backed off      workers died in its last syncs (`gitsync.sync.crash_loop`)

Otherwise it takes the repository's lease and walks `STEPS`. Then it is

    applied         the plan is committed                                    `_finish`
    requeued        other long syncs run; it has written nothing and waits   a step returned `Requeue`
    abandoned       the lease was lost, the configuration was edited, or     `gitsync.sync.endings`
                    the worker is terminated; nothing is committed
    failed          the remote, the commit or this service is at fault;      `gitsync.sync.endings`
                    the DAGs keep serving
    unrecorded      the database failed; the repository is polled again      `gitsync.sync.endings`
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from django.db import Error

from gitsync.errors import (
    Busy,
    LeaseLost,
    SyncReason,
    WouldEmpty,
)
from gitsync.models import Repository, RepositoryState, SyncRun, Trigger
from gitsync.sync import apply as store
from gitsync.sync import prepare, status
from gitsync.sync.backoff import may_sync
from gitsync.sync.connection_use import warn_about_references
from gitsync.sync.context import Progress, Requeue, SyncContext, SyncOptions, no_progress
from gitsync.sync.crash_loop import find_crash_loop
from gitsync.sync.empty_hold import every_dag, require_acceptance
from gitsync.sync.endings import end_without_effect
from gitsync.sync.failure import logged_failure_of
from gitsync.sync.lease import SyncLease, acquire, keep_alive, leave_request, release
from gitsync.sync.plan import Plan
from gitsync.sync.poll import settled
from gitsync.sync.report import (
    SyncReport,
    report_of_held_back,
    report_of_plan,
    report_of_record,
    report_without_effect,
)
from gitsync.sync.retries import Retries, scheduled_retries
from kiok import correlation
from kiok.cluster.clock import database_now
from kiok.cluster.conf import properties

__all__ = ["Requeue", "SyncOptions", "dry_run", "run_sync", "sync_repository"]

WAIT_POLL_SECONDS = 0.2  # between two attempts to take the lease of a repository that syncs
DEFAULT_OPTIONS = SyncOptions()

log = logging.getLogger(__name__)


def _check_empty_hold(context: SyncContext) -> None:
    """Require that a person accepted the commit, if it prunes every DAG. Raises WouldEmpty."""
    plan, commit = context.plan, context.commit
    if accepted_by := require_acceptance(context.repository, plan, commit, is_dry_run=context.lease is None):
        context.note(f"the commit prunes {every_dag(len(plan.pruned))}, as accepted by {accepted_by}")


def _apply(context: SyncContext) -> None:
    """Commit the plan in one transaction. Raises LeaseLost, ConfigurationChanged."""
    assert context.lease  # noqa: S101 - not in a dry run
    context.enter("apply")
    store.apply(context.plan, context.lease, context.commit, context.compilation.ignored, context.facts)
    is_change = any(context.plan.changes.values())
    context.note("committed" if is_change else "committed; no DAG changed", is_end=True)


def _finish(context: SyncContext) -> None:
    """Write the repository's new state and the end of the sync. Raises LeaseLost."""
    assert context.lease and context.run  # noqa: S101, PT018 - not in a dry run
    context.enter("finish")
    retries = scheduled_retries(context.repository, context.plan)
    context.report = _report(context, retries=retries)
    status.succeed(context.lease, context.run, context.plan, context.report, context, retries)


Step = Callable[[SyncContext], Requeue | None]

PREPARE: tuple[Step, ...] = (
    prepare.fetch,
    prepare.verify,
    prepare.discover,
    prepare.compile_files,
    prepare.plan,
    _check_empty_hold,
)
STEPS: tuple[Step, ...] = (*PREPARE, warn_about_references, _apply, _finish)


def sync_repository(
    repository_id: int, options: SyncOptions = DEFAULT_OPTIONS, progress: Progress = no_progress
) -> SyncReport:
    """Bring the metadata store in line with a repository, if anything changed, and report what was done.

    Never raises for a fault of the repository, its remote or its files: the report has it. Raises
    Repository.DoesNotExist and database errors. For callers whose options admit every sync; see `run_sync`.
    """
    outcome = run_sync(repository_id, options, progress)
    if isinstance(outcome, Requeue):
        raise TypeError("a sync with options that may requeue it is run by run_sync")
    return outcome


def run_sync(
    repository_id: int, options: SyncOptions, progress: Progress = no_progress
) -> SyncReport | Requeue:
    """Sync a repository as `sync_repository` does, or return Requeue where `options.admit` has it wait."""
    started = time.monotonic()
    repository = Repository.objects.for_sync().get(pk=repository_id)
    with correlation.bound(repository=repository.name):
        outcome = _run_sync(repository, options, progress)
    if isinstance(outcome, Requeue):
        return outcome
    return replace(outcome, seconds=time.monotonic() - started)


def dry_run(
    repository: Repository, *, full: bool = False, progress: Progress = no_progress
) -> tuple[SyncReport, Plan | None]:
    """Report what a sync would do now, with its plan; None if it got as far as no plan. Writes nothing to the store.

    Raises database errors.
    """
    started = time.monotonic()
    with correlation.bound(repository=repository.name):
        report, plan = _dry_run(SyncContext(repository, SyncOptions(full=full), progress))
    return replace(report, seconds=time.monotonic() - started), plan


def _run_sync(repository: Repository, options: SyncOptions, progress: Progress) -> SyncReport | Requeue:
    if held_back := report_of_held_back(repository):
        return held_back
    if not options.full:
        progress("probe", "")
        if settled(repository, options):
            return report_of_record(repository)
    try:
        lease = _acquire(repository.pk, options)
    except Busy as exc:
        return report_without_effect(repository, exc.reason, str(exc))
    with ExitStack() as correlated:
        return _sync_until_settled(lease, options, progress, correlated)


def _acquire(repository_id: int, options: SyncOptions) -> SyncLease:
    """Take the lease, wait for it, or leave the request with its holder. Raises Busy, Repository.DoesNotExist."""
    deadline = time.monotonic() + properties().gitsync_sync_timeout_ms / 1000
    while True:
        lease = acquire(repository_id)
        if lease:
            return lease
        if not options.wait and leave_request(
            repository_id, options.trigger, options.requested_by, full=options.full
        ):
            raise Busy("another sync of this repository is running; a sync for this request follows it")
        if time.monotonic() > deadline:
            raise Busy("another sync of this repository has been running for too long; try again later")
        time.sleep(WAIT_POLL_SECONDS)


def _sync_until_settled(
    lease: SyncLease, options: SyncOptions, progress: Progress, correlated: ExitStack
) -> SyncReport | Requeue:
    """Sync under the lease; then again while a request is pending or the configuration was edited during the sync.

    A sync for a pending request logs under the correlation id of that request (`correlated`), and so do those after it.
    """
    while True:
        try:
            outcome = _sync_under(lease, options, progress)
        except BaseException:
            release(lease, keep_request=True)
            raise
        pending = release(lease)
        if isinstance(outcome, Requeue):
            return replace(outcome, full=outcome.full or bool(pending and pending["full"]))
        if pending:
            joined = pending.pop("correlation_id", "")
            log.info("starting the sync that was requested during this one: %s", joined)
            correlated.enter_context(correlation.bound(joined))
            pending["trigger"] = Trigger(pending["trigger"])
            options = replace(options, **pending, is_repeat=False)
        elif outcome.reason != SyncReason.CONFIGURATION_CHANGED:
            return outcome
        repository = Repository.objects.for_sync().filter(may_sync(), pk=lease.repository_id).first()
        if repository is None:
            return outcome
        if pending and not options.full:
            progress("probe", "")
            if settled(repository, options):
                return outcome  # the sync that just ended has done what was requested
        try:
            lease = _acquire(lease.repository_id, options)
        except Busy:
            return outcome  # the process that was faster serves the request


def _sync_under(lease: SyncLease, options: SyncOptions, progress: Progress) -> SyncReport | Requeue:
    repository = lease.repository
    # Checked again: the poll took time, and the lease is for the configuration that it found.
    if held_back := report_of_held_back(repository):
        return held_back
    if backed_off := _back_off(lease, options, repository):
        return backed_off
    run = SyncRun.objects.create(
        repository=repository,
        lease_number=lease.number,
        trigger=options.trigger,
        requested_by=options.requested_by,
        correlation_id=correlation.current(),
        full=options.full,
        from_commit=repository.last_good_commit,
        started_at=database_now(),
    )
    context = SyncContext(repository, options, progress, run, lease)
    context.note(_request(options))
    try:
        with keep_alive(lease, properties().gitsync_sync_timeout_ms / 1000):
            requeue = _walk(STEPS, context)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - each kind has its end below; none is swallowed
        return end_without_effect(context, run, lease, error)
    if requeue:
        run.delete()
        return requeue
    log.info("synced %s to %s: %s", repository.name, context.commit[:12], _counts(context.report))
    return context.report


def _walk(steps: Sequence[Step], context: SyncContext) -> Requeue | None:
    """Run the steps in their order, up to one that has the sync requeued."""
    with context.resources:
        for step in steps:
            if requeue := step(context):
                return requeue
    return None


def _back_off(lease: SyncLease, options: SyncOptions, repository: Repository) -> SyncReport | None:
    """Return a report if workers died in so many syncs of the repository that it waits; see `gitsync.sync.crash_loop`."""
    if options.overrides_back_off:
        return None
    if crash_loop := find_crash_loop(repository):
        try:
            status.worker_died(lease, crash_loop)
        except LeaseLost as exc:
            return report_without_effect(repository, exc.reason, str(exc))
    elif not (options.is_repeat and repository.reason == SyncReason.WORKER_DIED):
        return None
    repository.refresh_from_db()
    return report_of_record(repository)


def _dry_run(context: SyncContext) -> tuple[SyncReport, Plan | None]:
    repository = context.repository
    if held_back := report_of_held_back(repository, is_dry_run=True):
        return held_back, None
    try:
        _walk(PREPARE, context)
    except Error:
        raise
    except WouldEmpty as exc:
        return (
            replace(
                _report(context),
                state=RepositoryState.FAILING,
                reason=str(exc.reason),
                message=str(exc),
            ),
            context.plan,
        )
    except Exception as exc:  # noqa: BLE001 - any other error is this repository's failure
        failure = logged_failure_of(exc, repository)
        return report_without_effect(
            repository, failure.reason, failure.message, to_commit=context.commit
        ), None
    return _report(context), context.plan


def _report(context: SyncContext, *, retries: Retries | None = None) -> SyncReport:
    return report_of_plan(
        context.repository,
        context.plan,
        context.compilation.ignored,
        to_commit=context.commit,
        retries=retries,
    )


def _request(options: SyncOptions) -> str:
    """Return who requested what, for the sync log."""
    by = f" by {options.requested_by}" if options.requested_by else ""
    everything = ", a full sync: unchanged files are compiled too" if options.full else ""
    return f"requested{by} ({options.trigger.label}){everything}"


def _counts(report: SyncReport) -> str:
    return (
        f"{len(report.created)} created, {len(report.updated)} updated, {len(report.pruned)} pruned, "
        f"{len(report.stale)} stale, {report.unchanged} unchanged, {len(report.failed)} problems; "
        f"{report.compiled} of {report.compiled + report.reused} files compiled"
    )
