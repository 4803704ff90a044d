"""Long polling for a worker's result, without an open transaction and with few database queries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field

from gitsync.api.schemas import integer

MAX_SECONDS = 60
FIRST_PAUSE_SECONDS = 0.2
LAST_PAUSE_SECONDS = 1.0
MAX_WAITING = 2  # of a web process's four threads; further requests get the current state immediately

Wait = Annotated[
    int,
    Field(
        ge=0,
        le=MAX_SECONDS,
        description="The maximum seconds to wait for the result; 0: respond immediately.",
    ),
    BeforeValidator(integer),
]

T = TypeVar("T")

_places = threading.BoundedSemaphore(MAX_WAITING)


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
