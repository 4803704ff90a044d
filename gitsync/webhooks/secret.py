"""Secrets that a repository's webhooks may be signed with."""

from __future__ import annotations

from gitsync.models import Repository
from kiok.errors import KiokError

# Properties of the connection: the current secret, and the previous one while the service may still use it.
PROPERTIES = ("secret", "previousSecret")


class SecretUnusable(KiokError):
    """The repository has no secret, or its connection cannot be decrypted. The message contains no secret value."""


def secrets_of(repository: Repository) -> tuple[str, ...]:
    """Return one or two secrets, none of them empty. Raise SecretUnusable.

    They are decrypted for each delivery, so that a changed secret applies to the next one.
    """
    connection = repository.webhook_secret
    if connection is None:
        raise SecretUnusable("the repository has no connection with a webhook secret")
    try:
        properties = connection.properties()
    except KiokError as exc:
        raise SecretUnusable(f"connection {connection.pk!r}: {exc}") from exc
    secrets = tuple(secret for name in PROPERTIES if (secret := properties.get(name, "").strip()))
    if not secrets:
        raise SecretUnusable(f"connection {connection.pk!r} has no property 'secret'")
    return secrets
