"""A turn for whoever asks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max, Min, Q
from django.db.models.functions import Now
from django_q.humanhash import uuid

from gitsync.models import Lane, SyncRun, Turn
from gitsync.queue import dispatch
from gitsync.queue.tenant import name_and_place
from kiok.cluster.idle_timeout import limit_standstill

LONG_SECONDS = 10.0
"""A repository whose last sync took longer is expected to take long again."""
_LOCK = 0x6B696F6B  # "kiok"

log = logging.getLogger(__name__)


def ask(repository_id: int, lane: Lane, arguments: Sequence[Any]) -> str:
    """Have the repository synced when its turn comes, once the current transaction is committed.

    `arguments` are those of the task after the repository's key, as JSON has them. Returns the task's id.
    """
    id = str(uuid()[1])
    found = name_and_place(repository_id)
    if found is None:
        return id
    name, place = found
    with transaction.atomic():
        turn = Turn.objects.create(
            id=id,
            repository_id=repository_id,
            arguments=list(arguments),
            lane=lane,
            team=place.team,
            host=place.host,
            number=_number(place.team, lane),
            is_long=_was_long(repository_id),
            asked_at=Now(),
        )
        dispatch.wake(turn)
    log.info("a sync of repository %s waits for its turn", name)
    return id


def hasten(repository_id: int) -> None:
    """Have a turn that waits because a look found something go with those that were asked for. Raises DatabaseError.

    For who asks while it waits: what else looks have found, for the same team, is not to come before a push.
    """
    found = Turn.objects.filter(repository_id=repository_id, lane=Lane.SCHEDULED, taken_by="")
    turn = found.select_related("repository").first()
    if turn is None:
        return
    with transaction.atomic():
        number = min(turn.number, _number(turn.team, Lane.ASKED))
        # Asked again: another request may have hastened it by now, or a worker taken it.
        if found.filter(pk=turn.pk).update(lane=Lane.ASKED, number=number):
            log.info("a sync of repository %s goes with those that were requested", turn.repository.name)


def _number(team: str, lane: Lane) -> int:
    """One more than the last of the same team and lane, but not behind those that are being served now.

    So in each round every team has one turn of each lane, and who was away gets no credit for it (start-time fair
    queueing: Goyal, Vin, Cheng, SIGCOMM 1996).
    """
    limit_standstill()
    with connection.cursor() as cursor:
        # Those who ask for one team at the same moment would get the same number, and a round more than its one.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, f"{lane} {team}"])
    told = Turn.objects.aggregate(
        served=Max("number", filter=~Q(taken_by="")),
        first=Min("number", filter=Q(taken_by="")),
        own=Max("number", filter=Q(team=team, lane=lane)),
    )
    now = told["served"] if told["served"] is not None else told["first"] or 0
    return int(now if told["own"] is None else max(now, told["own"] + 1))


def _was_long(repository_id: int) -> bool:
    run = SyncRun.objects.filter(repository_id=repository_id).exclude(finished_at=None).order_by("-pk")
    took = run.annotate(took=F("finished_at") - F("started_at")).values_list("took", flat=True).first()
    return took is not None and took > timedelta(seconds=LONG_SECONDS)
