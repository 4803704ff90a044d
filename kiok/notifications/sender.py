"""Task that empties the outbox: it takes one channel after another and sends its pending notifications, oldest first.

One worker at a time holds a channel, so that a failure is reported before the recovery. A channel that does not respond
costs one attempt, not one per pending notification: it is then in back-off. If a worker dies between sending and recording
it, the notification stays pending and is sent again under the same id.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F, Min, Q
from django.db.models.functions import Now
from django.utils import timezone

from kiok.cluster.process_id import process_name
from kiok.errors import KiokError
from kiok.notifications import mail, outbox, webhook
from kiok.notifications.content import content_of, redacted_line
from kiok.notifications.errors import DeliveryRefused, NotDelivered
from kiok.notifications.models import ChannelKind, DeliveryState, NotificationChannel, NotificationDelivery

BUDGET_SECONDS = 30.0  # per task, as the worker has syncs to run too; another task sends the rest
FIRST_PAUSE_SECONDS = 30.0
MAX_PAUSE_SECONDS = 3600.0
PATIENCE = timedelta(hours=24)  # after that a notification is given up
REFUSALS = 3  # attempts for a notification that the server refuses, so that it does not block the later ones
MAX_OUTCOME = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChannelLease:
    """The exclusive right to send to a channel."""

    channel_id: int
    holder: str

    def renew(self) -> NotificationChannel | None:
        """Extend the lease and return the current channel; None if it is deleted, disabled or held by another worker."""
        mine = NotificationChannel.objects.filter(pk=self.channel_id, holder=self.holder, enabled=True)
        NotificationChannel.LEASE.renew(mine)
        return mine.select_related("secret").first()

    def release(self) -> None:
        NotificationChannel.LEASE.release(
            NotificationChannel.objects.filter(pk=self.channel_id, holder=self.holder)
        )


def deliver(budget_seconds: float = BUDGET_SECONDS) -> str:
    """Send the deliveries that may be attempted now, as a task. Return a line for people. Raise database errors."""
    until = time.monotonic() + budget_seconds
    sent = 0
    while time.monotonic() < until:
        held = _take()
        if held is None:
            break
        try:
            sent += _send_all(held, until)
        finally:
            held.release()
    else:
        outbox.wake_if_due()
    return f"{sent} notifications delivered"


def _take() -> ChannelLease | None:
    """Acquire the free channel with the oldest pending notification; return None if there is none."""
    me = process_name()
    candidates = outbox.due().annotate(oldest=Min("deliveries__id", filter=Q(deliveries__state="waiting")))
    for pk, holder in candidates.order_by("oldest").values_list("pk", "holder"):
        free = outbox.due().filter(NotificationChannel.LEASE.free(holder), pk=pk)
        if NotificationChannel.LEASE.acquire(free, me):
            return ChannelLease(pk, me)
    return None


def _send_all(held: ChannelLease, until: float) -> int:
    """Send the channel's pending notifications until one fails or the time is up, and return the number sent."""
    sent = 0
    while time.monotonic() < until and (channel := held.renew()):
        delivery = (
            NotificationDelivery.objects.filter(channel=channel, state=DeliveryState.WAITING)
            .select_related("notification__repository")
            .order_by("pk")
            .first()
        )
        if delivery is None:
            break
        try:
            outcome = send(channel, delivery)
        except NotDelivered as exc:
            _write_failure(channel, delivery, exc)
            break
        sent += 1
        _write(delivery, DeliveryState.SENT, outcome)
        NotificationChannel.objects.filter(pk=channel.pk).update(failures=0, retry_at=None)
    return sent


def send(channel: NotificationChannel, delivery: NotificationDelivery) -> str:
    """Make one attempt and return a description of the result. Raise NotDelivered."""
    content = content_of(delivery.notification)
    try:
        if channel.kind == ChannelKind.EMAIL:
            return mail.send(channel, content)
        return webhook.send(channel, content)
    except NotDelivered:
        raise
    except KiokError as exc:  # of the connection or the URL
        raise NotDelivered(str(exc)) from exc
    except Exception as exc:  # any error concerns only this channel and must not stop the others
        log.exception(
            "the notification of %s to %s failed unexpectedly",
            delivery.notification.repository or "a test",
            channel.name,
        )
        raise NotDelivered(f"unexpected {type(exc).__name__}. See the service log") from exc


def _write_failure(channel: NotificationChannel, delivery: NotificationDelivery, error: NotDelivered) -> None:
    tried = delivery.attempts + 1
    is_hopeless = (isinstance(error, DeliveryRefused) and tried >= REFUSALS) or (
        timezone.now() - delivery.created_at > PATIENCE
    )
    outcome = redacted_line(str(error), MAX_OUTCOME)
    log.warning(
        "the notification of %s was not delivered to %s (attempt %s%s): %s",
        *(
            delivery.notification.repository or "a test",
            channel.name,
            tried,
            ", given up" if is_hopeless else "",
            outcome,
        ),
    )
    _write(delivery, DeliveryState.GIVEN_UP if is_hopeless else DeliveryState.WAITING, outcome)
    pause = min(FIRST_PAUSE_SECONDS * 2 ** min(channel.failures, 20), MAX_PAUSE_SECONDS)
    NotificationChannel.objects.filter(pk=channel.pk, holder=channel.holder).update(
        failures=F("failures") + 1, retry_at=Now() + timedelta(seconds=pause)
    )


def _write(delivery: NotificationDelivery, state: DeliveryState, outcome: str) -> None:
    """Record an attempt. A failure is recorded only if the delivery is still pending, neither sent nor cancelled."""
    rows = NotificationDelivery.objects.filter(pk=delivery.pk)
    if state != DeliveryState.SENT:
        rows = rows.filter(state=DeliveryState.WAITING)
    rows.update(
        state=state,
        attempts=F("attempts") + 1,
        outcome=redacted_line(outcome, MAX_OUTCOME),
        attempted_at=Now(),
    )
