"""Whether somebody leads: Git Sync's part of `/readyz`."""

from __future__ import annotations

from kiok.cluster.conf import properties
from kiok.cluster.models import LeaderLease

NOT_NEEDED = "not needed"
NO_LEADER = "none: no worker process leads; start `manage.py qcluster`, or read the log of the one that runs"


def leader() -> str:
    """`ok`, `not needed` while nothing is synced on the interval, or what is wrong. Raises DatabaseError."""
    if not properties().gitsync_enabled:
        return NOT_NEEDED
    return "ok" if LeaderLease.current().exists() else NO_LEADER
