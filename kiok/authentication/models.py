"""How often somebody was refused, by what was wrong."""

from __future__ import annotations

from django.db import models


class FailureKind(models.TextChoices):
    PASSWORD = "password"  # noqa: S105 - what was wrong
    LOCKED_OUT = "locked_out"
    API_TOKEN = "api_token"  # noqa: S105


class AuthenticationFailure(models.Model):
    """A row for each kind, whose count never goes down."""

    kind = models.CharField(max_length=20, choices=FailureKind.choices, primary_key=True)
    count = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind}: {self.count}"
