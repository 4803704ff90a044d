"""Deliveries to the webhook of a repository as a git service sends them, their responses and requested syncs."""

from __future__ import annotations

from typing import Any

from django.test import Client

from tests.support.git_services import Delivery, Sender
from tests.support.queue_state import waiting

SECRET = "It's a Secret to Everybody"
MAIN = "refs/heads/main"


def send(
    sender: Sender,
    delivery: Delivery,
    *,
    identity: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    secret: str = SECRET,
    path: str = "/hooks/team/",
    without: str = "",
    content_type: str = "application/json",
) -> Any:
    """Deliver as the service does; `without` leaves one header out."""
    headers = sender.headers(delivery.event, identity, delivery.body, secret)
    headers = {name: value for name, value in headers.items() if name != without}
    # As an anonymous stranger from elsewhere: without cookies, and with csrf checks.
    client = Client(enforce_csrf_checks=True)
    return client.generic(
        "POST", path, delivery.body, content_type, headers=headers, CONTENT_LENGTH=str(len(delivery.body))
    )


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["outcome"]


def requests() -> list[tuple[Any, ...]]:
    """The arguments of the syncs that wait for a worker, but what they go by."""
    return [row[:4] for row in waiting()]
