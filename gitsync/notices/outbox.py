"""Outbox: notifications are stored in the transaction of the state they report, and a task is enqueued to send them.

The task may be lost if the process that enqueues it dies, so the leader checks every minute (`wake_if_due`).
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
# How long metrics and `manage.py doctor` report a notification that was given up.
NEWS = timedelta(days=1)
_NAME = "deliver notifications"

log = logging.getLogger(__name__)


def put(notice: Notice) -> Notice:
    """Save a notification with a delivery for each channel of its repository, within the caller's transaction."""
    notice.save(force_insert=True)
    receivers = receivers_of(notice.repository) if notice.repository else NoticeReceiver.objects.none()
    _address(notice, [*receivers.values_list("pk", flat=True)])
    return notice


def put_test(receiver: NoticeReceiver) -> Notice:
    """Save a test notification to one channel, to be sent immediately."""
    with transaction.atomic():
        NoticeReceiver.objects.filter(pk=receiver.pk).update(retry_at=None)
        message = "This is a test. Notifications reach this channel."
        notice = Notice.objects.create(event=NoticeEvent.TEST, message=message, at=Now())
        _address(notice, [receiver.pk])
    return notice


def cancel_pending(receiver: NoticeReceiver) -> None:
    """Cancel the pending deliveries of a disabled channel: they would be outdated once it is enabled again."""
    waiting = NoticeDelivery.objects.filter(receiver=receiver, state=NoticeState.WAITING)
    waiting.update(state=NoticeState.GIVEN_UP, outcome="The channel was disabled.")


def receivers_of(repository: Repository) -> QuerySet[NoticeReceiver]:
    """Return the channels that receive notifications about the repository."""
    chosen = Q(all_repositories=True) | Q(repositories=repository.pk) | Q(groups__repositories=repository.pk)
    return NoticeReceiver.objects.filter(chosen, enabled=True).order_by("pk").distinct()


def due() -> QuerySet[NoticeReceiver]:
    """Return the channels with pending deliveries that may be attempted now, even if a worker is sending to them."""
    waiting = NoticeDelivery.objects.filter(receiver=OuterRef("pk"), state=NoticeState.WAITING)
    may_be_tried = Q(retry_at__isnull=True) | Q(retry_at__lte=Now())
    return NoticeReceiver.objects.filter(may_be_tried, Exists(waiting), enabled=True)


def undelivered() -> QuerySet[NoticeDelivery]:
    """Return the deliveries to enabled channels that are pending, or were given up within `NEWS`.

    The query uses partial indexes, so its cost depends on the undelivered rows, not on the history.
    """
    given_up = Q(state=NoticeState.GIVEN_UP, attempted_at__gt=Now() - NEWS)
    rows = NoticeDelivery.objects.filter(Q(state=NoticeState.WAITING) | given_up, receiver__enabled=True)
    return rows.order_by()


def wake_if_due() -> bool:
    """Enqueue a task if deliveries may be attempted now; return whether there are any."""
    found = due().exists()
    if found:
        wake()
    return found


def forget() -> int:
    """Delete a batch of notifications older than `KEPT` and return their number. Reads only the oldest rows, by key."""
    before = timezone.now() - KEPT
    oldest = Notice.objects.order_by("pk").values_list("pk", "at")[:FORGOTTEN_AT_ONCE]
    old = [pk for pk, at in oldest if at < before]
    if old:
        Notice.objects.filter(pk__in=old).delete()
    return len(old)


def wake() -> None:
    """Enqueue a task that sends pending deliveries; the leader retries if the broker is down. Raise DatabaseError."""
    try:
        async_task(DELIVER, q_options={"group": _NAME, "task_name": _NAME, "save": False})
    except BrokerAway as exc:
        log.warning("%s. Notifications wait until it is back", exc.found)


def _address(notice: Notice, receivers: list[int]) -> None:
    if not receivers:
        return
    # If a hundred repositories fail together, only the first enqueues a task, which finds the others. A channel in
    # back-off after a failure does not count: no task was enqueued for it.
    is_awake = due().filter(NoticeReceiver.LEASE.free(), failures=0).exists()
    NoticeDelivery.objects.bulk_create(NoticeDelivery(notice=notice, receiver_id=pk) for pk in receivers)
    if not is_awake:
        # After the commit: an earlier task would find nothing. An unreachable broker does not fail the sync.
        transaction.on_commit(wake, robust=True)
