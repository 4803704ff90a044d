"""The syncs that wait for a worker, and those a worker is at: what the queue stands for, whatever carries it."""

from __future__ import annotations

from django.db import models

from gitsync.models.repository import Repository


class Lane(models.IntegerChoices):
    """Which of a team's syncs go first."""

    ASKED = 0, "asked for"
    SCHEDULED = 1, "found by a look"


class Turn(models.Model):
    """A sync that was asked for, from then until its result is stored. See docs/adr/0023-turns.md.

    `id` is the task's, as django-q2 knows it; `taken_by` the worker that is at it, as `kiok.cluster.process_id` names it, ""
    while it waits. `number` is its place: turns are taken by it, and each team and lane counts on its own.
    """

    id = models.CharField(max_length=32, primary_key=True)
    # Without a constraint in the database, which would have who asks wait for a sync that holds the row.
    repository = models.ForeignKey(
        Repository, on_delete=models.CASCADE, related_name="turns", db_constraint=False
    )
    arguments = models.JSONField(help_text="Of the task, after the repository's key.")
    lane = models.PositiveSmallIntegerField(choices=Lane.choices)
    team = models.CharField(max_length=600)
    host = models.CharField(max_length=255, blank=True)
    number = models.PositiveBigIntegerField()
    is_long = models.BooleanField(default=False)
    asked_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)
    taken_by = models.CharField(max_length=200, blank=True)

    is_repeat = False
    """Of one that was just taken: whether another worker was at it before, and died."""

    class Meta:
        indexes = [models.Index(fields=["number", "lane", "asked_at"], name="turn_next")]

    def __str__(self) -> str:
        return f"turn {self.id}"
