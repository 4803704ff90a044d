"""The rows that the processes of one installation share: who leads, and which workers are alive."""

from __future__ import annotations

import uuid

from django.db import models

from kiok.cluster.lease import Lease


class LeaderLease(models.Model):
    """The leader's lease, a single row (id 1).

    `installation` tells the containers of this installation from those of another one on the same engine.
    """

    LEASE = Lease(seconds=5.0)  # renewed every second

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    holder = models.CharField(max_length=200, blank=True)
    number = models.PositiveBigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True, help_text="When the holder became the leader.")
    installation = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        db_table = "gitsync_leadership"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_leadership_row")]

    def __str__(self) -> str:
        return f"leader {self.holder or '(none)'}"

    @classmethod
    def current(cls) -> models.QuerySet[LeaderLease]:
        """Return the row of the leader; no row while no process leads."""
        return cls.objects.filter(cls.LEASE.held(), pk=1)


class Worker(models.Model):
    """A worker process. It updates its row every few seconds; a row that is older belongs to a process that is gone.

    Only the key is indexed, so that each write is a heap-only update: see docs/adr/0020-worker-rows.md.
    """

    name = models.CharField(max_length=200, primary_key=True, help_text="See kiok.cluster.process_id.")
    started_at = models.DateTimeField("started")
    seen_at = models.DateTimeField("last seen")
    engine = models.CharField(
        max_length=500, blank=True, help_text="Problem of its container engine; empty if it has none."
    )
    ready = models.PositiveIntegerField(default=0, help_text="Warm containers of this engine.")
    data_free_bytes = models.BigIntegerField(
        null=True, help_text="Free space of its data folder; null if unknown."
    )

    class Meta:
        db_table = "gitsync_worker"

    def __str__(self) -> str:
        return self.name
