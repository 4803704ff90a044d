"""Operation tokens: signed texts that identify requests which a worker executes. A token is valid for one day.

A token contains all that is needed to find the request's outcome in the database (the task's id, and the state when the
request was made), so nothing is stored for it. The signature prevents guessing: only the requester, and those who got
the token from the requester, can read the outcome. Access to the repository is checked at each request.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from django.core import signing
from django_q.models import OrmQ
from pydantic import Field, StringConstraints

from gitsync.api.problems import not_found
from gitsync.models import QueuedSync
from kiok.cluster.conf import properties

MAX_AGE = timedelta(days=1)
TURNS = ("sync",)  # kinds with a row in the table of queued syncs; the others are only tasks in the queue

Ticket = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", min_length=1, max_length=2000),
    Field(description="The `id` in the response to the request, as in its `Location`."),
]


def write(kind: str, value: Mapping[str, Any]) -> str:
    """Return an operation token of this kind. It consists of letters, digits, `_`, `-` and `.`."""
    newest = OrmQ.objects.order_by("-pk").values_list("pk", flat=True).first()
    return _signer(kind).sign_object({**value, "kind": kind, "queued": newest or 0, "at": int(time.time())})


def read(kind: str, ticket: str) -> dict[str, Any]:
    """Return the value of a token. Raise Refused (404) if the token is invalid or expired."""
    try:
        value: dict[str, Any] = _signer(kind).unsign_object(ticket, max_age=MAX_AGE)
    except signing.BadSignature as exc:
        raise not_found("request") from exc
    return value


def has_left_the_queue(value: Mapping[str, Any]) -> bool:
    """Return whether the task has left the queue. Its result, if it is kept, is stored before it leaves.

    Redis does not report this: with Redis, a task has left once the sync timeout has passed since the request.
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
