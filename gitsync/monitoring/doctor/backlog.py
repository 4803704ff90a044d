"""Check of the queued syncs, for any broker: the broker's few tasks only wake workers, so its queue has no such count."""

from __future__ import annotations

from gitsync.monitoring.doctor.check import ok, warn
from gitsync.monitoring.health import LONG_WAIT_SECONDS
from gitsync.queue.dequeue import queue_lengths
from kiok.checks import CheckResult
from kiok.cluster import heartbeat


def syncs() -> CheckResult:
    """Report the number of queued and running syncs, and the age of the oldest queued one."""
    told = queue_lengths(heartbeat.alive().values_list("name", flat=True))
    found = f"{told.waiting} queued, {told.taken} running"
    if not told.waiting:
        return ok(found)
    found += f", the oldest queued for {told.oldest_seconds:.0f} s"
    if told.oldest_seconds < LONG_WAIT_SECONDS:
        return ok(found)
    return warn(
        found,
        "Start more workers (kiok.workers), raise kiok.gitsync.max.syncs or kiok.gitsync.host.syncs if these limits are "
        "reached, or find the slow step on the pages of the running syncs.",
    )
