"""Operations over the API: tokens, and long polling without an open transaction and with few database queries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Annotated, Protocol, TypeVar

from django.http import HttpResponse
from django.urls import reverse
from ninja import Status
from pydantic import BeforeValidator, Field, StringConstraints

from gitsync.api.auth import Caller
from gitsync.api.patterns import OPERATION_TOKEN
from gitsync.api.problems import not_found
from gitsync.api.schemas import integer
from gitsync.repositories.operation import Operation, OperationKind

MAX_SECONDS = 60
FIRST_PAUSE_SECONDS = 0.2
LAST_PAUSE_SECONDS = 1.0
MAX_WAITING = 2  # of a web process's four threads; further requests get the current state immediately

OperationToken = Annotated[
    str,
    StringConstraints(pattern=OPERATION_TOKEN, min_length=1, max_length=2000),
    Field(description="The `id` in the response to the request, as in its `Location`."),
]
Wait = Annotated[
    int,
    Field(
        ge=0,
        le=MAX_SECONDS,
        description="The maximum seconds to wait for the result; 0: respond immediately.",
    ),
    BeforeValidator(integer),
]


class _Shown(Protocol):
    @property
    def state(self) -> str: ...


T = TypeVar("T")
S = TypeVar("S", bound=_Shown)
# Shows the operation of a token to a caller, in its current state.
Show = Callable[[Caller, str, Operation], S]

_places = threading.BoundedSemaphore(MAX_WAITING)


def started(
    caller: Caller, response: HttpResponse, operation: Operation, show: Show[S], route: str, wait: int
) -> Status[S]:
    """Return a new operation: 200 if it is done within `wait` seconds, else 202. `route` names the URL to read it."""
    token = operation.token()
    response["Location"] = reverse(f"api-1:{route}", args=[token])
    shown = read(caller, operation.kind, token, show, wait)
    return Status(200 if _is_done(shown) else 202, shown)


def read(caller: Caller, kind: OperationKind, token: str, show: Show[S], wait: int) -> S:
    """Return the operation of a token, when it is done, at most `wait` seconds later. Raise ApiRefusal (404)."""
    operation = Operation.of_token(kind, token)
    if operation is None:
        raise not_found("request")
    return until(lambda: show(caller, token, operation), _is_done, wait)


def until(look: Callable[[], T], is_done: Callable[[T], bool], seconds: float) -> T:
    """Call `look` until it is done or the seconds have passed, and return its value.

    Return the first value immediately if too many requests are waiting already.
    """
    deadline = time.monotonic() + seconds
    seen = look()
    if is_done(seen) or seconds <= 0 or not _places.acquire(blocking=False):
        return seen
    try:
        pause = FIRST_PAUSE_SECONDS
        while not is_done(seen) and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, LAST_PAUSE_SECONDS)
            seen = look()
        return seen
    finally:
        _places.release()


def _is_done(shown: _Shown) -> bool:
    return shown.state not in ("waiting", "running")
