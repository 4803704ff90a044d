"""The history of syncs: each sync that changed something or failed."""

from __future__ import annotations

from django.db import models

from gitsync.models.repository import Repository
from gitsync.models.visibility import RepositoryRowQuerySet
from kiok.correlation import MAX_CHARACTERS
from kiok.metadata.models import MAX_AUTHOR, MAX_SUBJECT

MAX_FAILED_FILES = 500  # problems of files that are stored with a sync


class Trigger(models.TextChoices):
    """The source of a request for a sync."""

    SCHEDULE = "schedule", "schedule"
    COMMAND = "command", "command line"
    ADMIN = "admin", "admin"
    WEBHOOK = "webhook", "webhook"
    API = "api", "API"


class SyncState(models.TextChoices):
    """The state of a sync."""

    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    PARTIAL = "partial", "Degraded"
    FAILED = "failed", "Failed"
    ABANDONED = "abandoned", "Abandoned"


class SyncRun(models.Model):
    """A sync of a repository. `changes` maps created, updated, pruned and stale to lists of uids."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="syncs")
    lease_number = models.PositiveBigIntegerField()
    trigger = models.CharField(max_length=12, choices=Trigger.choices)
    requested_by = models.CharField(max_length=150, blank=True)
    correlation_id = models.CharField(
        max_length=MAX_CHARACTERS,
        blank=True,
        default="",
        db_default="",
        help_text="Also in the log lines, the task and the containers of the sync.",
    )
    full = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=SyncState.choices, default=SyncState.RUNNING)
    step = models.CharField(max_length=12, blank=True, help_text="Current step, or the step that failed.")
    reason = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    from_commit = models.CharField(max_length=64, blank=True)
    to_commit = models.CharField(max_length=64, blank=True)
    commit_author = models.CharField(
        max_length=MAX_AUTHOR,
        blank=True,
        default="",
        db_default="",
        help_text="Name of the author of `to_commit`.",
    )
    commit_subject = models.CharField(
        max_length=MAX_SUBJECT,
        blank=True,
        default="",
        db_default="",
        help_text="First line of the message of `to_commit`.",
    )
    commit_time = models.DateTimeField(null=True, blank=True, help_text="Time of `to_commit`.")
    changes = models.JSONField(default=dict)
    unchanged = models.PositiveIntegerField(default=0)
    compiled = models.PositiveIntegerField(default=0, help_text="Number of files that were compiled.")
    reused = models.PositiveIntegerField(default=0, help_text="Number of files whose cached result was used.")
    failed_files = models.JSONField(default=list)
    files_done = models.PositiveIntegerField(default=0, help_text="Number of files compiled so far.")
    files_total = models.PositiveIntegerField(default=0, help_text="Number of files to compile.")
    log = models.TextField(
        blank=True, help_text="Sync log, one event per line: seconds since the start, then the text."
    )
    timings = models.JSONField(default=dict, help_text="Seconds per step.")
    repeats = models.PositiveIntegerField(default=0, help_text="How often the same failure was repeated.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = RepositoryRowQuerySet.as_manager()

    class Meta:
        verbose_name = "sync"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["repository", "-id"], name="sync_newest_first"),
            models.Index(fields=["correlation_id"], name="sync_by_correlation"),
        ]

    def __str__(self) -> str:
        return f"sync {self.pk} of {self.repository}"
