"""The log of webhook deliveries, which also serves to detect replays."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from gitsync.models.repository import Repository
from gitsync.models.visibility import RepositoryRowQuerySet
from kiok.correlation import MAX_CHARACTERS


class DeliveryOutcome(models.TextChoices):
    """The outcome of a webhook delivery."""

    QUEUED = "queued", "Sync queued"
    WAITING = "waiting", "Added to a sync that was already queued"
    PING = "ping", "Ping"
    REPLAY = "replay", "Already delivered"
    NOT_A_PUSH = "not_a_push", "Event that moves no ref"
    OTHER_REF = "other_ref", "The ref is not the one that is followed"
    DISABLED = "disabled", "The repository is disabled"
    PAUSED = "paused", "The repository is paused"
    PAYLOAD = "payload", "The body is not what the service documents"
    UNSIGNED = "unsigned", "No signature or token"
    SIGNATURE = "signature", "Not signed with the repository's secret"
    SECRET = "secret", "The repository has no usable secret"


ASKED = (
    DeliveryOutcome.QUEUED,
    DeliveryOutcome.WAITING,
)  # outcomes that led to a sync: a repeated delivery is a replay


class Delivery(models.Model):
    """A webhook delivery for a known repository, without its body, signature and token."""

    # No database constraint: with one, the response would wait for a sync that locks the repository's row.
    repository = models.ForeignKey(
        Repository, on_delete=models.CASCADE, related_name="deliveries", db_constraint=False
    )
    received_at = models.DateTimeField("received", default=timezone.now)
    service = models.CharField(max_length=12, blank=True)
    event = models.CharField(max_length=100, blank=True)
    ref = models.CharField("refs", max_length=300, blank=True)
    delivery_id = models.CharField("delivery id", max_length=100, blank=True)
    correlation_id = models.CharField(
        "correlation id", max_length=MAX_CHARACTERS, blank=True, default="", db_default=""
    )
    status = models.PositiveSmallIntegerField("answer")
    outcome = models.CharField(max_length=12, choices=DeliveryOutcome.choices)

    objects = RepositoryRowQuerySet.as_manager()

    class Meta:
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        ordering = ["-id"]
        indexes = [models.Index(fields=["repository", "-id"], name="delivery_newest_first")]
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "service", "delivery_id"],
                condition=models.Q(outcome__in=ASKED) & ~models.Q(delivery_id=""),
                name="one_sync_per_delivery",
            )
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk} for {self.repository}"
