"""Registered DAGs (`Dag`), their versions (`DagVersion`), and their runs (`DagRun`, `TaskRun`).

Versions and runs store a DAG's uid as plain text, not as a foreign key, so both survive the
removal of the DAG and continue when it is registered again.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Greatest, Left, StrIndex

from kiok.labels import MAX_OWNER, MAX_TAG
from kiok.metadata.visibility import NamedRepositoryQuerySet

UID_LENGTH = 1400  # 63 (repository) + 1 + 1024 (path) + 2 + 250 (DAG id), rounded up
MAX_AUTHOR = 200  # characters of the name of a commit's author
MAX_SUBJECT = 300  # characters of the first line of a commit's message


def _repository_of_uid() -> models.GeneratedField:
    """Return a column for the repository at the start of a uid. It is stored, so it outlives the DAG."""
    slash = StrIndex("uid", models.Value("/"))
    return models.GeneratedField(
        expression=Left("uid", Greatest(slash - 1, 0)),
        output_field=models.CharField(max_length=UID_LENGTH),
        db_persist=True,
    )


class Origin(models.TextChoices):
    """The origin of a DAG. Only its origin may change or remove it."""

    GIT = "git", "git"
    MANUAL = "manual", "manual"
    BUNDLE = "bundle", "bundle"


class RunState(models.TextChoices):
    """The states of a run: PENDING, RUNNING, then one of three final states."""

    PENDING = "PENDING", "Pending"
    RUNNING = "RUNNING", "Running"
    SUCCESS = "SUCCESS", "Success"
    FAILED = "FAILED", "Failed"
    CANCELLED = "CANCELLED", "Cancelled"


class Dag(models.Model):
    """A registered DAG, as it is currently served."""

    uid = models.CharField(
        "unique id",
        max_length=UID_LENGTH,
        primary_key=True,
        help_text="REPOSITORY/SOURCE-PATH, followed by ::DAG-ID if a file may contain several DAGs.",
    )
    dag_id = models.CharField("DAG id", max_length=250, help_text="As the author wrote it.")
    name = models.TextField()
    description = models.TextField(null=True, blank=True)
    origin = models.CharField(max_length=10, choices=Origin.choices)
    repository = models.CharField(max_length=63, blank=True, help_text="Name of the git repository.")
    source_path = models.CharField(
        max_length=1024, blank=True, help_text="Path of the source file from the repository's root."
    )
    schedule = models.TextField(null=True, blank=True)
    owner = models.CharField(
        max_length=MAX_OWNER,
        blank=True,
        default="",
        db_default="",
        help_text="Owner that the DAG names, otherwise the default owner of its repository.",
    )
    tags = ArrayField(models.CharField(max_length=MAX_TAG), blank=True, default=list, db_default=[])
    spec = models.JSONField(help_text="The compiled DagSpec.")
    spec_hash = models.CharField(max_length=64, help_text="sha256 of the spec's canonical JSON.")
    version = models.PositiveIntegerField(help_text="Incremented whenever the spec changes.")
    commit_sha = models.CharField(
        "commit", max_length=64, blank=True, help_text="Commit at which this source and spec were registered."
    )
    source = models.TextField(null=True, blank=True, help_text="The source as authored; none for a jar.")
    image_digest = models.CharField(
        max_length=128,
        blank=True,
        help_text="Digest of the sandbox image that compiled the DAG; none for YAML.",
    )
    stale_since = models.DateTimeField(
        null=True, blank=True, help_text="When the DAG stopped matching its file."
    )
    stale_reason = models.TextField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = NamedRepositoryQuerySet.as_manager()

    class Meta:
        verbose_name = "DAG"
        verbose_name_plural = "DAGs"
        ordering = ["uid"]
        indexes = [
            models.Index(fields=["repository", "source_path"], name="dag_by_source"),
            models.Index(fields=["owner"], name="dag_by_owner"),
            GinIndex(fields=["tags"], name="dag_by_tag"),
        ]

    def __str__(self) -> str:
        return self.uid


class DagVersion(models.Model):
    """A DAG at one version. Outlives the DAG."""

    uid = models.CharField("DAG uid", max_length=UID_LENGTH)
    version = models.PositiveIntegerField()
    spec = models.JSONField()
    spec_hash = models.CharField(max_length=64)
    commit_sha = models.CharField("commit", max_length=64, blank=True)
    commit_author = models.CharField(max_length=MAX_AUTHOR, blank=True, default="", db_default="")
    commit_subject = models.CharField(
        max_length=MAX_SUBJECT,
        blank=True,
        default="",
        db_default="",
        help_text="First line of the commit's message.",
    )
    commit_time = models.DateTimeField(null=True, blank=True)
    source = models.TextField(null=True, blank=True, help_text="The source as authored; none for a jar.")
    created_at = models.DateTimeField()
    repository = _repository_of_uid()

    objects = NamedRepositoryQuerySet.as_manager()

    class Meta:
        verbose_name = "DAG version"
        ordering = ["uid", "-version"]
        indexes = [models.Index(fields=["repository"], name="version_by_repository")]
        constraints = [models.UniqueConstraint(fields=["uid", "version"], name="one_row_per_dag_version")]

    def __str__(self) -> str:
        return f"{self.uid} v{self.version}"


class DagRun(models.Model):
    """A run of a DAG at one version. Outlives the DAG."""

    uid = models.CharField("DAG uid", max_length=UID_LENGTH, db_index=True)
    version = models.PositiveIntegerField(help_text="The version of the DAG that ran.")
    trigger = models.CharField(max_length=32, help_text="What started the run: schedule, manual, ...")
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.PENDING)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    repository = _repository_of_uid()

    objects = NamedRepositoryQuerySet.as_manager()

    class Meta:
        verbose_name = "DAG run"
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["uid", "-created_at", "-id"], name="newest_run_of_dag"),
            models.Index(fields=["repository", "-created_at"], name="newest_run_of_repository"),
            # For the check whether a version has runs: retention keeps such a version.
            models.Index(fields=["uid", "version"], name="run_of_version"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} of {self.uid}"


class TaskRun(models.Model):
    """The run of one task, as part of a DAG run."""

    dag_run = models.ForeignKey(DagRun, on_delete=models.CASCADE, related_name="task_runs")
    uid = models.CharField("DAG uid", max_length=UID_LENGTH, db_index=True)
    task_id = models.CharField(max_length=250)
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.PENDING)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    log = models.TextField(blank=True)

    class Meta:
        verbose_name = "task run"
        ordering = ["dag_run", "id"]
        constraints = [models.UniqueConstraint(fields=["dag_run", "task_id"], name="one_row_per_task_of_run")]

    def __str__(self) -> str:
        return f"{self.task_id} of run {self.dag_run_id}"
