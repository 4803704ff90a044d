"""The secrets that a repository's webhooks may be signed with."""

from __future__ import annotations

from gitsync.models import Repository
from kiok.errors import KiokError

PROPERTIES = ("secret", "previousSecret")
"""Of the connection: the secret, and the one before it, for as long as the service may still use that."""


class SecretUnusable(KiokError):
    """The repository has no secret, or its connection cannot be decrypted. The message holds no value."""


def secrets_of(repository: Repository) -> tuple[str, ...]:
    """One or two secrets, none of them empty. Raises SecretUnusable.

    Decrypted here, per delivery, so that a changed secret counts at the next one.
    """
    connection = repository.webhook_secret
    if connection is None:
        raise SecretUnusable("the repository names no connection with a webhook secret")
    try:
        properties = connection.properties()
    except KiokError as exc:
        raise SecretUnusable(f"connection {connection.pk!r}: {exc}") from exc
    secrets = tuple(secret for name in PROPERTIES if (secret := properties.get(name, "").strip()))
    if not secrets:
        raise SecretUnusable(f"connection {connection.pk!r} has no property 'secret'")
    return secrets
