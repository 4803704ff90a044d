"""Enqueueing of syncs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max, Min, Q
from django.db.models.functions import Now
from django_q.humanhash import uuid

from gitsync.models import Priority, QueuedSync, SyncRun
from gitsync.queue import dispatch
from gitsync.queue.tenant import name_and_tenant
from kiok.cluster.idle_timeout import limit_idle_in_transaction

LONG_SECONDS = 10.0  # a repository whose last sync took longer is expected to take long again
_LOCK = 0x6B696F6B  # "kiok"

log = logging.getLogger(__name__)


def enqueue(repository_id: int, priority: Priority, arguments: Sequence[Any]) -> str:
    """Enqueue a sync of the repository, effective once the current transaction is committed. Return the task's id.

    `arguments` are the JSON arguments of the task after the repository's key.
    """
    id = str(uuid()[1])
    found = name_and_tenant(repository_id)
    if found is None:
        return id
    name, place = found
    with transaction.atomic():
        queued = QueuedSync.objects.create(
            id=id,
            repository_id=repository_id,
            arguments=list(arguments),
            priority=priority,
            tenant=place.tenant,
            host=place.host,
            number=_number(place.tenant, priority),
            is_long=_was_long(repository_id),
            requested_at=Now(),
        )
        dispatch.notify(queued)
    log.info("queued a sync of repository %s", name)
    return id


def promote(repository_id: int) -> None:
    """Promote a repository's waiting scheduled sync to interactive priority. Raises DatabaseError.

    Called when a request arrives for a sync that is already queued: other syncs that polls found for the same tenant must
    not run before a push.
    """
    found = QueuedSync.objects.filter(repository_id=repository_id, priority=Priority.SCHEDULED, claimed_by="")
    queued = found.select_related("repository").first()
    if queued is None:
        return
    with transaction.atomic():
        number = min(queued.number, _number(queued.tenant, Priority.INTERACTIVE))
        # Filter again: another request may have promoted it by now, or a worker claimed it.
        if found.filter(pk=queued.pk).update(priority=Priority.INTERACTIVE, number=number):
            log.info(
                "promoted the queued sync of repository %s to interactive priority", queued.repository.name
            )


def _number(tenant: str, priority: Priority) -> int:
    """Return the number after the last one of the same tenant and priority, but not below the numbers served now.

    So each round has one sync of every tenant and priority, and an idle tenant gets no credit (start-time fair
    queueing: Goyal, Vin, Cheng, SIGCOMM 1996).
    """
    limit_idle_in_transaction()
    with connection.cursor() as cursor:
        # Without the lock, simultaneous requests of one tenant would get the same number, and share a round.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, f"{priority} {tenant}"])
    told = QueuedSync.objects.aggregate(
        served=Max("number", filter=~Q(claimed_by="")),
        first=Min("number", filter=Q(claimed_by="")),
        own=Max("number", filter=Q(tenant=tenant, priority=priority)),
    )
    now = told["served"] if told["served"] is not None else told["first"] or 0
    return int(now if told["own"] is None else max(now, told["own"] + 1))


def _was_long(repository_id: int) -> bool:
    run = SyncRun.objects.filter(repository_id=repository_id).exclude(finished_at=None).order_by("-pk")
    took = run.annotate(took=F("finished_at") - F("started_at")).values_list("took", flat=True).first()
    return took is not None and took > timedelta(seconds=LONG_SECONDS)
