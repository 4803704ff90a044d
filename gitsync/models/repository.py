"""A configured repository: what to sync, and what the last look at it found."""

from __future__ import annotations

import hashlib
import json

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from compilers.base import Kind
from gitsync.git.errors import GitError
from gitsync.git.ref import RefKind, parse_ref
from gitsync.git.scope import parse_include
from gitsync.git.subpath import parse_subpath
from gitsync.git.url import ANY_PROTOCOL, check_host, parse_url
from gitsync.models.connection_checks import wrong_connections
from gitsync.models.connection_field import connection_field
from kiok.cluster.conf import properties
from kiok.cluster.lease import Lease
from kiok.connections.redaction import redact
from kiok.correlation import MAX_CHARACTERS

TAGS = (RefKind.TAG, RefKind.SEMVER)
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}\Z"
_IMAGE_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
# https://github.com/distribution/reference/blob/main/reference.go; as in kiok.server.parsers.
IMAGE_PATTERN = (
    r"^(?:(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?/)?"
    rf"{_IMAGE_NAME}(?:/{_IMAGE_NAME})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?\Z"
)
_is_image = RegexValidator(
    IMAGE_PATTERN,
    "Name an image as the engine knows it: team-python:1, or registry.example.com/kiok/python@sha256:…; "
    "in lower case, without blanks.",
)


class ManagedBy(models.TextChoices):
    """Who owns a repository's configuration."""

    ADMIN = "admin", "admin"
    CONFIG = "config", "configuration"


class Verify(models.TextChoices):
    """Whose signature a commit needs before anything of it is compiled."""

    OFF = "off", "off"
    COMMIT = "commit", "the commit's"
    TAG = "tag", "the tag's"


class RepositoryState(models.TextChoices):
    """How the repository stands after the last look at it."""

    NEVER = "never", "never synced"
    IN_SYNC = "in_sync", "in sync"
    DEGRADED = "degraded", "in sync, with failed files"
    FAILING = "failing", "failing"


class Repository(models.Model):
    """One git repository to sync. Observed fields are written by the steps of `gitsync.sync` only."""

    LEASE = Lease(20.0, "lease_holder", "lease_expires_at", "lease_number")  # of a sync; renewed every 5 s

    name = models.CharField(
        max_length=63,
        unique=True,
        validators=[
            RegexValidator(
                NAME_PATTERN, "Use 1 to 63 of a-z, 0-9, '.', '_', '-'; the first a letter or digit."
            )
        ],
        help_text="Part of every DAG's unique id, so it never changes once the repository has synced.",
    )
    url = models.CharField(
        max_length=2000,
        help_text="https://…, ssh://… or user@host:path. Credentials belong in a connection, not in the url.",
    )
    ref = models.CharField(
        "branch or tag",
        max_length=300,
        default="main",
        help_text="A branch; or tag:NAME, semver:RANGE (the highest such tag), commit:SHA.",
    )
    subpath = models.CharField(
        max_length=1024, blank=True, help_text="Folder that holds the DAGs; empty for the whole repository."
    )
    credential = connection_field(
        "credential", "credentialConnectionId: the connection that holds the key, password or token."
    )
    include = models.TextField(
        blank=True,
        default="*.py",
        help_text="What DAGs may read outside the subpath: gitignore patterns, one a line. Nothing else is fetched "
        "where the server can leave it out.",
    )
    verify = models.CharField(
        "signature",
        max_length=6,
        choices=Verify.choices,
        default=Verify.OFF,
        help_text="Which signature is required.",
    )
    verify_keys = connection_field(
        "trusted keys",
        "verifyConnectionId: the connection whose openpgpKeys or allowedSigners are trusted.",
        related_name="verifying_repositories",
    )
    image_python = models.CharField(
        "image for Python",
        max_length=255,
        blank=True,
        validators=[_is_image],
        help_text="Image that compiles this repository's *.py, built FROM the service's own; empty for "
        "kiok.sandbox.image.python.",
    )
    image_java = models.CharField(
        "image for jars",
        max_length=255,
        blank=True,
        validators=[_is_image],
        help_text="Image that compiles this repository's *.jar, built FROM the service's own; empty for "
        "kiok.sandbox.image.java.",
    )
    webhook_secret = connection_field(
        "webhook secret",
        "webhookSecretConnectionId: the connection whose property secret signs the git service's webhooks; "
        "empty: none are taken.",
        related_name="hooked_repositories",
    )
    allow_empty = models.BooleanField(
        "allow empty",
        default=True,
        db_default=True,
        help_text="Off: a commit that would prune every DAG of the repository is held until it is accepted here, over the "
        "API or on the command line.",
    )
    enabled = models.BooleanField(default=True)
    interval_ms = models.PositiveIntegerField(
        "interval (ms)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1000)],
        help_text="Time between two looks; empty for kiok.gitsync.interval.ms. At least 1000.",
    )
    groups = models.ManyToManyField(
        Group,
        blank=True,
        related_name="repositories",
        help_text="Who sees it, its DAGs, errors and runs: the members of these groups, and whoever may see all.",
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
        help_text="Property that declares it; empty: none, or one from before this was recorded.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # Held back by hand: an operator's, not configuration, so that declared repositories have it too.
    paused_at = models.DateTimeField("paused", null=True, blank=True, editable=False)
    paused_by = models.CharField(max_length=150, blank=True, editable=False)
    pause_reason = models.CharField(max_length=500, blank=True, editable=False)

    # Of a declared repository: why its declaration cannot be followed (gitsync.repositories.declared), "" where it is.
    declaration_reason = models.CharField(
        max_length=40, blank=True, default="", db_default="", editable=False
    )
    declaration_problem = models.TextField(
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="The repository fails with it, and is not fetched. Its configuration is the last valid one.",
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
        help_text="The state that receivers of notices were last told of; empty: none, so that it counts as well.",
    )
    unnotified_polls = models.PositiveIntegerField(
        default=0, editable=False, help_text="Looks in a row that found another, by what may pass by itself."
    )
    next_due_at = models.DateTimeField("next check", db_default=Now(), editable=False)
    synced_location = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text="Digest of url, ref and subpath at the last good sync: that place is known to have existed.",
    )
    last_outcome = models.JSONField(
        default=dict,
        editable=False,
        help_text="How the last sync that came to an end judged, and under what: commit, config, images, "
        "state, reason, message. `until`: the commit is retried then; `retry_at`: some of its files are. Empty when the "
        "same commit may well fare otherwise next time.",
    )
    empty_hold = models.JSONField(
        null=True,
        editable=False,
        help_text="The commit that would prune every DAG, and who accepted it: see gitsync.sync.empty_hold.",
    )

    # The claim: one sync at a time.
    lease_holder = models.CharField(max_length=200, blank=True, editable=False)
    lease_number = models.PositiveBigIntegerField(default=0, editable=False)
    lease_expires_at = models.DateTimeField(null=True, editable=False)
    queued_until = models.DateTimeField(
        null=True, editable=False, help_text="A worker has been asked to sync it; not asked again before."
    )
    queued_correlation_id = models.CharField(
        max_length=MAX_CHARACTERS,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="What the sync that was asked for goes by; requests that come meanwhile join it.",
    )
    pending_request = models.JSONField(
        null=True,
        editable=False,
        help_text="The request that came meanwhile: trigger, requested_by, full, correlation_id. Several become one.",
    )

    class Meta:
        verbose_name_plural = "repositories"
        ordering = ["name"]
        indexes = [models.Index(fields=["enabled", "next_due_at"], name="repository_due")]
        permissions = [("view_all_repositories", "Can see the repositories of every group")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Validate url, ref and subpath by the git package's own rules, and the connections; each error at its field."""
        errors: dict[str, str] = {}
        config = properties()
        try:
            check_host(
                parse_url(self.url, allow_protocols=frozenset(config.gitsync_allow_protocols)),
                frozenset(config.gitsync_allow_private_hosts),
            )
        except GitError as error:
            # A name that cannot be looked up just now is no mistake of whoever edits the row.
            if not error.transient:
                errors["url"] = str(error)
        for name, parse in (("ref", parse_ref), ("subpath", parse_subpath), ("include", parse_include)):
            try:
                parse(getattr(self, name))
            except GitError as error:
                errors[name] = str(error)
        if self.verify != Verify.OFF and self.verify_keys_id is None:
            errors["verify_keys"] = "Choose the connection whose keys are trusted, or switch signatures off."
        if self.verify == Verify.TAG and "ref" not in errors and parse_ref(self.ref).kind not in TAGS:
            errors["verify"] = (
                "This ref has no tag to verify: follow a tag, or verify the commit's signature."
            )
        wrong = wrong_connections(
            url=self.url, credential=self.credential, keys=self.verify_keys, secret=self.webhook_secret
        )
        errors = {**wrong, **errors}
        if self.pk and self.last_good_commit:
            before = Repository.objects.filter(pk=self.pk).values_list("name", flat=True).first()
            if before not in (None, self.name):
                errors["name"] = f"It has synced as {before!r}, and its DAGs' ids carry that name."
        if errors:
            raise ValidationError(errors)

    @property
    def location(self) -> str:
        """Digest of where the DAGs are: url, ref, subpath."""
        return _digest(self.url, self.ref, self.subpath)

    @property
    def config_hash(self) -> str:
        """Digest of all configuration that decides what a sync registers."""
        return _digest(
            self.name,
            self.url,
            self.ref,
            self.subpath,
            self.include,
            self.verify,
            self.verify_keys_id,
            # Other keys judge otherwise.
            self.verify_keys.updated_at.isoformat() if self.verify_keys else None,
            self.credential_id,
            self.image_python,
            self.image_java,
            self.enabled,
            self.is_paused,
            # Only the new value, so that an upgrade changes no digest.
            *(() if self.allow_empty else ("allowEmpty: false",)),
        )

    @property
    def shown_url(self) -> str:
        """The url for people: without user and password, also where it is none."""
        try:
            return parse_url(self.url, allow_protocols=ANY_PROTOCOL).display
        except GitError:
            return redact(self.url)

    @property
    def is_paused(self) -> bool:
        """Whether somebody has held it back."""
        return self.paused_at is not None

    @property
    def images(self) -> dict[Kind, str]:
        """The images that this repository names itself, by kind."""
        named = {Kind.PYTHON: self.image_python, Kind.JAR: self.image_java}
        return {kind: image for kind, image in named.items() if image}

    @property
    def effective_interval_ms(self) -> int:
        return self.interval_ms or properties().gitsync_interval_ms


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
