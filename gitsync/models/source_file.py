"""The files of a repository, with their state at the last commit."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models

from gitsync.models.repository import Repository
from gitsync.models.visibility import RepositoryRowQuerySet


class FileState(models.TextChoices):
    """The result of a file at the last commit. A file that was removed has no row."""

    COMPILED = "compiled", "Compiled"
    FAILED = "failed", "Failed"
    NOT_A_DAG = "not_a_dag", "Not a DAG"
    IGNORED = "ignored", "Ignored"


IGNORED_PREFIX = "ignored: "
NO_REASON = "it holds no DAG"  # for rows that an older version wrote


def reason_text(diagnostics: object) -> str:
    """Return the first stored diagnostic as a reason: its message, with the line if it is known."""
    first = diagnostics[0] if isinstance(diagnostics, list) and diagnostics else None
    if not isinstance(first, Mapping) or not isinstance(first.get("message"), str):
        return NO_REASON
    line = first.get("line")
    place = f"line {line}: " if isinstance(line, int) else ""
    return place + str(first["message"]).removeprefix(IGNORED_PREFIX)


class SourceFile(models.Model):
    """A file of a repository."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=1024)
    kind = models.CharField(max_length=10, blank=True)
    blob_sha = models.CharField("blob", max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=FileState.choices)
    dags = models.PositiveIntegerField("DAGs", default=0)
    diagnostics = models.JSONField(default=list, help_text="Problems, as kiok.errors.Diagnostic objects.")
    image_digest = models.CharField(max_length=128, blank=True)
    seconds = models.FloatField("compile time (s)", default=0)
    first_failed_at = models.DateTimeField(null=True)
    last_failed_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(
        "next retry",
        null=True,
        help_text="The file failed for a transient reason and is compiled again at this time.",
    )
    attempts = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Consecutive transient failures of the same content."
    )
    commit_sha = models.CharField("seen at commit", max_length=64, blank=True)
    traced_accesses = models.TextField(
        blank=True, help_text="Accesses to the repository's files while it was compiled, one per line."
    )
    compile_key = models.CharField(
        max_length=64,
        blank=True,
        help_text="Digest of everything that decides the result: equal digests mean equal results. Empty: compile again.",
    )

    objects = RepositoryRowQuerySet.as_manager()

    class Meta:
        verbose_name = "file"
        ordering = ["repository", "path"]
        constraints = [models.UniqueConstraint(fields=["repository", "path"], name="one_row_per_file")]
        indexes = [
            # In the order of the page of errors.
            models.Index(
                models.F("first_failed_at").desc(nulls_last=True),
                models.F("id").desc(),
                condition=models.Q(state=FileState.FAILED),
                name="newest_failing_file",
            )
        ]

    @property
    def reason(self) -> str:
        """Return why the file holds no DAG or is ignored, "" if it was compiled or failed."""
        return reason_text(self.diagnostics) if self.state in (FileState.NOT_A_DAG, FileState.IGNORED) else ""

    def __str__(self) -> str:
        return f"{self.repository}/{self.path}"
