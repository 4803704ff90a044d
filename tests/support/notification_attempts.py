"""One delivery to a channel, and the result of its one attempt."""

from __future__ import annotations

import pytest
from django.utils import timezone

from gitsync.models import Repository
from kiok.notifications import sender
from kiok.notifications.errors import NotDelivered
from kiok.notifications.models import Notification, NotificationChannel, NotificationDelivery


def delivery(channel: NotificationChannel, message: str = "it broke") -> NotificationDelivery:
    """Return a delivery that waits for the channel."""
    repository, _ = Repository.objects.get_or_create(name="team", url="https://git.example.org/team/dags.git")
    notification = Notification.objects.create(
        repository=repository,
        event="failing",
        before="in_sync",
        state="failing",
        reason="ref_missing",
        message=message,
        at=timezone.now(),
    )
    return NotificationDelivery.objects.create(notification=notification, channel=channel)


def problem(channel: NotificationChannel) -> str:
    """Return the error of the one attempt."""
    with pytest.raises(NotDelivered) as caught:
        sender.send(channel, delivery(channel))
    return str(caught.value)
