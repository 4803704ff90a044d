"""Waiting for a worker within a request: no transaction is open meanwhile, and the store is asked seldom."""

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
MAX_WAITING = 2
"""Of a web process's four threads. Who comes when they are taken is told at once how things stand."""

Wait = Annotated[
    int,
    Field(ge=0, le=MAX_SECONDS, description="Seconds to wait for the result at most; 0: answer at once."),
    BeforeValidator(integer),
]

T = TypeVar("T")

_places = threading.BoundedSemaphore(MAX_WAITING)


def until(look: Callable[[], T], is_done: Callable[[T], bool], seconds: float) -> T:
    """What `look` gives once it is done, or after so many seconds, or at once if too many wait already."""
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
