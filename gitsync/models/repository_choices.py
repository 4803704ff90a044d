"""The choices of a repository's columns."""

from __future__ import annotations

from django.db import models


class ManagedBy(models.TextChoices):
    """The owner of a repository's configuration."""

    ADMIN = "admin", "admin"
    CONFIG = "config", "configuration"


class Verify(models.TextChoices):
    """The signature that is required before a commit is compiled."""

    OFF = "off", "off"
    COMMIT = "commit", "commit"
    TAG = "tag", "tag"


class RepositoryState(models.TextChoices):
    """The state of a repository after its last poll or sync."""

    NEVER = "never", "Never synced"
    IN_SYNC = "in_sync", "In sync"
    DEGRADED = "degraded", "Degraded"
    FAILING = "failing", "Failing"
