"""What is told of repositories, to whom, and what became of telling it: an outbox."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.utils import timezone

from gitsync.git.errors import GitError
from gitsync.models.connection_field import connection_field
from gitsync.models.repository import Repository
from gitsync.notices.destination import parse_destination
from gitsync.notices.template import Style, TemplateInvalid, check_template
from kiok.cluster.conf import properties
from kiok.cluster.lease import Lease

SECRET_PROPERTIES = ("webhookUrl", "authorization", "secret")
"""Of a receiver's connection: the whole url, the Authorization header's value, the key that signs the body."""
MAX_ADDRESSES = 50


class NoticeEvent(models.TextChoices):
    """What a notice tells of."""

    FAILING = "failing", "a repository fails"
    DEGRADED = "degraded", "files of a repository fail"
    RECOVERED = "recovered", "a repository is in sync again"
    TEST = "test", "a test"


class ReceiverKind(models.TextChoices):
    """How a receiver is told."""

    WEBHOOK = "webhook", "webhook"
    EMAIL = "email", "e-mail"


class NoticeState(models.TextChoices):
    """What became of a notice to one receiver."""

    WAITING = "waiting", "waiting"
    SENT = "sent", "sent"
    GIVEN_UP = "given_up", "given up"


class NoticeReceiver(models.Model):
    """Who is told: a webhook or e-mail addresses, of which repositories. The observed fields are the sender's."""

    LEASE = Lease(120.0, "holder", "held_until", number="")  # of the worker that sends to it

    name = models.CharField(max_length=100, unique=True)
    enabled = models.BooleanField(default=True)
    kind = models.CharField(max_length=10, choices=ReceiverKind.choices, default=ReceiverKind.WEBHOOK)
    url = models.CharField(
        max_length=2000,
        blank=True,
        help_text="https://… of a webhook. A url that is a secret itself belongs in the connection, as webhookUrl.",
    )
    secret = connection_field(
        "connection",
        "For a webhook: a connection with webhookUrl, authorization or secret (signs the body); see the guide.",
        related_name="notice_receivers",
    )
    style = models.CharField(
        "format",
        max_length=12,
        choices=Style.choices,
        default=Style.JSON,
        help_text="Of a webhook's body, and how values are made harmless in it.",
    )
    template = models.TextField(
        blank=True,
        help_text="JSON with {placeholders} in its texts; empty: the ready-made one of the format.",
    )
    addresses = models.TextField(blank=True, help_text="E-mail addresses, one a line.")
    all_repositories = models.BooleanField(default=False, help_text="Be told of every repository.")
    groups = models.ManyToManyField(
        Group,
        blank=True,
        related_name="notice_receivers",
        help_text="Be told of the repositories of these groups.",
    )
    repositories = models.ManyToManyField(
        Repository, blank=True, related_name="notice_receivers", help_text="Be told of these repositories."
    )
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)

    # Observed.
    failures = models.PositiveIntegerField("failures in a row", default=0, editable=False)
    retry_at = models.DateTimeField("tried again", null=True, editable=False)
    holder = models.CharField(max_length=200, blank=True, editable=False)
    held_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "notice receiver"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def address_list(self) -> list[str]:
        """The e-mail addresses, each once."""
        return list(dict.fromkeys(self.addresses.replace(",", " ").split()))

    def clean(self) -> None:
        """Each error at its field. Raises ValidationError."""
        check = self._wrong_webhook if self.kind == ReceiverKind.WEBHOOK else self._wrong_email
        if errors := check():
            raise ValidationError(errors)

    def _wrong_webhook(self) -> dict[str, str]:
        errors = {}
        names = set(self.secret.property_names()) if self.secret else set()
        if self.secret and not names & set(SECRET_PROPERTIES):
            errors["secret"] = (
                f"The connection {self.secret.pk!r} has none of {', '.join(SECRET_PROPERTIES)}. Enter one of them there."
            )
        if self.url and "webhookUrl" in names:
            errors["url"] = "The connection has a webhookUrl: leave this empty, or remove that."
        elif self.url:
            try:
                parse_destination(self.url, properties()).admit()
            except GitError as error:
                # A name that cannot be looked up just now is no mistake of whoever edits the row.
                if not error.transient:
                    errors["url"] = str(error)
        elif "webhookUrl" not in names:
            errors["url"] = "Enter the url, or choose a connection that has it as webhookUrl."
        try:
            check_template(self.template)
        except TemplateInvalid as error:
            errors["template"] = str(error)
        return errors

    def _wrong_email(self) -> dict[str, str]:
        errors = {}
        if self.secret:
            errors["secret"] = (
                "E-mail needs no connection: user and password are KIOK_MAIL_USER and KIOK_MAIL_PASSWORD."  # noqa: S105
            )
        found = self.address_list
        if not found or len(found) > MAX_ADDRESSES:
            errors["addresses"] = f"Enter 1 to {MAX_ADDRESSES} addresses, one a line."
        for address in found:
            try:
                validate_email(address)
            except ValidationError:
                errors["addresses"] = f"{address[:100]!r} is no e-mail address."
        return errors


class Notice(models.Model):
    """One transition of a repository, as it was when it happened; a test has no repository."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    repository = models.ForeignKey(Repository, null=True, on_delete=models.CASCADE, related_name="notices")
    event = models.CharField(max_length=10, choices=NoticeEvent.choices)
    before = models.CharField("state before", max_length=10, blank=True)
    state = models.CharField(max_length=10, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    commit = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["repository", "-id"], name="notice_newest_first")]

    def __str__(self) -> str:
        return f"notice {self.pk}"


class NoticeDelivery(models.Model):
    """A notice to one receiver: the row of the outbox."""

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    # Without a constraint in the database: a receiver that is deleted at this moment must not fail a sync.
    receiver = models.ForeignKey(
        NoticeReceiver, on_delete=models.CASCADE, related_name="deliveries", db_constraint=False
    )
    state = models.CharField(max_length=10, choices=NoticeState.choices, default=NoticeState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    outcome = models.CharField(max_length=500, blank=True, help_text="What the last attempt came to.")
    created_at = models.DateTimeField("made", default=timezone.now)
    attempted_at = models.DateTimeField("last attempt", null=True)

    class Meta:
        verbose_name = "notice"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["notice", "receiver"], name="one_delivery_per_receiver")
        ]
        indexes = [
            models.Index(
                fields=["receiver", "id"], name="notices_waiting", condition=models.Q(state="waiting")
            ),
            models.Index(fields=["receiver", "-id"], name="notices_newest_first"),
            models.Index(
                fields=["attempted_at"], name="notices_given_up", condition=models.Q(state="given_up")
            ),
        ]

    def __str__(self) -> str:
        return f"notice {self.notice_id} to {self.receiver}"
