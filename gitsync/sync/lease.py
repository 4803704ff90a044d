"""Step "lease": one sync at a time per repository, by a conditional update that sets a lease and a number.

The number grows with every lease (a fencing token: Kleppmann, "How to do distributed locking"); apply and
finish write only while the number is still that of their lease. The lease is short and renewed from a thread, so a
killed worker blocks a repository for seconds. On the same machine its death is detected immediately.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from django.db import Error, InterfaceError, OperationalError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from gitsync.errors import LeaseLost, SyncReason
from gitsync.models import Repository, SyncRun, SyncState
from kiok import correlation
from kiok.cluster.idle_timeout import limit_idle_in_transaction
from kiok.cluster.process_id import process_name

LEASE = Repository.LEASE
RENEW_SECONDS = 5.0
RETRY_SECONDS = 0.5  # between two attempts to release a lease while the database is unreachable
DIED = "The worker that ran this sync died. Its changes were committed completely or not at all."
LEFT = "The sync could not record its end. Its changes were committed completely or not at all."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SyncLease:
    """Lease to sync one repository under one configuration."""

    repository_id: int
    holder: str
    number: int
    config_hash: str
    name: str  # of the repository, for the log
    repository: Repository = field(repr=False, compare=False)  # as read when the lease was acquired


def acquire(repository_id: int) -> SyncLease | None:
    """Acquire the sync lease of a repository; return None while a live worker holds it.

    Earlier syncs that still count as running are marked abandoned. The one that still held the lease gets the reason
    `worker_died`. Raises Repository.DoesNotExist.
    """
    me = process_name()
    found = Repository.objects.filter(pk=repository_id).values_list("lease_holder", "lease_number").first()
    if found is None:
        raise Repository.DoesNotExist
    holder, number = found
    # With the number as read: so it is known which lease this one replaces.
    free = Repository.objects.filter(LEASE.free(holder), pk=repository_id, lease_number=number)
    if not LEASE.acquire(free, me, queued_until=None):
        return None
    repository = Repository.objects.for_sync().get(pk=repository_id)
    if repository.lease_holder != me:
        return None
    if holder:
        _abandon(repository_id, Q(lease_number=number), DIED, SyncReason.WORKER_DIED)
    _abandon(repository_id, Q(lease_number__lte=number), LEFT)
    return SyncLease(
        repository_id, me, repository.lease_number, repository.config_hash, repository.name, repository
    )


def _abandon(repository_id: int, which: Q, message: str, reason: str = "") -> None:
    """Mark the matching running syncs of the repository as abandoned."""
    SyncRun.objects.filter(which, repository_id=repository_id, state=SyncState.RUNNING).update(
        state=SyncState.ABANDONED, reason=reason, message=message, finished_at=Now()
    )


def is_held(row: Repository) -> bool:
    """Return whether a live worker holds the repository's lease, according to its row."""
    return LEASE.is_held(row)


def release(held: SyncLease, *, keep_request: bool = False) -> dict[str, Any] | None:
    """Release the lease. Return the pending request that arrived during the sync, if any (`leave_request`).

    `keep_request`: leave the request with the repository, for the next holder of the lease.

    While the database is unreachable, the release is retried for as long as the lease may last, so that no worker waits
    for the lease to expire once the database is back. Raises database errors after that.
    """
    deadline = time.monotonic() + LEASE.seconds
    while True:
        try:
            return _release(held, keep_request)
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > deadline:
                raise
            connection.close()
        time.sleep(RETRY_SECONDS)


# A row that is locked in the same statement has the request that was left last.
_RELEASE = """
WITH held AS (
    SELECT id, pending_request FROM gitsync_repository
    WHERE id = %s AND lease_holder = %s AND lease_number = %s FOR UPDATE
)
UPDATE gitsync_repository
SET lease_holder = '', lease_expires_at = NULL,
    pending_request = CASE WHEN %s THEN held.pending_request END
FROM held WHERE gitsync_repository.id = held.id
RETURNING held.pending_request
"""


def _release(held: SyncLease, keep_request: bool) -> dict[str, Any] | None:
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [held.repository_id, held.holder, held.number, keep_request])
        row = cursor.fetchone()
    return json.loads(row[0]) if row and row[0] else None


def leave_request(repository_id: int, trigger: str, requested_by: str = "", *, full: bool = False) -> bool:
    """Leave a pending request with the running sync. Several are coalesced into one, `full` if any of them is.

    Return False if no sync is running, so that the caller can acquire the lease.
    """
    with transaction.atomic():
        limit_idle_in_transaction()
        row = Repository.objects.select_for_update().filter(LEASE.held(), pk=repository_id).first()
        if row is None:
            return False
        requested = row.pending_request or {"full": False}
        known = requested.get("correlation_id") or correlation.current()
        row.pending_request = {
            "trigger": str(trigger),
            "requested_by": requested_by,
            "full": full or requested["full"],
            "correlation_id": known,
        }
        row.save(update_fields=["pending_request"])
        _log_joined(row, known)
    return True


def _log_joined(repository: Repository, pending_request: str) -> None:
    """Log which sync the request waits for, and the correlation id of the sync that follows."""
    if pending_request != correlation.current():
        log.info(
            "another sync of %s follows the running one; this request is coalesced into %s",
            repository.name,
            pending_request,
        )
        return
    running = SyncRun.objects.filter(repository=repository, lease_number=repository.lease_number)
    holder = running.values_list("correlation_id", flat=True).first() or "a sync"
    log.info("this request waits for %s, which is syncing %s", holder, repository.name)


def locked_if_held(held: SyncLease) -> Repository:
    """Return the repository row, locked for the rest of the transaction, if the lease is still held.

    A process that is suspended in that transaction keeps the row locked no longer than a lease: PostgreSQL ends its
    session. Raises LeaseLost if the lease is no longer held.
    """
    limit_idle_in_transaction()
    rows = Repository.objects.select_for_update()
    row = rows.filter(pk=held.repository_id, lease_holder=held.holder, lease_number=held.number).first()
    if row is None:
        raise LeaseLost("another worker has taken over this repository; this sync commits nothing")
    return row


@contextmanager
def keep_alive(held: SyncLease, limit_seconds: float) -> Iterator[None]:
    """Keep the lease alive from a thread while the block runs, for at most `limit_seconds`."""
    stop = threading.Event()
    thread = threading.Thread(
        target=copy_context().run,  # what it logs belongs to the sync
        args=(_renew, held, limit_seconds, stop),
        name=f"lease-{held.name}",
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _renew(held: SyncLease, limit_seconds: float, stop: threading.Event) -> None:
    elapsed = 0.0
    try:
        while elapsed < limit_seconds and not stop.wait(RENEW_SECONDS):
            elapsed += RENEW_SECONDS
            try:
                LEASE.renew(Repository.objects.filter(pk=held.repository_id, lease_number=held.number))
            except Error as exc:
                # Try again: the lease has seconds left, and the fencing token protects the commit in any case.
                log.warning("cannot renew the lease of repository %s: %s", held.name, exc)
                connection.close()
    finally:
        connection.close()
