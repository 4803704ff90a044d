"""Outbox: notifications are stored in the transaction of the state they report, and a task is enqueued to send them.

The task may be lost if the process that enqueues it dies, so the leader checks every minute (`wake_if_due`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from kiok.notifications.models import (
    DeliveryState,
    Notification,
    NotificationChannel,
    NotificationDelivery,
    NotificationEvent,
)

DELIVER = "kiok.notifications.sender.deliver"
KEPT = timedelta(days=90)
FORGOTTEN_AT_ONCE = 500
# How long metrics and `manage.py doctor` report a notification that was given up.
NEWS = timedelta(days=1)

_enqueue: Callable[[str], None] | None = None


def enqueue_with(enqueue: Callable[[str], None]) -> None:
    """Have `enqueue` enqueue tasks: it gets the dotted name of a function. The app that owns the task queue calls this.

    It must not fail if the queue's broker is down; the leader tries again. It may raise DatabaseError.
    """
    global _enqueue
    _enqueue = enqueue


def put(notification: Notification) -> Notification:
    """Save a notification with a delivery for each channel of its repository, within the caller's transaction."""
    notification.save(force_insert=True)
    if notification.repository_id:
        _address(notification, [*channels_of(notification.repository_id).values_list("pk", flat=True)])
    return notification


def put_test(channel: NotificationChannel) -> Notification:
    """Save a test notification to one channel, to be sent immediately."""
    with transaction.atomic():
        NotificationChannel.objects.filter(pk=channel.pk).update(retry_at=None)
        message = "This is a test. Notifications reach this channel."
        notification = Notification.objects.create(event=NotificationEvent.TEST, message=message, at=Now())
        _address(notification, [channel.pk])
    return notification


def cancel_pending(channel: NotificationChannel) -> None:
    """Cancel the pending deliveries of a disabled channel: they would be outdated once it is enabled again."""
    waiting = NotificationDelivery.objects.filter(channel=channel, state=DeliveryState.WAITING)
    waiting.update(state=DeliveryState.GIVEN_UP, outcome="The channel was disabled.")


def channels_of(repository_id: int) -> QuerySet[NotificationChannel]:
    """Return the channels that receive notifications about the repository."""
    chosen = Q(all_repositories=True) | Q(repositories=repository_id) | Q(groups__repositories=repository_id)
    return NotificationChannel.objects.filter(chosen, enabled=True).order_by("pk").distinct()


def due() -> QuerySet[NotificationChannel]:
    """Return the channels with pending deliveries that may be attempted now, even if a worker is sending to them."""
    waiting = NotificationDelivery.objects.filter(channel=OuterRef("pk"), state=DeliveryState.WAITING)
    may_be_tried = Q(retry_at__isnull=True) | Q(retry_at__lte=Now())
    return NotificationChannel.objects.filter(may_be_tried, Exists(waiting), enabled=True)


def undelivered() -> QuerySet[NotificationDelivery]:
    """Return the deliveries to enabled channels that are pending, or were given up within `NEWS`.

    The query uses partial indexes, so its cost depends on the undelivered rows, not on the history.
    """
    given_up = Q(state=DeliveryState.GIVEN_UP, attempted_at__gt=Now() - NEWS)
    rows = NotificationDelivery.objects.filter(
        Q(state=DeliveryState.WAITING) | given_up, channel__enabled=True
    )
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
    oldest = Notification.objects.order_by("pk").values_list("pk", "at")[:FORGOTTEN_AT_ONCE]
    old = [pk for pk, at in oldest if at < before]
    if old:
        Notification.objects.filter(pk__in=old).delete()
    return len(old)


def wake() -> None:
    """Enqueue a task that sends pending deliveries; the leader retries if the broker is down. Raise DatabaseError."""
    if _enqueue:
        _enqueue(DELIVER)


def _address(notification: Notification, channels: list[int]) -> None:
    if not channels:
        return
    # If a hundred repositories fail together, only the first enqueues a task, which finds the others. A channel in
    # back-off after a failure does not count: no task was enqueued for it.
    is_awake = due().filter(NotificationChannel.LEASE.free(), failures=0).exists()
    NotificationDelivery.objects.bulk_create(
        NotificationDelivery(notification=notification, channel_id=pk) for pk in channels
    )
    if not is_awake:
        # After the commit: an earlier task would find nothing. An unreachable broker does not fail the sync.
        transaction.on_commit(wake, robust=True)
