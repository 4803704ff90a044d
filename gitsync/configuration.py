"""Changes to which repositories there are: declared ones, edits, removal."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from django.db import transaction

from gitsync.conf import properties
from gitsync.git.errors import GitError
from gitsync.models import ManagedBy, Repository
from gitsync.sync.schedule import look_at_once
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, Origin

log = logging.getLogger(__name__)

DECLARING = ("kiok.gitsync.repos", "kiok.gitsync.repos.file")


class DeclarationError(Exception):
    """A declared repository cannot be taken over. The message names it and what to do."""


def follow_declaration() -> list[str]:
    """Make the declared repositories exist as declared, and remove those no longer declared.

    Where neither property is given at all nothing is touched: a process started without its configuration must
    not delete what another was configured with. Returns the names that changed. Raises DeclarationError.
    """
    config = properties()
    if not any(name in config.sources for name in DECLARING):
        return []
    changed = []
    declared = {item.name: item for item in config.repositories}
    for item in declared.values():
        values = {
            "url": item.url,
            "ref": item.ref,
            "subpath": item.subpath,
            "credential_id": _known_connection(
                item.name, "credentialConnectionId", item.credential_connection_id
            ),
            "include": Repository().include if item.include is None else item.include,
            "verify": item.verify,
            "verify_keys_id": _known_connection(item.name, "verifyConnectionId", item.verify_connection_id),
            "image_python": item.image_python,
            "image_java": item.image_java,
            "webhook_secret_id": _known_connection(
                item.name, "webhookSecretConnectionId", item.webhook_secret_connection_id
            ),
            "enabled": item.enabled,
            "interval_ms": item.interval_ms,
            "managed_by": ManagedBy.CONFIG,
        }
        if _declare(item.name, values):
            changed.append(item.name)
    for repository in Repository.objects.filter(managed_by=ManagedBy.CONFIG).exclude(name__in=declared):
        log.info("repository %s is no longer declared; it is removed with its DAGs", repository.name)
        remove_repository(repository)
        changed.append(repository.name)
    return changed


def declared_where(repository: Repository) -> str:
    """Where a declared repository is declared: property and place, for people."""
    config = properties()
    in_file = any(declared.name == repository.name for declared in config.file_repositories)
    if in_file and config.gitsync_repos_file is not None:
        return f"the file {config.gitsync_repos_file} (kiok.gitsync.repos.file)"
    if any(declared.name == repository.name for declared in config.gitsync_repos):
        return f"kiok.gitsync.repos ({config.sources.get('kiok.gitsync.repos', 'the configuration')})"
    return "the configuration (kiok.gitsync.repos or kiok.gitsync.repos.file) of the service's workers"


def remove_repository(repository: Repository) -> int:
    """Delete a repository and the DAGs it registered, in one transaction; how many DAGs went.

    Needs no remote. Versions and run history stay, so both go on if it is ever added again. A sync under way
    is fenced out, since its claim is gone with the row.
    """
    from gitsync.remote import mirror_of  # all that git needs: for the few who remove one

    repository_id = repository.pk
    with transaction.atomic():
        Repository.objects.select_for_update().filter(pk=repository_id).first()
        pruned, _ = Dag.objects.filter(origin=Origin.GIT, repository=repository.name).delete()
        repository.delete()
    try:
        mirror_of(repository_id).discard()
    except GitError as exc:
        log.warning("the mirror of %s stays behind: %s", repository.name, exc)
    return pruned


def _declare(name: str, values: Mapping[str, object]) -> bool:
    """Create or update one declared repository; whether anything changed."""
    with transaction.atomic():
        repository = Repository.objects.select_for_update().filter(name=name).first()
        if repository is None:
            repository = Repository(name=name)
        elif all(getattr(repository, field) == value for field, value in values.items()):
            return False
        for field, value in values.items():
            setattr(repository, field, value)
        look_at_once(repository)
        repository.save()
    return True


def _known_connection(repository: str, key: str, connection_id: str | None) -> str | None:
    if connection_id and not Connection.objects.filter(pk=connection_id).exists():
        raise DeclarationError(
            f"repository {repository!r} names the connection {connection_id!r}, which does not exist. "
            f"Add it in the admin under Connections, or correct {key}"
        )
    return connection_id or None
