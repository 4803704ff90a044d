"""Poll of a repository: step "probe", and the result that is recorded if no sync is needed."""

from __future__ import annotations

from collections.abc import Callable

from django.db import Error

from gitsync.models import Repository, Trigger
from gitsync.sync import status
from gitsync.sync.backoff import SPREAD
from gitsync.sync.context import SyncOptions
from gitsync.sync.failure import logged_failure_of
from gitsync.sync.lease import is_held
from gitsync.sync.probe import is_current
from gitsync.sync.probe_cache import ProbeCache
from gitsync.sync.remote import Remote, remote_of
from kiok import correlation

_probe_cache = ProbeCache()


def poll(repository_id: int) -> bool:
    """Poll a repository for the leader; return whether it needs a sync by a worker.

    If it needs none (nothing new, or unreachable), the result is recorded. Raises Repository.DoesNotExist.
    """
    repository = Repository.objects.for_sync().get(pk=repository_id)

    def ask(remote: Remote) -> str:
        # A shared answer may be as old as the spread of the polls, so it delays a push by no more than that.
        return _probe_cache.probe(remote, SPREAD * repository.effective_interval_ms / 1000)

    with correlation.bound(repository=repository.name):
        return not settled(repository, SyncOptions(trigger=Trigger.SCHEDULE), ask)


def settled(
    repository: Repository, request: SyncOptions, ask: Callable[[Remote], str] = Remote.probe
) -> bool:
    """Poll the repository; return whether the request needs no sync. `repository` is then as recorded.

    Raises database errors.
    """
    try:
        commit = ask(remote_of(repository))
    except Error:
        raise
    except Exception as exc:  # noqa: BLE001 - any error is this repository's failure and must not stop others
        failure = logged_failure_of(exc, repository)
        status.fail_unreached(repository, failure, request.trigger, request.requested_by)
        repository.refresh_from_db()
        return True
    # A process that died left its lease and a sync that counts as running, or a failed one left a pending request.
    is_unfinished = bool(repository.lease_holder or repository.pending_request) and not is_held(repository)
    if is_unfinished or not is_current(
        repository, commit, ignore_back_off=request.overrides_back_off, retries_now=request.retries_now
    ):
        return False
    status.nothing_new(repository)
    return True
