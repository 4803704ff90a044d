"""Git Sync's part of `/readyz`: check for a leader."""

from __future__ import annotations

from kiok.cluster.conf import properties
from kiok.cluster.models import LeaderLease

NOT_NEEDED = "not needed"
NO_LEADER = "none: no worker process is the leader. Start `manage.py qcluster`, or read the log of the running process"


def leader() -> str:
    """Return `ok`, `not needed` if repositories are not polled on the interval, or an error. Raise DatabaseError."""
    if not properties().gitsync_enabled:
        return NOT_NEEDED
    return "ok" if LeaderLease.current().exists() else NO_LEADER
