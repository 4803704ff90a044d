"""Notifications about repositories, their channels, and the outbox of deliveries.

The tables, columns, indexes and constraints keep their names from before they were models of this app.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.utils import timezone

from kiok.cluster.conf import properties
from kiok.cluster.lease import Lease
from kiok.connections.connection_field import connection_field
from kiok.net.errors import NetError
from kiok.notifications.destination import parse_destination
from kiok.notifications.template import Style, TemplateInvalid, check_template
from kiok.notifications.visibility import ChannelQuerySet, ChannelRowQuerySet

# Properties of a channel's connection: the whole URL, the Authorization header's value, the key that signs the body.
SECRET_PROPERTIES = ("webhookUrl", "authorization", "secret")
MAX_ADDRESSES = 50  # e-mail addresses per channel
REPOSITORY = "gitsync.Repository"  # by label: no module of gitsync is imported here


class NotificationEvent(models.TextChoices):
    """The event that a notification reports. The app that emits it registers its content: `content.register`."""

    FAILING = "failing", "Failing"
    DEGRADED = "degraded", "Degraded"
    RECOVERED = "recovered", "In sync again"
    TEST = "test", "Test"


class ChannelKind(models.TextChoices):
    """The kind of a notification channel."""

    WEBHOOK = "webhook", "webhook"
    EMAIL = "email", "e-mail"


class DeliveryState(models.TextChoices):
    """The delivery state of a notification on one channel."""

    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    GIVEN_UP = "given_up", "Given up"


class NotificationChannel(models.Model):
    """A notification channel: a webhook or e-mail addresses, and the repositories it reports.

    Only the sender writes the observed fields.
    """

    LEASE = Lease(120.0, "holder", "held_until", number="")  # of the worker that sends to it

    name = models.CharField(max_length=100, unique=True)
    enabled = models.BooleanField(default=True)
    kind = models.CharField(max_length=10, choices=ChannelKind.choices, default=ChannelKind.WEBHOOK)
    url = models.CharField(
        "URL",
        max_length=2000,
        blank=True,
        help_text="https://… URL of the webhook. Put a URL that is itself secret into the connection, as webhookUrl.",
    )
    secret = connection_field(
        "connection",
        "For a webhook: a connection with webhookUrl, authorization or secret (which signs the body). See the guide.",
        related_name="notification_channels",
    )
    style = models.CharField(
        "format",
        max_length=12,
        choices=Style.choices,
        default=Style.JSON,
        help_text="Format of a webhook's body. It also decides how values are escaped.",
    )
    template = models.TextField(
        blank=True,
        help_text="JSON with {placeholders} in its strings. Empty for the format's built-in template.",
    )
    addresses = models.TextField(blank=True, help_text="E-mail addresses, one per line.")
    all_repositories = models.BooleanField(default=False, help_text="Notify about every repository.")
    groups = models.ManyToManyField(
        Group,
        through="ChannelGroup",
        blank=True,
        related_name="notification_channels",
        help_text="Notify about the repositories of these groups.",
    )
    repositories: models.ManyToManyField[Any, ChannelRepository] = models.ManyToManyField(
        REPOSITORY,
        through="ChannelRepository",
        blank=True,
        related_name="notification_channels",
        help_text="Notify about these repositories.",
    )
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)

    # Observed.
    failures = models.PositiveIntegerField("consecutive failures", default=0, editable=False)
    retry_at = models.DateTimeField("next attempt", null=True, editable=False)
    holder = models.CharField(max_length=200, blank=True, editable=False)
    held_until = models.DateTimeField(null=True, editable=False)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        db_table = "gitsync_noticereceiver"
        verbose_name = "notification channel"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def address_list(self) -> list[str]:
        """Return the e-mail addresses without duplicates."""
        return list(dict.fromkeys(self.addresses.replace(",", " ").split()))

    @property
    def shown_destination(self) -> str:
        """Return the e-mail addresses, or the host of the webhook without path and query, which can be secret."""
        if self.kind == ChannelKind.EMAIL:
            return ", ".join(self.address_list)
        if not self.url:
            return f"webhookUrl of connection {self.secret_id}"
        try:
            return parse_destination(self.url, properties()).shown
        except NetError:
            return "an unusable URL"

    def clean(self) -> None:
        """Validate the channel. Raise ValidationError with each error at its field."""
        check = self._wrong_webhook if self.kind == ChannelKind.WEBHOOK else self._wrong_email
        if errors := check():
            raise ValidationError(errors)

    def _wrong_webhook(self) -> dict[str, str]:
        errors = {}
        names = set(self.secret.property_names()) if self.secret else set()
        if self.secret and not names & set(SECRET_PROPERTIES):
            errors["secret"] = (
                f"The connection {self.secret.pk!r} has none of {', '.join(SECRET_PROPERTIES)}. Add one to it."
            )
        if self.url and "webhookUrl" in names:
            errors["url"] = (
                "The connection has a webhookUrl. Leave this field empty, or remove the webhookUrl."
            )
        elif self.url:
            try:
                parse_destination(self.url, properties()).admit()
            except NetError as error:
                # A temporary DNS failure is not the editor's mistake.
                if not error.transient:
                    errors["url"] = str(error)
        elif "webhookUrl" not in names:
            errors["url"] = "Enter the URL, or choose a connection that has a webhookUrl."
        try:
            check_template(self.template)
        except TemplateInvalid as error:
            errors["template"] = str(error)
        return errors

    def _wrong_email(self) -> dict[str, str]:
        errors = {}
        if self.secret:
            errors["secret"] = (
                "E-mail needs no connection. Set its user and password with KIOK_MAIL_USER and KIOK_MAIL_PASSWORD."  # noqa: S105
            )
        found = self.address_list
        if not found or len(found) > MAX_ADDRESSES:
            errors["addresses"] = f"Enter 1 to {MAX_ADDRESSES} addresses, one per line."
        for address in found:
            try:
                validate_email(address)
            except ValidationError:
                errors["addresses"] = f"{address[:100]!r} is not an e-mail address."
        return errors


class ChannelGroup(models.Model):
    """A group whose repositories a channel reports. Explicit, as the column keeps its name."""

    channel = models.ForeignKey(
        NotificationChannel, on_delete=models.CASCADE, related_name="+", db_column="noticereceiver_id"
    )
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="+")

    class Meta:
        db_table = "gitsync_noticereceiver_groups"
        default_permissions = ()
        verbose_name = "group of a notification channel"
        unique_together = [("channel", "group")]

    def __str__(self) -> str:
        return f"group {self.group_id} of notification channel {self.channel_id}"


class ChannelRepository(models.Model):
    """A repository that a channel reports. Explicit, as the column keeps its name."""

    channel = models.ForeignKey(
        NotificationChannel, on_delete=models.CASCADE, related_name="+", db_column="noticereceiver_id"
    )
    repository = models.ForeignKey(REPOSITORY, on_delete=models.CASCADE, related_name="+")

    class Meta:
        db_table = "gitsync_noticereceiver_repositories"
        default_permissions = ()
        verbose_name = "repository of a notification channel"
        unique_together = [("channel", "repository")]

    def __str__(self) -> str:
        return f"repository {self.repository_id} of notification channel {self.channel_id}"


class Notification(models.Model):
    """A notification about a state change of a repository, as it was then. A test notification has no repository."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    repository = models.ForeignKey(
        REPOSITORY, null=True, on_delete=models.CASCADE, related_name="notifications"
    )
    event = models.CharField(max_length=10, choices=NotificationEvent.choices)
    before = models.CharField("state before", max_length=10, blank=True)
    state = models.CharField(max_length=10, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    commit = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()

    class Meta:
        db_table = "gitsync_notice"
        verbose_name = "notification"
        ordering = ["-id"]
        indexes = [models.Index(fields=["repository", "-id"], name="notice_newest_first")]

    def __str__(self) -> str:
        return f"notification {self.pk}"


class NotificationDelivery(models.Model):
    """The delivery of a notification to one channel: a row of the outbox."""

    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="deliveries", db_column="notice_id"
    )
    # No database constraint: deleting a channel at the same time must not fail a sync.
    channel = models.ForeignKey(
        NotificationChannel,
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_column="receiver_id",
        db_constraint=False,
    )
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    outcome = models.CharField(max_length=500, blank=True, help_text="Result of the last attempt.")
    created_at = models.DateTimeField("created", default=timezone.now)
    attempted_at = models.DateTimeField("last attempt", null=True)

    objects = ChannelRowQuerySet.as_manager()

    class Meta:
        db_table = "gitsync_noticedelivery"
        verbose_name = "notification delivery"
        verbose_name_plural = "notification deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["notification", "channel"], name="one_delivery_per_receiver")
        ]
        indexes = [
            models.Index(
                fields=["channel", "id"], name="notices_waiting", condition=models.Q(state="waiting")
            ),
            models.Index(fields=["channel", "-id"], name="notices_newest_first"),
            models.Index(
                fields=["attempted_at"], name="notices_given_up", condition=models.Q(state="given_up")
            ),
        ]

    def __str__(self) -> str:
        return f"notification {self.notification_id} to {self.channel}"
