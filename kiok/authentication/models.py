"""Counts of refused logins and tokens, by kind."""

from __future__ import annotations

from django.db import models


class FailureKind(models.TextChoices):
    PASSWORD = "password"  # noqa: S105 - a kind of failure
    LOCKED_OUT = "locked_out"
    API_TOKEN = "api_token"  # noqa: S105


class AuthenticationFailure(models.Model):
    """Count of one kind of failure; it never decreases."""

    kind = models.CharField(max_length=20, choices=FailureKind.choices, primary_key=True)
    count = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind}: {self.count}"
