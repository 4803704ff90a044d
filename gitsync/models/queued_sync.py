"""The queue of syncs: those that wait for a worker, and those that a worker runs, whatever the broker."""

from __future__ import annotations

from django.db import models

from gitsync.models.repository import Repository


class Priority(models.IntegerChoices):
    """Which syncs of a tenant go first."""

    INTERACTIVE = 0, "requested"
    SCHEDULED = 1, "found by a poll"


class QueuedSync(models.Model):
    """A requested sync, from the request until its result is stored. See docs/adr/0023-fair-queue.md.

    `id` is the id of its task in django-q2. `claimed_by` names the worker that runs it (`kiok.cluster.process_id`), ""
    while it waits. `number` is its position: queued syncs are claimed in this order, and each tenant and priority counts
    on its own.
    """

    id = models.CharField(max_length=32, primary_key=True)
    # Without a constraint in the database: a request would wait for a running sync that locks the row.
    repository = models.ForeignKey(
        Repository, on_delete=models.CASCADE, related_name="queued_syncs", db_constraint=False
    )
    arguments = models.JSONField(help_text="Arguments of the task after the repository's key.")
    priority = models.PositiveSmallIntegerField(choices=Priority.choices)
    tenant = models.CharField(max_length=600)
    host = models.CharField(max_length=255, blank=True)
    number = models.PositiveBigIntegerField()
    is_long = models.BooleanField(default=False)
    requested_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=200, blank=True)

    is_repeat = False  # set on a claimed sync: another worker had claimed it before, and died

    class Meta:
        indexes = [models.Index(fields=["number", "priority", "requested_at"], name="queued_sync_next")]

    def __str__(self) -> str:
        return f"queued sync {self.id}"
