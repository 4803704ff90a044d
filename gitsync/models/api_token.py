"""API tokens with their user, scopes and expiry. The token itself is not stored."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class TokenScope(models.TextChoices):
    """Permissions of a token. A token never allows more than its user may do."""

    READ = "read", "read"
    SYNC = "sync", "start syncs and dry runs, pause and resume"
    WRITE = "write", "add, change and remove repositories"


class ApiToken(models.Model):
    """An API token, stored as the SHA-256 digest of its text. The text is random enough to need no salt."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100, help_text="What the token is for.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    start = models.CharField(
        max_length=16, editable=False, help_text="First characters of the token, to recognise it by."
    )
    scopes = models.JSONField(default=list, help_text="Any of read, sync, write.")
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)
    expires_at = models.DateTimeField("expires")
    last_used_at = models.DateTimeField("last used", null=True, editable=False)

    class Meta:
        verbose_name = "API token"
        ordering = ["user", "name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="one_api_token_per_name")]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"
