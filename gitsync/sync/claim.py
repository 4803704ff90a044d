"""Step "claim": one sync at a time per repository, by conditional update with a lease and a number.

The number grows with every claim (a fencing token: Kleppmann, "How to do distributed locking"); apply and
finish write only while it is still theirs. The lease is short and renewed from a thread, so a killed worker
holds a repository up for seconds; on the same machine its death is seen at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from gitsync.errors import LeaseLost
from gitsync.models import Repository, SyncRun, SyncState
from gitsync.process import is_dead, process_name
from kiok import correlation

LEASE_SECONDS = 20.0
RENEW_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to sync one repository, as of one configuration."""

    repository_id: int
    holder: str
    number: int
    config_hash: str


def claim(repository_id: int) -> Claim | None:
    """Take the repository, or None while somebody alive holds it.

    Syncs a dead predecessor left running are marked abandoned.
    """
    me = process_name()
    free = Q(lease_holder="") | Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=Now())
    held_by = Repository.objects.filter(pk=repository_id).values_list("lease_holder", flat=True).first() or ""
    if held_by and is_dead(held_by):
        free |= Q(lease_holder=held_by)
    won = Repository.objects.filter(free, pk=repository_id).update(
        lease_holder=me,
        lease_number=F("lease_number") + 1,
        lease_expires_at=Now() + timedelta(seconds=LEASE_SECONDS),
        queued_until=None,
    )
    if not won:
        return None
    repository = Repository.objects.get(pk=repository_id)
    if repository.lease_holder != me:
        return None
    SyncRun.objects.filter(
        repository_id=repository_id, state=SyncState.RUNNING, lease_number__lt=repository.lease_number
    ).update(
        state=SyncState.ABANDONED,
        finished_at=Now(),
        message="The process that ran this sync is gone. Nothing of it was committed.",
    )
    return Claim(repository_id, me, repository.lease_number, repository.config_hash)


def release(held: Claim) -> dict[str, Any] | None:
    """Give the repository back. Returns the request that came meanwhile, if any (`ask_for_follow_up`)."""
    with transaction.atomic():
        try:
            row = owned(held)
        except LeaseLost:
            return None
        asked: dict[str, Any] | None = row.follow_up
        row.lease_holder, row.lease_expires_at, row.follow_up = "", None, None
        row.save(update_fields=["follow_up", "lease_holder", "lease_expires_at"])
    return asked


def ask_for_follow_up(
    repository_id: int, trigger: str, requested_by: str = "", *, full: bool = False
) -> bool:
    """Leave a request with the sync under way; several become one, `full` if any of them is.

    False when no sync is under way, so that the caller may claim.
    """
    with transaction.atomic():
        row = (
            Repository.objects.select_for_update()
            .filter(pk=repository_id, lease_expires_at__gt=Now())
            .exclude(lease_holder="")
            .first()
        )
        if row is None:
            return False
        asked = row.follow_up or {"full": False}
        known = asked.get("correlation_id") or correlation.current()
        row.follow_up = {
            "trigger": str(trigger),
            "requested_by": requested_by,
            "full": full or asked["full"],
            "correlation_id": known,
        }
        row.save(update_fields=["follow_up"])
        _log_joined(row, known)
    return True


def _log_joined(repository: Repository, follow_up: str) -> None:
    """Say what a request that came during a sync waits for, and what the sync that follows goes by."""
    if follow_up != correlation.current():
        log.info(
            "a sync of %s is to follow the one under way: this request joins %s", repository.name, follow_up
        )
        return
    running = SyncRun.objects.filter(repository=repository, lease_number=repository.lease_number)
    holder = running.values_list("correlation_id", flat=True).first() or "a sync"
    log.info("this request waits for %s, which is syncing %s", holder, repository.name)


def owned(held: Claim) -> Repository:
    """The repository row, locked for the rest of the transaction, if the claim still stands.

    Raises LeaseLost otherwise.
    """
    row = (
        Repository.objects.select_for_update()
        .filter(pk=held.repository_id, lease_holder=held.holder, lease_number=held.number)
        .first()
    )
    if row is None:
        raise LeaseLost("another worker has taken this repository over; this sync commits nothing")
    return row


@contextmanager
def renewed(held: Claim, limit_seconds: float) -> Iterator[None]:
    """Keep the lease alive from a thread while the block runs, for at most `limit_seconds`."""
    stop = threading.Event()
    thread = threading.Thread(
        target=copy_context().run,  # what it logs belongs to the sync
        args=(_renew, held, limit_seconds, stop),
        name=f"lease-{held.repository_id}",
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _renew(held: Claim, limit_seconds: float, stop: threading.Event) -> None:
    elapsed = 0.0
    try:
        while elapsed < limit_seconds and not stop.wait(RENEW_SECONDS):
            elapsed += RENEW_SECONDS
            try:
                Repository.objects.filter(pk=held.repository_id, lease_number=held.number).update(
                    lease_expires_at=Now() + timedelta(seconds=LEASE_SECONDS)
                )
            except DatabaseError as exc:
                # The lease has seconds left, and the fence decides in the end: try again.
                log.warning("cannot renew the lease of repository %s: %s", held.repository_id, exc)
                connection.close()
    finally:
        connection.close()
