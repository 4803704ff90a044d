"""What a request that a worker has to do is known by, until it is done and for a day: a signed text.

It holds what tells the request's end in the store (the task's id, and how things stood when it was made), so that
nothing has to be stored for it. Signed, so that it can be asked for only by who made it or was told; whether its
repository may be seen is looked at each time anew.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from django.core import signing
from django_q.models import OrmQ
from pydantic import StringConstraints

from gitsync.api.problems import not_found
from gitsync.models import QueuedSync
from kiok.cluster.conf import properties

MAX_AGE = timedelta(days=1)
TURNS = ("sync",)
"""The kinds of requests that wait for their turn; others are in the queue and nowhere else."""

Ticket = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", min_length=1, max_length=2000)]


def write(kind: str, value: Mapping[str, Any]) -> str:
    """A ticket of this kind. Letters, digits, `_`, `-` and `.`."""
    newest = OrmQ.objects.order_by("-pk").values_list("pk", flat=True).first()
    return _signer(kind).sign_object({**value, "kind": kind, "queued": newest or 0, "at": int(time.time())})


def read(kind: str, ticket: str) -> dict[str, Any]:
    """What was written. Raises Refused (404) for what is none of this service's, or too old."""
    try:
        value: dict[str, Any] = _signer(kind).unsign_object(ticket, max_age=MAX_AGE)
    except signing.BadSignature as exc:
        raise not_found("request") from exc
    return value


def has_left_the_queue(value: Mapping[str, Any]) -> bool:
    """Whether no worker has it any more. A task's result, if it was kept, is there before it leaves.

    A queue in Redis does not tell; then it has left when no worker can be at it any more.
    """
    if QueuedSync.objects.filter(pk=value["task"]).exists():
        return False
    if value.get("kind") in TURNS:
        return True
    if properties().broker == "redis":
        return bool(time.time() > value["at"] + properties().gitsync_sync_timeout_ms / 1000)
    return not OrmQ.objects.filter(pk__lte=value["queued"]).exists()


def _signer(kind: str) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"gitsync.api.{kind}", sep=".")
