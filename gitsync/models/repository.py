"""A configured repository: what to sync, and the result of its last poll."""

from __future__ import annotations

import hashlib
import json

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from gitsync.git.errors import GitError
from gitsync.git.ref import RefKind, parse_ref
from gitsync.git.scope import parse_include, parse_subpath
from gitsync.git.url import ANY_PROTOCOL, check_host, parse_url
from gitsync.models.connection_checks import wrong_connections
from gitsync.models.own_images import wrong_images
from gitsync.models.repository_choices import ManagedBy, RepositoryState, Verify
from gitsync.models.visibility import RepositoryQuerySet
from kiok.cluster.conf import properties
from kiok.cluster.lease import Lease
from kiok.connections.connection_field import connection_field
from kiok.connections.models import Connection
from kiok.connections.redaction import redact
from kiok.correlation import MAX_CHARACTERS
from kiok.labels import MAX_OWNER, owner_flaw

TAGS = (RefKind.TAG, RefKind.SEMVER)
# Always part of `config_hash`, also without an image, because they were columns when stored digests were made.
_IMAGES_WITH_A_PLACE = ("python", "jar")
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}\Z"


class Repository(models.Model):
    """A git repository to sync. Only the steps of `gitsync.sync` write its observed fields."""

    LEASE = Lease(20.0, "lease_holder", "lease_expires_at", "lease_number")  # of a sync; renewed every 5 s

    name = models.CharField(
        max_length=63,
        unique=True,
        validators=[
            RegexValidator(
                NAME_PATTERN,
                "Use 1 to 63 of the characters a-z, 0-9, '.', '_' and '-'. The first must be a letter or digit.",
            )
        ],
        help_text="Part of every DAG's unique id. It cannot change once the repository has synced.",
    )
    url = models.CharField(
        max_length=2000,
        help_text="https://…, ssh://… or user@host:path. Put credentials into a connection, not into the url.",
    )
    ref = models.CharField(
        "branch or tag",
        max_length=300,
        default="main",
        help_text="A branch, tag:NAME, semver:RANGE (follows the highest matching tag) or commit:SHA.",
    )
    subpath = models.CharField(
        max_length=1024, blank=True, help_text="Folder that holds the DAGs. Empty for the whole repository."
    )
    credential = connection_field(
        "credential", "credentialConnectionId: connection with the SSH key, password or token."
    )
    include = models.TextField(
        blank=True,
        default="*.py",
        help_text="Files outside the subpath that DAGs may read: gitignore patterns, one per line. Other files are not "
        "fetched if the server supports partial clones.",
    )
    verify = models.CharField(
        "signature",
        max_length=6,
        choices=Verify.choices,
        default=Verify.OFF,
        help_text="Signature that is required.",
    )
    verify_keys = connection_field(
        "trusted keys",
        "verifyConnectionId: connection whose openpgpKeys or allowedSigners are trusted.",
        related_name="verifying_repositories",
    )
    images = models.JSONField(
        default=dict,
        blank=True,
        help_text="Images that compile the repository's files, by format. Formats without an entry use the service's image.",
    )
    webhook_secret = connection_field(
        "webhook secret",
        "webhookSecretConnectionId: connection whose property secret signs the git service's webhooks. "
        "Empty: webhooks are rejected.",
        related_name="hooked_repositories",
    )
    allow_empty = models.BooleanField(
        "allow empty",
        default=True,
        db_default=True,
        help_text="If off, a commit that would prune every DAG of the repository is held until it is accepted here, in the "
        "API or on the command line.",
    )
    owner = models.CharField(
        max_length=MAX_OWNER,
        blank=True,
        default="",
        db_default="",
        help_text="Team or person. The owner of the DAGs that name none. Empty: they have no owner.",
    )
    enabled = models.BooleanField(default=True)
    interval_ms = models.PositiveIntegerField(
        "interval (ms)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1000)],
        help_text="Poll interval, at least 1000. Empty for kiok.gitsync.interval.ms.",
    )
    groups = models.ManyToManyField(
        Group,
        blank=True,
        related_name="repositories",
        help_text="Members of these groups see the repository, its DAGs, errors and runs. So do users who may see all "
        "repositories.",
    )
    granted_connections = models.ManyToManyField(
        Connection,
        blank=True,
        related_name="usable_by_repositories",
        editable=False,
        help_text="Connections that the repository's DAGs may use in references; see kiok.connections.usage.",
    )
    managed_by = models.CharField(
        max_length=10, choices=ManagedBy.choices, default=ManagedBy.ADMIN, editable=False
    )
    declared_source = models.CharField(
        max_length=40,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Property that declares the repository. Empty: none, or it was declared before this was recorded.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # Set by an operator and not part of the configuration, so declared repositories can be paused too.
    paused_at = models.DateTimeField("paused", null=True, blank=True, editable=False)
    paused_by = models.CharField(max_length=150, blank=True, editable=False)
    pause_reason = models.CharField(max_length=500, blank=True, editable=False)

    # Why the declaration of a declared repository cannot be applied (gitsync.repositories.declared). "" if it is applied.
    declaration_reason = models.CharField(
        max_length=40, blank=True, default="", db_default="", editable=False
    )
    declaration_problem = models.TextField(
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="While it is set, the repository is failing and is not fetched. Its configuration is the last valid one.",
    )

    # Observed.
    state = models.CharField(
        max_length=10, choices=RepositoryState.choices, default=RepositoryState.NEVER, editable=False
    )
    reason = models.CharField(max_length=40, blank=True, editable=False)
    message = models.TextField(blank=True, editable=False)
    last_commit = models.CharField("last attempted commit", max_length=64, blank=True, editable=False)
    last_good_commit = models.CharField(max_length=64, blank=True, editable=False)
    last_good_at = models.DateTimeField(null=True, editable=False)
    checked_at = models.DateTimeField("last checked", null=True, editable=False)
    consecutive_failures = models.PositiveIntegerField(default=0, editable=False)
    notified_state = models.CharField(
        max_length=10,
        blank=True,
        editable=False,
        help_text="State that was last reported to the notification channels. Empty: none yet, which counts as in sync.",
    )
    unnotified_polls = models.PositiveIntegerField(
        default=0, editable=False, help_text="Consecutive polls with another state, for a transient reason."
    )
    next_due_at = models.DateTimeField("next check", db_default=Now(), editable=False)
    synced_location = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text="Digest of url, ref and subpath at the last successful sync, which proves that they existed.",
    )
    last_outcome = models.JSONField(
        default=dict,
        editable=False,
        help_text="Outcome of the last finished sync and its inputs: commit, config, images, state, reason, message. "
        "`until`: when the commit is retried. `retry_at`: when some of its files are. Empty if the same commit may have "
        "another outcome next time.",
    )
    empty_hold = models.JSONField(
        null=True,
        editable=False,
        help_text="Commit that would prune every DAG, and the user who accepted it. See gitsync.sync.empty_hold.",
    )

    # The lease of a sync: one sync at a time.
    lease_holder = models.CharField(max_length=200, blank=True, editable=False)
    lease_number = models.PositiveBigIntegerField(default=0, editable=False)
    lease_expires_at = models.DateTimeField(null=True, editable=False)
    queued_until = models.DateTimeField(
        null=True, editable=False, help_text="A sync is queued. No other one is queued before this time."
    )
    queued_correlation_id = models.CharField(
        max_length=MAX_CHARACTERS,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Correlation id of the queued sync. Requests that arrive before it starts are coalesced into it.",
    )
    pending_request = models.JSONField(
        null=True,
        editable=False,
        help_text="Request that arrived during a sync: trigger, requested_by, full, correlation_id. Several are coalesced "
        "into one.",
    )

    objects = RepositoryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "repositories"
        ordering = ["name"]
        indexes = [models.Index(fields=["enabled", "next_due_at"], name="repository_due")]
        permissions = [
            ("view_all_repositories", "Can see the repositories of every group"),
            ("sync_repository", "Can sync, dry-run and test repositories"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Validate url, ref, subpath and connections. Raise ValidationError with each error at its field."""
        errors: dict[str, str] = {}
        config = properties()
        try:
            check_host(
                parse_url(self.url, allow_protocols=frozenset(config.gitsync_allow_protocols)),
                frozenset(config.gitsync_allow_private_hosts),
            )
        except GitError as error:
            # A temporary DNS failure is not the editor's mistake.
            if not error.transient:
                errors["url"] = str(error)
        for name, parse in (("ref", parse_ref), ("subpath", parse_subpath), ("include", parse_include)):
            try:
                parse(getattr(self, name))
            except GitError as error:
                errors[name] = str(error)
        if self.verify != Verify.OFF and self.verify_keys_id is None:
            errors["verify_keys"] = "Choose the connection with the trusted keys, or set signature to off."
        if self.verify == Verify.TAG and "ref" not in errors and parse_ref(self.ref).kind not in TAGS:
            errors["verify"] = (
                "This ref is not a tag. Follow a tag, or verify the commit's signature instead."
            )
        if self.owner and (reason := owner_flaw(self.owner)):
            errors["owner"] = f"{reason}."
        errors |= wrong_images(self.images)
        wrong = wrong_connections(
            url=self.url, credential=self.credential, keys=self.verify_keys, secret=self.webhook_secret
        )
        errors = {**wrong, **errors}
        if self.pk and self.last_good_commit:
            before = Repository.objects.filter(pk=self.pk).values_list("name", flat=True).first()
            if before not in (None, self.name):
                errors["name"] = (
                    f"The repository has synced as {before!r}, and the ids of its DAGs contain that name. "
                    "It cannot be renamed."
                )
        if errors:
            raise ValidationError(errors)

    @property
    def location(self) -> str:
        """Return the digest of the DAGs' location: url, ref and subpath."""
        return _digest(self.url, self.ref, self.subpath)

    @property
    def config_hash(self) -> str:
        """Return the digest of the configuration that decides what a sync registers."""
        return _digest(
            self.name,
            self.url,
            self.ref,
            self.subpath,
            self.include,
            self.verify,
            self.verify_keys_id,
            # Changed keys can change the result of the verification.
            self.verify_keys.updated_at.isoformat() if self.verify_keys else None,
            self.credential_id,
            *(self.images.get(name, "") for name in _IMAGES_WITH_A_PLACE),
            self.enabled,
            self.is_paused,
            # Added only if it differs from the default, so that an upgrade changes no digest.
            *(() if self.allow_empty else ("allowEmpty: false",)),
            *(
                f"image: {item}"
                for item in sorted(self.images.items())
                if item[0] not in _IMAGES_WITH_A_PLACE
            ),
        )

    @property
    def shown_url(self) -> str:
        """Return the url without user and password, also if it is malformed."""
        try:
            return parse_url(self.url, allow_protocols=ANY_PROTOCOL).display
        except GitError:
            return redact(self.url)

    @property
    def is_paused(self) -> bool:
        """Return whether a user has paused the repository."""
        return self.paused_at is not None

    @property
    def effective_interval_ms(self) -> int:
        """Return the poll interval in milliseconds: the repository's own, or the default."""
        return self.interval_ms or properties().gitsync_interval_ms


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
