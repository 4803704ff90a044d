"""The record of each sync that had something to do, or failed."""

from __future__ import annotations

from django.db import models

from gitsync.models.repository import Repository
from kiok.correlation import MAX_CHARACTERS


class Trigger(models.TextChoices):
    """What asked for a sync."""

    SCHEDULE = "schedule", "schedule"
    COMMAND = "command", "command line"
    ADMIN = "admin", "admin"
    WEBHOOK = "webhook", "webhook"
    API = "api", "API"


class SyncState(models.TextChoices):
    """How a sync stands or ended."""

    RUNNING = "running", "running"
    SUCCEEDED = "succeeded", "succeeded"
    PARTIAL = "partial", "succeeded, with failed files"
    FAILED = "failed", "failed"
    ABANDONED = "abandoned", "abandoned"


class SyncRun(models.Model):
    """One sync of one repository. `changes` maps created, updated, pruned, stale to lists of uids."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="syncs")
    lease_number = models.PositiveBigIntegerField()
    trigger = models.CharField(max_length=12, choices=Trigger.choices)
    requested_by = models.CharField(max_length=150, blank=True)
    correlation_id = models.CharField(
        max_length=MAX_CHARACTERS,
        blank=True,
        default="",
        db_default="",
        help_text="What its log lines, its task and its containers carry too.",
    )
    full = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=SyncState.choices, default=SyncState.RUNNING)
    step = models.CharField(
        max_length=12, blank=True, help_text="The step under way, or the one that failed."
    )
    reason = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    from_commit = models.CharField(max_length=64, blank=True)
    to_commit = models.CharField(max_length=64, blank=True)
    changes = models.JSONField(default=dict)
    unchanged = models.PositiveIntegerField(default=0)
    compiled = models.PositiveIntegerField(default=0, help_text="Files that were compiled.")
    reused = models.PositiveIntegerField(default=0, help_text="Files whose last result still holds.")
    failed_files = models.JSONField(default=list)
    files_done = models.PositiveIntegerField(
        default=0, help_text="Of the files to compile, those done so far."
    )
    files_total = models.PositiveIntegerField(default=0, help_text="Files to compile in this sync.")
    log = models.TextField(
        blank=True, help_text="What happened when, a line each: seconds since its beginning, text."
    )
    timings = models.JSONField(default=dict, help_text="Seconds per step.")
    repeats = models.PositiveIntegerField(default=0, help_text="How often the same failure was seen again.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "sync"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["repository", "-id"], name="sync_newest_first"),
            models.Index(fields=["correlation_id"], name="sync_by_correlation"),
        ]

    def __str__(self) -> str:
        return f"sync {self.pk} of {self.repository}"
