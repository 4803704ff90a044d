"""The ends of a sync that committed nothing: abandoned, failed or unrecorded (see `gitsync.sync.run`)."""

from __future__ import annotations

import logging
from contextlib import suppress

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from gitsync.errors import ConfigurationChanged, LeaseLost, SyncError, WorkerDied, WouldEmpty
from gitsync.models import SyncRun, SyncState
from gitsync.sync import status
from gitsync.sync.context import SyncContext
from gitsync.sync.failure import is_store_full, logged_failure_of
from gitsync.sync.lease import SyncLease
from gitsync.sync.report import SyncReport, report_without_effect
from kiok.cluster.clock import database_now

log = logging.getLogger(__name__)


def end_without_effect(
    context: SyncContext, run: SyncRun, lease: SyncLease, error: Exception | SystemExit
) -> SyncReport:
    """Record the end of a sync that committed nothing, and report it. Raises `error` where it is not the repository's."""
    repository = context.repository
    if isinstance(error, LeaseLost):
        _abandon(run, context, error)
        return report_without_effect(repository, error.reason, str(error))
    if isinstance(error, SystemExit):  # the worker ends a task that is over its time, and itself
        connection.close()  # it may have been in the middle of a statement
        _abandon(run, context, WorkerDied(f"the worker terminated this sync and itself: {error}"))
        raise error
    if isinstance(error, OperationalError | InterfaceError):
        if is_store_full(error):
            # Existing rows can be written, mostly: so the operator finds the reason at the repository.
            with suppress(DatabaseError):
                return _fail(context, run, lease, error)
        log.warning("the sync of %s was aborted by a database error: %s", repository.name, error)
        # The database failed, not the repository: its state stays as it is.
        status.postpone(lease, repository)
        raise error
    return _fail(context, run, lease, error)


def _fail(context: SyncContext, run: SyncRun, lease: SyncLease, error: Exception) -> SyncReport:
    repository = context.repository
    failure = logged_failure_of(error, repository)
    if isinstance(error, ConfigurationChanged):
        _abandon(run, context, error)
        return report_without_effect(repository, failure.reason, failure.message)
    context.note(f"failed ({failure.reason}): {failure.message}", is_end=True)
    context.enter("")
    try:
        would_prune = error.dags if isinstance(error, WouldEmpty) else None
        status.fail(lease, run, failure, context, would_prune=would_prune)
    except LeaseLost as exc:
        _abandon(run, context, exc)
    return report_without_effect(repository, failure.reason, failure.message, to_commit=context.commit)


def _abandon(run: SyncRun, context: SyncContext, error: SyncError) -> None:
    """Write the end of a sync that is void.

    A worker that took the repository over may have written it already, and may have counted this one as dead.
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
