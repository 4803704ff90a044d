"""The syncs that wait for a worker, whatever the broker is: a few tasks in its queue wake workers for any number of them."""

from __future__ import annotations

from gitsync.monitoring.doctor.finding import CheckResult, ok, warn
from gitsync.monitoring.health import LONG_WAIT_SECONDS
from gitsync.queue.dequeue import queue_lengths
from kiok.cluster import heartbeat


def syncs() -> CheckResult:
    """How many wait and are at work, and for how long the oldest has waited."""
    told = queue_lengths(heartbeat.alive().values_list("name", flat=True))
    found = f"{told.waiting} waiting, {told.taken} at work"
    if not told.waiting:
        return ok(found)
    found += f", the oldest for {told.oldest_seconds:.0f} s"
    if told.oldest_seconds < LONG_WAIT_SECONDS:
        return ok(found)
    return warn(
        found,
        "Start more workers (kiok.workers), raise kiok.gitsync.max.syncs or kiok.gitsync.host.syncs where they hold syncs "
        "back, or see what is slow on the pages of those that run.",
    )
