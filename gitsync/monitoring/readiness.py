"""Whether somebody leads: Git Sync's part of `/readyz`."""

from __future__ import annotations

from django.db.models import Q
from django.db.models.functions import Now

from gitsync.models import Leadership
from kiok.cluster.conf import properties

NOT_NEEDED = "not needed"
NO_LEADER = "none: no worker process leads; start `manage.py qcluster`, or read the log of the one that runs"


def led() -> Q:
    """A condition on `Leadership`: held, and the lease runs by the database's clock."""
    return Q(expires_at__gt=Now()) & ~Q(holder="")


def leader() -> str:
    """`ok`, `not needed` while nothing is synced on the interval, or what is wrong. Raises DatabaseError."""
    if not properties().gitsync_enabled:
        return NOT_NEEDED
    return "ok" if Leadership.objects.filter(led(), pk=1).exists() else NO_LEADER
