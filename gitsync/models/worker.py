"""Who works: a row for each worker process that was alive lately, and what it sees of its engine."""

from __future__ import annotations

from django.db import models


class Worker(models.Model):
    """A worker process. It writes the row anew every few seconds; an old row is of a process that is gone.

    No column but the key is indexed, so that each write is a heap-only update: see docs/adr/0020-worker-rows.md.
    """

    name = models.CharField(
        max_length=200, primary_key=True, help_text="As kiok.cluster.process_id names it."
    )
    started_at = models.DateTimeField("started")
    seen_at = models.DateTimeField("last seen")
    engine = models.CharField(
        max_length=500, blank=True, help_text="What is wrong with its engine; empty: nothing."
    )
    ready = models.PositiveIntegerField(default=0, help_text="Containers of this engine that stand ready.")
    data_free_bytes = models.BigIntegerField(
        null=True, help_text="Space that is free for its data folder; null: not known."
    )

    def __str__(self) -> str:
        return self.name
