"""Empties the outbox: a task that takes receivers one after another, and sends each what waits for it, oldest first.

A receiver is held by one worker at a time, so that it hears of a failure before it hears of the recovery. One that does
not answer costs one attempt, not one for each notice that waits: it is left alone for a while. A worker that dies
between sending and saying so leaves the notice waiting, and it is sent again under the same id.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F, Min, Q
from django.db.models.functions import Now
from django.utils import timezone

from gitsync.models import NoticeDelivery, NoticeReceiver, NoticeState, ReceiverKind
from gitsync.notices import mail, outbox, webhook
from gitsync.notices.content import printable, values_of
from gitsync.notices.errors import NotDelivered, Refused
from kiok.cluster.process_id import process_name
from kiok.errors import KiokError

BUDGET_SECONDS = 30.0
"""A worker has syncs to do besides; what is left over is another task's."""
"""Longer than any attempt takes: `TIMEOUT_SECONDS` of webhook and mail, and the look-up of a name."""
FIRST_PAUSE_SECONDS = 30.0
MAX_PAUSE_SECONDS = 3600.0
PATIENCE = timedelta(hours=24)
"""After that a notice is given up."""
REFUSALS = 3
"""So often is a notice tried that the receiver refuses, so that those behind it get their turn."""
MAX_OUTCOME = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChannelLease:
    """The right to send to a receiver."""

    receiver_id: int
    holder: str

    def renew(self) -> NoticeReceiver | None:
        """The receiver as it is now, held for longer; None where it is gone, switched off or another's."""
        mine = NoticeReceiver.objects.filter(pk=self.receiver_id, holder=self.holder, enabled=True)
        NoticeReceiver.LEASE.renew(mine)
        return mine.select_related("secret").first()

    def release(self) -> None:
        NoticeReceiver.LEASE.release(NoticeReceiver.objects.filter(pk=self.receiver_id, holder=self.holder))


def deliver(budget_seconds: float = BUDGET_SECONDS) -> str:
    """Task: send what may be sent now. The result is a line for people. Raises database errors."""
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
    return f"{sent} notices delivered"


def _take() -> ChannelLease | None:
    """Hold the receiver whose oldest notice waits longest."""
    me = process_name()
    candidates = outbox.due().annotate(oldest=Min("deliveries__id", filter=Q(deliveries__state="waiting")))
    for pk, holder in candidates.order_by("oldest").values_list("pk", "holder"):
        free = outbox.due().filter(NoticeReceiver.LEASE.free(holder), pk=pk)
        if NoticeReceiver.LEASE.acquire(free, me):
            return ChannelLease(pk, me)
    return None


def _send_all(held: ChannelLease, until: float) -> int:
    """Send what waits for the receiver until it fails or the time is up; how many were sent."""
    sent = 0
    while time.monotonic() < until and (receiver := held.renew()):
        delivery = (
            NoticeDelivery.objects.filter(receiver=receiver, state=NoticeState.WAITING)
            .select_related("notice__repository")
            .order_by("pk")
            .first()
        )
        if delivery is None:
            break
        try:
            outcome = send(receiver, delivery)
        except NotDelivered as exc:
            _write_failure(receiver, delivery, exc)
            break
        sent += 1
        _write(delivery, NoticeState.SENT, outcome)
        NoticeReceiver.objects.filter(pk=receiver.pk).update(failures=0, retry_at=None)
    return sent


def send(receiver: NoticeReceiver, delivery: NoticeDelivery) -> str:
    """One attempt, and what came of it in words. Raises NotDelivered."""
    values = values_of(delivery.notice)
    try:
        if receiver.kind == ReceiverKind.EMAIL:
            return mail.send(receiver, values)
        return webhook.send(receiver, values)
    except NotDelivered:
        raise
    except KiokError as exc:  # the connection, the url
        raise NotDelivered(str(exc)) from exc
    except Exception as exc:  # whatever it is, it is this receiver's and stops no other
        log.exception(
            "the notice of %s to %s failed unexpectedly",
            delivery.notice.repository or "a test",
            receiver.name,
        )
        raise NotDelivered(f"an unexpected {type(exc).__name__}; the service's log has the details") from exc


def _write_failure(receiver: NoticeReceiver, delivery: NoticeDelivery, error: NotDelivered) -> None:
    tried = delivery.attempts + 1
    is_hopeless = (isinstance(error, Refused) and tried >= REFUSALS) or (
        timezone.now() - delivery.created_at > PATIENCE
    )
    outcome = printable(str(error), MAX_OUTCOME)
    log.warning(
        "the notice of %s did not reach %s (attempt %s%s): %s",
        *(
            delivery.notice.repository or "a test",
            receiver.name,
            tried,
            ", given up" if is_hopeless else "",
            outcome,
        ),
    )
    _write(delivery, NoticeState.GIVEN_UP if is_hopeless else NoticeState.WAITING, outcome)
    pause = min(FIRST_PAUSE_SECONDS * 2 ** min(receiver.failures, 20), MAX_PAUSE_SECONDS)
    NoticeReceiver.objects.filter(pk=receiver.pk, holder=receiver.holder).update(
        failures=F("failures") + 1, retry_at=Now() + timedelta(seconds=pause)
    )


def _write(delivery: NoticeDelivery, state: NoticeState, outcome: str) -> None:
    """What was sent is sent; a failure counts where nobody else has sent it, or called it off, meanwhile."""
    rows = NoticeDelivery.objects.filter(pk=delivery.pk)
    if state != NoticeState.SENT:
        rows = rows.filter(state=NoticeState.WAITING)
    rows.update(
        state=state,
        attempts=F("attempts") + 1,
        outcome=printable(outcome, MAX_OUTCOME),
        attempted_at=Now(),
    )
