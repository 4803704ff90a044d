"""Git Sync's part of `/readyz`: check for a leader."""

from __future__ import annotations

from kiok.checks import CheckResult, CheckStatus
from kiok.cluster.conf import properties
from kiok.cluster.models import LeaderLease

NAME = "leader"
NO_LEADER = "none: no worker process is the leader. Start `manage.py qcluster`, or read the log of the running process"


def leader() -> CheckResult:
    """Check that there is a leader if repositories are polled on the interval. Raise DatabaseError."""
    if not properties().gitsync_enabled:
        return CheckResult(NAME, CheckStatus.OK, "not needed")
    if LeaderLease.current().exists():
        return CheckResult(NAME, CheckStatus.OK, "ok")
    return CheckResult(NAME, CheckStatus.FAIL, NO_LEADER)
