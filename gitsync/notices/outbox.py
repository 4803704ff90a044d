"""The outbox: notices are put in with the state they tell of, and a worker is woken to send them.

Waking may be lost with the process that was to do it; the leader looks every minute (`wake_if_due`).
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django_q.tasks import async_task

from gitsync.models import Notice, NoticeDelivery, NoticeEvent, NoticeReceiver, NoticeState, Repository
from gitsync.queue.brokers.errors import BrokerAway

DELIVER = "gitsync.notices.sender.deliver"
KEPT = timedelta(days=90)
FORGOTTEN_AT_ONCE = 500
NEWS = timedelta(days=1)
"""For so long those who look after the service are told that a notice was given up."""
_NAME = "deliver notices"

log = logging.getLogger(__name__)


def put(notice: Notice) -> Notice:
    """Save a notice with a row for each receiver of its repository, within the caller's transaction."""
    notice.save(force_insert=True)
    receivers = receivers_of(notice.repository) if notice.repository else NoticeReceiver.objects.none()
    _address(notice, [*receivers.values_list("pk", flat=True)])
    return notice


def put_test(receiver: NoticeReceiver) -> Notice:
    """A notice that is none, to one receiver, tried at once."""
    with transaction.atomic():
        NoticeReceiver.objects.filter(pk=receiver.pk).update(retry_at=None)
        message = "If you read this, notices arrive."
        notice = Notice.objects.create(event=NoticeEvent.TEST, message=message, at=Now())
        _address(notice, [receiver.pk])
    return notice


def call_off(receiver: NoticeReceiver) -> None:
    """Give up what waits for a receiver that is switched off: what it was once it is switched on again, is no news."""
    waiting = NoticeDelivery.objects.filter(receiver=receiver, state=NoticeState.WAITING)
    waiting.update(state=NoticeState.GIVEN_UP, outcome="The receiver was switched off.")


def receivers_of(repository: Repository) -> QuerySet[NoticeReceiver]:
    """Who is told of the repository."""
    chosen = Q(all_repositories=True) | Q(repositories=repository.pk) | Q(groups__repositories=repository.pk)
    return NoticeReceiver.objects.filter(chosen, enabled=True).order_by("pk").distinct()


def due() -> QuerySet[NoticeReceiver]:
    """Receivers for which something waits that may be tried now, whether or not a worker is at it."""
    waiting = NoticeDelivery.objects.filter(receiver=OuterRef("pk"), state=NoticeState.WAITING)
    may_be_tried = Q(retry_at__isnull=True) | Q(retry_at__lte=Now())
    return NoticeReceiver.objects.filter(may_be_tried, Exists(waiting), enabled=True)


def undelivered() -> QuerySet[NoticeDelivery]:
    """What has not arrived at receivers that are switched on: it waits, or was given up within `NEWS`.

    Read by partial indexes, so that it costs what is amiss, not what was ever told.
    """
    given_up = Q(state=NoticeState.GIVEN_UP, attempted_at__gt=Now() - NEWS)
    rows = NoticeDelivery.objects.filter(Q(state=NoticeState.WAITING) | given_up, receiver__enabled=True)
    return rows.order_by()


def wake_if_due() -> bool:
    """Have a worker send what may be tried now; whether there is any."""
    found = due().exists()
    if found:
        wake()
    return found


def forget() -> int:
    """Remove notices of long ago, some at a time; how many there were. Reads the oldest alone, by their key."""
    before = timezone.now() - KEPT
    oldest = Notice.objects.order_by("pk").values_list("pk", "at")[:FORGOTTEN_AT_ONCE]
    old = [pk for pk, at in oldest if at < before]
    if old:
        Notice.objects.filter(pk__in=old).delete()
    return len(old)


def wake() -> None:
    """Have a worker send what waits. A broker that is out of reach is tried again by the leader. Raises DatabaseError."""
    try:
        async_task(DELIVER, q_options={"group": _NAME, "task_name": _NAME, "save": False})
    except BrokerAway as exc:
        log.warning("%s. Notices wait until it is back", exc.found)


def _address(notice: Notice, receivers: list[int]) -> None:
    if not receivers:
        return
    # Of a hundred that fail together one wakes a worker, which finds the others. One that rests after a failure does
    # not count: nobody was woken for it.
    is_awake = due().filter(NoticeReceiver.LEASE.free(), failures=0).exists()
    NoticeDelivery.objects.bulk_create(NoticeDelivery(notice=notice, receiver_id=pk) for pk in receivers)
    if not is_awake:
        # Not before: a worker that comes too soon finds nothing. A queue that is away fails no sync.
        transaction.on_commit(wake, robust=True)
