"""Who leads: the one row that says which process looks for due repositories."""

from __future__ import annotations

import uuid

from django.db import models


class Leadership(models.Model):
    """The leader's lease, a single row (id 1). `installation` tells this service from others on the same engine."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    holder = models.CharField(max_length=200, blank=True)
    number = models.PositiveBigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True, help_text="Since when the holder leads.")
    declaration_problem = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="Why the leader does not follow the declared repositories; empty: it does.",
    )
    installation = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        verbose_name_plural = "leadership"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_leadership_row")]

    def __str__(self) -> str:
        return f"leader {self.holder or '(none)'}"
