"""`sync_repository`: the one function under every trigger. It walks the steps and reports."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError

from gitsync.clock import database_now
from gitsync.conf import properties
from gitsync.errors import Busy, ConfigurationChanged, Deferred, LeaseLost, SyncError, SyncReason
from gitsync.models import Repository, RepositoryState, SyncRun, SyncState, Trigger
from gitsync.remote import Remote, remote_of
from gitsync.sync import apply as store
from gitsync.sync import finish
from gitsync.sync.claim import Claim, ask_for_follow_up, claim, is_held, release, renewed
from gitsync.sync.judge import judge
from gitsync.sync.plan import Plan
from gitsync.sync.probe import is_judged, mark_checked
from gitsync.sync.report import SyncReport, report_of_plan, report_of_record
from gitsync.sync.schedule import SPREAD, may_sync
from gitsync.sync.shared_probe import SharedProbes
from gitsync.sync.walk import Admit, Progress, Walk, admit_all
from kiok import correlation

log = logging.getLogger(__name__)

WAIT_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. `full` recompiles even what has not changed; `dry_run` writes nothing.

    `wait`: where another sync of the repository is under way, wait for it and sync then, instead of leaving
    the request with it.

    `admit` is told what is to be compiled, before it is; raising Deferred it has the sync end there, to be tried later.
    """

    trigger: Trigger = Trigger.COMMAND
    requested_by: str = ""
    full: bool = False
    dry_run: bool = False
    wait: bool = False
    admit: Admit = admit_all


def sync_repository(
    repository_id: int,
    request: Request = Request(),
    progress: Progress = lambda _step, _detail: None,
) -> SyncReport:
    """Bring the metadata store in line with a repository, if anything changed, and say what was done.

    Never raises for what is wrong with the repository, its remote or its files: that is in the report. Raises
    Repository.DoesNotExist, database errors, and Deferred if the request's `admit` does.
    """
    repository = Repository.objects.select_related("credential", "verify_keys").get(pk=repository_id)
    with correlation.bound(repository=repository.name):
        return _sync_repository(repository, request, progress)


def _sync_repository(repository: Repository, request: Request, progress: Progress) -> SyncReport:
    started = time.monotonic()
    if request.dry_run:
        return dry_run(repository, full=request.full, progress=progress)[0]
    if held_back := _held_back(repository, started):
        return held_back
    if not request.full:
        settled = _look(repository, request, progress, started)
        if settled:
            return settled
    try:
        held = _claim(repository.pk, request)
    except Busy as exc:
        return _report(repository, exc.reason, str(exc), started)
    report = _sync_while_asked(held, request, progress)
    return replace(report, seconds=time.monotonic() - started)


def look(repository_id: int) -> bool:
    """The leader's look: whether the repository needs a sync by a worker.

    A look that settles the matter (nothing new, out of reach) records so. Raises Repository.DoesNotExist.
    """
    repository = Repository.objects.select_related("credential", "verify_keys").get(pk=repository_id)
    request = Request(trigger=Trigger.SCHEDULE)

    def ask(remote: Remote) -> str:
        # As old an answer as the looks' own spread: nobody waits for a push longer than that for it.
        return _shared_probes.probe(remote, SPREAD * repository.effective_interval_ms / 1000)

    with correlation.bound(repository=repository.name):
        return _look(repository, request, lambda _step, _detail: None, time.monotonic(), ask) is None


_shared_probes = SharedProbes()


def _look(
    repository: Repository,
    request: Request,
    progress: Progress,
    started: float,
    ask: Callable[[Remote], str] = Remote.probe,
) -> SyncReport | None:
    """Step probe: a report if that settles it, None if there is work to do."""
    progress("probe", "")
    try:
        commit = ask(remote_of(repository))
    except DatabaseError:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is this repository's failure and stops no other
        failure = _noted(exc, repository)
        finish.fail_unreached(repository, failure, request.trigger, request.requested_by)
        repository.refresh_from_db()
        return report_of_record(repository, seconds=time.monotonic() - started)
    was_left = repository.lease_holder and not is_held(
        repository
    )  # by a process that died; its sync says that it runs
    if was_left or not is_judged(repository, commit):
        return None
    mark_checked(repository)
    return report_of_record(repository, seconds=time.monotonic() - started)


def _claim(repository_id: int, request: Request) -> Claim:
    """Claim, or wait for it, or leave the request with the holder. Raises Busy."""
    deadline = time.monotonic() + properties().gitsync_sync_timeout_ms / 1000
    while True:
        held = claim(repository_id)
        if held:
            return held
        if not request.wait and ask_for_follow_up(
            repository_id, request.trigger, request.requested_by, full=request.full
        ):
            raise Busy(
                "a sync of this repository is under way; it is followed by another one for this request"
            )
        if time.monotonic() > deadline:
            raise Busy("another sync of this repository has been under way for too long; try again later")
        time.sleep(WAIT_POLL_SECONDS)


def _sync_while_asked(held: Claim, request: Request, progress: Progress) -> SyncReport:
    """One sync under the claim; then another where a request came meanwhile or the configuration changed."""
    with ExitStack() as followed:
        return _sync_in_turn(held, request, progress, followed)


def _sync_in_turn(held: Claim, request: Request, progress: Progress, followed: ExitStack) -> SyncReport:
    """`followed`: a sync that a request asked for goes by that request's id, and so does what comes after it."""
    while True:
        asked: dict[str, Any] | None = None
        try:
            report = _sync(held, request, progress)
        except Deferred as exc:
            meanwhile = release(held)
            exc.full = request.full or bool(meanwhile and meanwhile["full"])
            raise
        finally:
            asked = release(held)
        if asked:
            known = asked.pop("correlation_id", "")
            log.info("the sync %s follows, which was asked for meanwhile", known)
            followed.enter_context(correlation.bound(known))
            request = replace(request, **{**asked, "trigger": Trigger(asked["trigger"])})
        elif report.reason != SyncReason.CONFIGURATION_CHANGED:
            return report
        if asked and not request.full:
            repository = (
                Repository.objects.select_related("credential", "verify_keys")
                .filter(pk=held.repository_id)
                .first()
            )
            if repository is None or _look(repository, request, progress, time.monotonic()):
                return report  # what was asked for had been done already
        if not Repository.objects.filter(may_sync(), pk=held.repository_id).exists():
            return report
        follower = claim(held.repository_id)
        if follower is None:
            return report
        held = follower


def _sync(held: Claim, request: Request, progress: Progress) -> SyncReport:
    started = time.monotonic()
    repository = Repository.objects.select_related("credential", "verify_keys").get(pk=held.repository_id)
    # Once more: a look takes its time, and the claim is to the configuration that it found.
    if held_back := _held_back(repository, started):
        return held_back
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
    walk = Walk(run, progress, admit=request.admit)
    walk.note(_beginning(request))
    limit = properties().gitsync_sync_timeout_ms / 1000
    try:
        with renewed(held, limit):
            plan, compilation = judge(repository, walk, full=request.full)
            walk.enter("apply")
            store.apply(plan, held, walk.commit, compilation.ignored)
            is_change = any(plan.changes.values())
            walk.note("committed" if is_change else "committed; no DAG changed", is_end=True)
            walk.enter("finish")
            report = report_of_plan(
                repository,
                plan,
                compilation.ignored,
                to_commit=walk.commit,
                seconds=time.monotonic() - started,
            )
            finish.succeed(held, run, plan, report, walk)
    except Deferred:
        run.delete()
        raise
    except LeaseLost as exc:
        _abandon(run, walk, exc)
        return _report(repository, exc.reason, str(exc), started)
    except (OperationalError, InterfaceError) as exc:
        if finish.is_store_full(exc):
            # What is there can be written over, mostly: so an operator learns of it where the sync would be told.
            with suppress(DatabaseError):
                return _failed(held, run, exc, walk, repository, started)
        log.warning("the sync of %s ended, since the database is in trouble: %s", repository.name, exc)
        # The store itself is in trouble, so its failure is not recorded as the repository's.
        finish.postpone(held, repository)
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is this repository's failure and stops no other
        return _failed(held, run, exc, walk, repository, started)
    else:
        log.info("synced %s to %s: %s", repository.name, walk.commit[:12], _counts(report))
        return report


def dry_run(
    repository: Repository, *, full: bool = False, progress: Progress = lambda _step, _detail: None
) -> tuple[SyncReport, Plan | None]:
    """What a sync would do now, and the plan of it, None where it came to none. Writes nothing to the store.

    Raises database errors.
    """
    started = time.monotonic()
    if not repository.enabled:
        return _switched_off(repository, started), None
    walk = Walk(None, progress)
    try:
        plan, compilation = judge(repository, walk, full=full)
    except DatabaseError:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is this repository's failure and stops no other
        failure = _noted(exc, repository)
        report = _report(repository, failure.reason, failure.message, started, to_commit=walk.commit)
        return report, None
    seconds = time.monotonic() - started
    report = report_of_plan(repository, plan, compilation.ignored, to_commit=walk.commit, seconds=seconds)
    return report, plan


def _failed(
    held: Claim, run: SyncRun, error: Exception, walk: Walk, repository: Repository, started: float
) -> SyncReport:
    failure = _noted(error, repository)
    if isinstance(error, ConfigurationChanged):
        _abandon(run, walk, error)
        return _report(repository, failure.reason, failure.message, started)
    walk.note(f"failed ({failure.reason}): {failure.message}", is_end=True)
    walk.enter("")
    try:
        finish.fail(held, run, failure, walk)
    except LeaseLost as exc:
        _abandon(run, walk, exc)
    return _report(repository, failure.reason, failure.message, started, to_commit=walk.commit)


def _noted(error: Exception, repository: Repository) -> finish.Failure:
    failure = finish.failure_of(error)
    if failure.reason == SyncReason.INTERNAL:
        log.error("sync of %s failed unexpectedly", repository.name, exc_info=error)
    else:
        log.warning("sync of %s failed (%s): %s", repository.name, failure.reason, failure.message)
    return failure


def _abandon(run: SyncRun, walk: Walk, error: SyncError) -> None:
    """Write the end of a sync that is void. Whoever took its repository over may have done so already."""
    walk.note(f"abandoned ({error.reason}): {error}", is_end=True)
    walk.enter("")
    walk.record(run)
    observed = {name: getattr(run, name) for name in ("timings", "files_done", "files_total", "log")}
    rows = SyncRun.objects.filter(pk=run.pk)
    ended = rows.filter(state=SyncState.RUNNING).update(
        state=SyncState.ABANDONED,
        reason=error.reason,
        message=str(error),
        finished_at=database_now(),
        **observed,
    )
    if not ended:
        rows.filter(state=SyncState.ABANDONED).update(**observed)


def _beginning(request: Request) -> str:
    """Who asked for what."""
    by = f" by {request.requested_by}" if request.requested_by else ""
    everything = ", compiling also what has not changed" if request.full else ""
    return f"asked for{by} ({request.trigger.label}){everything}"


def _held_back(repository: Repository, started: float) -> SyncReport | None:
    """A report if the repository is not to be synced."""
    if not repository.enabled:
        return _switched_off(repository, started)
    if repository.is_paused:
        return _report(repository, SyncReason.PAUSED, _paused(repository), started)
    return None


def _switched_off(repository: Repository, started: float) -> SyncReport:
    return _report(repository, SyncReason.DISABLED, "the repository is switched off", started)


def _paused(repository: Repository) -> str:
    return f"the repository is paused by {repository.paused_by}: {repository.pause_reason}"


def _report(
    repository: Repository, reason: str, message: str, started: float, *, to_commit: str = ""
) -> SyncReport:
    return SyncReport(
        name=repository.name,
        state=RepositoryState.FAILING,
        reason=str(reason),
        message=message,
        from_commit=repository.last_good_commit,
        to_commit=to_commit,
        seconds=time.monotonic() - started,
    )


def _counts(report: SyncReport) -> str:
    return (
        f"{len(report.created)} created, {len(report.updated)} updated, {len(report.pruned)} pruned, "
        f"{len(report.stale)} stale, {report.unchanged} unchanged, {len(report.failed)} problems; "
        f"{report.compiled} of {report.compiled + report.reused} files compiled"
    )
