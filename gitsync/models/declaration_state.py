"""The state of the declared repositories, as the leader found it."""

from __future__ import annotations

from django.db import models


class DeclarationState(models.Model):
    """Why the leader does not follow the declared repositories: a single row (id 1), written by the leader."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    problem = models.TextField(blank=True, default="", help_text="Empty if the leader follows them.")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_declaration_state_row")]

    def __str__(self) -> str:
        return f"declaration: {self.problem or 'followed'}"
