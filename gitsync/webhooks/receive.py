"""Processing of one delivery: authenticate it, request a sync if it reports a relevant push, and record it."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass

from django.db import IntegrityError, OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable, UniqueViolation

from gitsync import tasks
from gitsync.git.errors import GitError
from gitsync.git.ref import MAX_REF_BYTES, RefKind, is_well_formed, parse_ref
from gitsync.git_services import payload
from gitsync.git_services.base import GitService, Headers
from gitsync.git_services.payload import PayloadInvalid
from gitsync.git_services.registry import sender_of
from gitsync.models import Delivery, DeliveryOutcome, Repository, Trigger
from gitsync.webhooks import delivery_log
from kiok import correlation
from kiok.errors import KiokError
from kiok.text import printable

# HTTP status per outcome. 200 where nothing is wrong with the hook: some services disable a hook that fails often.
STATUS = {
    DeliveryOutcome.QUEUED: 202,
    DeliveryOutcome.WAITING: 202,
    DeliveryOutcome.PING: 200,
    DeliveryOutcome.REPLAY: 200,
    DeliveryOutcome.NOT_A_PUSH: 200,
    DeliveryOutcome.OTHER_REF: 200,
    DeliveryOutcome.DISABLED: 200,
    DeliveryOutcome.PAUSED: 200,
    DeliveryOutcome.PAYLOAD: 400,
    DeliveryOutcome.UNSIGNED: 404,
    DeliveryOutcome.SIGNATURE: 404,
    DeliveryOutcome.SECRET: 404,
}
REFUSED = (DeliveryOutcome.UNSIGNED, DeliveryOutcome.SIGNATURE, DeliveryOutcome.SECRET)
LOCK_TIMEOUT_MS = 40
# The signature is compared with this if the repository does not exist, so that the response time does not reveal it.
_DECOY = secrets.token_hex(32)
# Properties of the connection: the current secret, and the previous one while the service may still use it.
SECRET_PROPERTIES = ("secret", "previousSecret")

log = logging.getLogger(__name__)


class SecretUnusable(KiokError):
    """The repository has no secret, or its connection cannot be decrypted. The message contains no secret value."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to the sender. All refusals are alike, regardless of their cause."""

    status: int
    outcome: str
    message: str
    correlation_id: str = ""


REFUSAL = Answer(
    404, "refused", "no such repository, or the delivery is not signed with the repository's secret"
)


def receive(name: str, headers: Headers, body: bytes) -> Answer:
    """Process the delivery `body` for the repository of this name. Raise OperationalError.

    The body is not parsed, and the response reveals nothing about the repository, before the signature is verified.
    """
    repository = Repository.objects.select_related("webhook_secret").filter(name=name).first()
    service = sender_of(headers)
    refused = _refusal(repository, service, headers, body)
    if repository is None or service is None or refused:
        if repository is None:
            log.info("webhook for %s refused: no such repository", name)
            return REFUSAL
        seen = _delivery(repository, service, headers)
        return _settle(seen, refused or DeliveryOutcome.UNSIGNED)
    # Use the service's delivery id as the correlation id, so that its delivery log leads to the sync. The id is used only
    # after the signature is verified.
    given = service.delivery_id(headers)
    with correlation.bound(given if correlation.is_well_formed(given) else "", repository=repository.name):
        return _judge(repository, service, headers, body)


def _judge(repository: Repository, service: GitService, headers: Headers, body: bytes) -> Answer:
    """Process an authenticated delivery."""
    seen = _delivery(repository, service, headers)
    event = service.event(headers)
    if service.is_ping(event):
        return _settle(seen, DeliveryOutcome.PING)
    if not service.reports_refs(event):
        return _settle(seen, DeliveryOutcome.NOT_A_PUSH)
    try:
        refs = service.changed_refs(event, payload.read(body, headers.get("Content-Type", "")))
    except PayloadInvalid as exc:
        return _settle(seen, DeliveryOutcome.PAYLOAD, str(exc))
    refs = tuple(filter(_can_be_followed, refs))
    seen.ref = _printable(", ".join(refs), 300)
    if not follows(repository.ref, refs):
        return _settle(seen, DeliveryOutcome.OTHER_REF)
    if not repository.enabled:
        return _settle(seen, DeliveryOutcome.DISABLED)
    if repository.is_paused:
        return _settle(seen, DeliveryOutcome.PAUSED)
    return _ask(seen)


def follows(followed: str, refs: tuple[str, ...]) -> bool:
    """Return whether a change of one of these refs may affect a repository that follows the ref `followed`."""
    try:
        ref = parse_ref(followed)
    except GitError:
        return True  # the sync reports the error of the ref
    if ref.kind is RefKind.COMMIT:
        return False
    if ref.kind is RefKind.SEMVER:
        return any(name.startswith("refs/tags/") for name in refs)
    return ref.full_name in refs


def _refusal(
    repository: Repository | None, service: GitService | None, headers: Headers, body: bytes
) -> DeliveryOutcome | None:
    known: tuple[str, ...] = ()
    if repository is not None:
        try:
            known = secrets_of(repository)
        except SecretUnusable as exc:
            log.warning("webhook for %s refused: %s", repository.name, exc)
    if service is None or not service.is_signed(headers):
        return DeliveryOutcome.UNSIGNED
    found = [service.is_authentic(headers, body, secret) for secret in known or (_DECOY,)]
    if not known:
        return DeliveryOutcome.SECRET
    return None if any(found) else DeliveryOutcome.SIGNATURE


def secrets_of(repository: Repository) -> tuple[str, ...]:
    """Return one or two secrets, none of them empty. Raise SecretUnusable.

    They are decrypted for each delivery, so that a changed secret applies to the next one.
    """
    stored = repository.webhook_secret
    if stored is None:
        raise SecretUnusable("the repository has no connection with a webhook secret")
    try:
        properties = stored.properties()
    except KiokError as exc:
        raise SecretUnusable(f"connection {stored.pk!r}: {exc}") from exc
    found = tuple(secret for name in SECRET_PROPERTIES if (secret := properties.get(name, "").strip()))
    if not found:
        raise SecretUnusable(f"connection {stored.pk!r} has no property 'secret'")
    return found


def _delivery(repository: Repository, service: GitService | None, headers: Headers) -> Delivery:
    return Delivery(
        repository=repository,
        service=service.name if service else "",
        event=_printable(service.event(headers), 100) if service else "",
        delivery_id=_printable(service.delivery_id(headers), 100) if service else "",
        correlation_id=correlation.current(),
    )


def _printable(text: str, characters: int) -> str:
    """Return the printable characters of an untrusted text, cut to a length."""
    return printable(text[: 4 * characters], "")[:characters]


def _can_be_followed(ref: str) -> bool:
    return ref.isprintable() and len(ref.encode()) <= MAX_REF_BYTES and is_well_formed(ref)


def _ask(delivery: Delivery) -> Answer:
    """Request a sync of the repository, once per delivery."""
    try:
        try:
            outcome = _queue(delivery, marking=True)
        except OperationalError as exc:
            if not isinstance(exc.__cause__, LockNotAvailable):
                raise
            # A running sync holds the row's lock while it writes its commit. This request runs after it in any case.
            outcome = _queue(delivery, marking=False)
    except IntegrityError as exc:
        if not isinstance(exc.__cause__, UniqueViolation):
            raise
        return _settle(delivery, DeliveryOutcome.REPLAY)
    return _told(delivery, outcome)


def _queue(delivery: Delivery, *, marking: bool) -> DeliveryOutcome:
    with transaction.atomic():
        if marking:
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        ask = tasks.enqueue_once if marking else tasks.enqueue_sync
        requested = ask(delivery.repository_id, Trigger.WEBHOOK, requested_by=delivery.service)
        outcome = DeliveryOutcome.QUEUED if requested else DeliveryOutcome.WAITING
        delivery.pk, delivery.outcome, delivery.status = None, outcome, STATUS[outcome]
        delivery_log.write(delivery)
    return outcome


def _settle(delivery: Delivery, outcome: DeliveryOutcome, detail: str = "") -> Answer:
    """Record a delivery that does not lead to a sync."""
    delivery.pk, delivery.outcome, delivery.status = None, outcome, STATUS[outcome]
    with transaction.atomic():
        delivery_log.write(delivery)
    return _told(delivery, outcome, detail)


def _told(delivery: Delivery, outcome: DeliveryOutcome, detail: str = "") -> Answer:
    name = delivery.repository.name
    log.info("webhook for %s: %s %s %s: %s", name, delivery.service, delivery.event, delivery.ref, outcome)
    if outcome in REFUSED:
        return REFUSAL
    return Answer(STATUS[outcome], outcome.value, detail or str(outcome.label), delivery.correlation_id)
