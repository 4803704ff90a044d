"""Notifications of failures, and their deliveries."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from gitsync.models import Repository, Trigger
from gitsync.sync import status
from gitsync.sync.failure import SyncFailure
from kiok.notifications import outbox
from kiok.notifications.models import (
    Notification,
    NotificationChannel,
    NotificationDelivery,
)

BROKEN = "dag:\n  id: a\ntasks:\n- id: x\n  require: [y]\n"


def events() -> list[str]:
    return list(Notification.objects.order_by("id").values_list("event", flat=True))


def states() -> list[str]:
    return list(NotificationDelivery.objects.order_by("id").values_list("state", flat=True))


def fail(repository: Repository, *, transient: bool = False) -> None:
    """Record a failure, as a poll that fails does."""
    failure = SyncFailure("timeout" if transient else "ref_missing", "no such ref", transient)
    status.fail_unreached(repository, failure, Trigger.SCHEDULE)


def put(repository: Repository, *names: str) -> None:
    """Create notifications with these messages."""
    for name in names:
        with transaction.atomic():
            outbox.put(Notification(repository=repository, event="failing", message=name, at=timezone.now()))


def later() -> None:
    """Set the state as if the back-off after failures were over."""
    NotificationChannel.objects.update(retry_at=None)
