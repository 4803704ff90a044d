"""Declared repositories: creation, update and removal.

A missing environment variable after a deployment, a blank value and an emptied file are indistinguishable from the
decision to delete every repository. So a property whose last repository disappears deletes nothing, unless
kiok.gitsync.repos.allow.empty is set; compare `allowEmpty` of Argo CD
(https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from django.db import DataError, transaction
from django.db.models import Count

from gitsync.errors import SyncReason
from gitsync.git.errors import GitError
from gitsync.models import ManagedBy, Repository, Trigger
from gitsync.models.connection_checks import wrong_credential, wrong_keys, wrong_secret
from gitsync.models.own_images import image_fields, images_of
from gitsync.repositories.owner import give_owner
from gitsync.sync.backoff import poll_now
from kiok import correlation
from kiok.cluster.conf import properties
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, Origin
from kiok.properties.declared import DeclaredRepository, InvalidDeclaration
from kiok.text import storable

log = logging.getLogger(__name__)

DECLARING = ("kiok.gitsync.repos", "kiok.gitsync.repos.file")
ALLOW_EMPTY = "kiok.gitsync.repos.allow.empty"
MAX_NAMED = 20  # repositories named in a message
MAX_PROBLEM_CHARACTERS = 4000  # of a stored problem with a declaration


class DeclarationError(Exception):
    """Error for declared repositories that cannot be applied. The message names them and the remedy."""


def follow_declaration() -> list[str]:
    """Create and update the declared repositories, and delete those no longer declared. Return the changed names.

    If neither property is set, nothing changes: a process started without its configuration must not delete what
    another process was configured with. Raises DeclarationError before any change if all that a property or file
    declared is lost.

    A repository whose declaration cannot be applied is failing and keeps its last configuration and its DAGs; others are
    not affected. A new one is added, so that it is listed as failing.
    """
    config = properties()
    if not any(name in config.sources for name in DECLARING):
        return []
    declared = {item.name: item for item in config.repositories}
    invalid = _problems_by_name(config.invalid_repositories)
    undeclared = list(
        Repository.objects.filter(managed_by=ManagedBy.CONFIG).exclude(name__in=[*declared, *invalid])
    )
    if undeclared and "" in invalid:
        # The entry may have been meant for any of them.
        names = ", ".join(repository.name for repository in undeclared)
        _warn_once(
            f"undeclared repositories are not deleted while an entry has no usable name: {names} ({invalid['']})"
        )
        undeclared = []
    if refusal := _lost_declaration(undeclared):
        raise DeclarationError(refusal)
    changed = [name for name, item in declared.items() if _follow(item)]
    changed += [
        name
        for name, problem in invalid.items()
        if name and _refuse(name, SyncReason.DECLARATION_INVALID, problem, {})
    ]
    for repository in undeclared:
        log.info("repository %s is no longer declared; deleting it with its DAGs", repository.name)
        remove_repository(repository)
        changed.append(repository.name)
    return changed


def missing_declaration() -> str:
    """Return a message if neither property is set although declared repositories exist, otherwise ""."""
    config = properties()
    if any(name in config.sources for name in DECLARING):
        return ""
    declared = list(Repository.objects.filter(managed_by=ManagedBy.CONFIG))
    if not declared:
        return ""
    return (
        f"neither {' nor '.join(DECLARING)} is set, and {_named(declared)} exist from an earlier declaration. Nothing was "
        "changed, and the repositories keep syncing. Restore the property; or, to delete them with their DAGs, set "
        f"{DECLARING[0]} to an empty value and {ALLOW_EMPTY}=true"
    )


def declared_where(repository: Repository) -> str:
    """Return where a declared repository is declared: property and place, for people."""
    return _where(repository.name)


def _source(name: str) -> str:
    """Return the property that declares the repository."""
    in_property = any(declared.name == name for declared in properties().gitsync_repos)
    return DECLARING[0] if in_property else DECLARING[1]


def _where(name: str) -> str:
    config = properties()
    in_file = any(declared.name == name for declared in config.file_repositories)
    if in_file and config.gitsync_repos_file is not None:
        return f"the file {config.gitsync_repos_file} (kiok.gitsync.repos.file)"
    if any(declared.name == name for declared in config.gitsync_repos):
        return f"kiok.gitsync.repos ({config.sources.get('kiok.gitsync.repos', 'the configuration')})"
    return "the configuration (kiok.gitsync.repos or kiok.gitsync.repos.file) of the service's workers"


def remove_repository(repository: Repository) -> int:
    """Delete a repository and its DAGs in one transaction; return the number of DAGs.

    Needs no remote. Versions and run history are kept, and continue if the repository is added again. A running sync is
    fenced out, because its lease is deleted with the row.
    """
    from gitsync.sync.remote import mirror_of  # imports all of git, which few callers need

    repository_id = repository.pk
    with transaction.atomic():
        Repository.objects.select_for_update().filter(pk=repository_id).first()
        pruned, _ = Dag.objects.filter(origin=Origin.GIT, repository=repository.name).delete()
        repository.delete()
    try:
        mirror_of(repository_id).discard()
    except GitError as exc:
        log.warning("cannot remove the mirror of %s: %s", repository.name, exc)
    return pruned


@cache
def _warn_once(message: str) -> None:
    """Log a message once per process: declarations are applied every minute."""
    log.warning("%s", message)


def _problems_by_name(invalid: Iterable[InvalidDeclaration]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for item in invalid:
        # The place comes last: the overview shows only the beginning of a message.
        found.setdefault(item.name, []).append(f"{item.problem} ({item.source})")
    return {name: "; ".join(problems) for name, problems in found.items()}


def _follow(item: DeclaredRepository) -> bool:
    """Apply one declaration, or mark the repository as failing; return whether anything changed."""
    values = {
        "url": item.url,
        "ref": item.ref,
        "subpath": item.subpath,
        "include": Repository().include if item.include is None else item.include,
        "verify": item.verify,
        "images": images_of({image.name: getattr(item, image.name, "") for image in image_fields()}),
        "enabled": item.enabled,
        "interval_ms": item.interval_ms,
        "allow_empty": item.allow_empty,
        "owner": item.owner,
        "declared_source": _source(item.name),
    }
    wrong = _wrong_connection(item)
    if wrong:
        return _refuse(item.name, SyncReason.CREDENTIAL, wrong, values)
    connections = {
        "credential_id": item.credential_connection_id or None,
        "verify_keys_id": item.verify_connection_id or None,
        "webhook_secret_id": item.webhook_secret_connection_id or None,
    }
    try:
        return _declare(item.name, {**values, **connections})
    except DataError as exc:
        # The limits were checked before. If a check and the database disagree, the other repositories must still be applied.
        return _refuse(item.name, SyncReason.DECLARATION_INVALID, f"the database refuses it: {exc}", {})


def _wrong_connection(item: DeclaredRepository) -> str:
    """Return the problem with the connections that the declaration names, or ""."""
    named = {
        "credentialConnectionId": item.credential_connection_id,
        "verifyConnectionId": item.verify_connection_id,
        "webhookSecretConnectionId": item.webhook_secret_connection_id,
    }
    found = Connection.objects.in_bulk([value for value in named.values() if value])
    for key, value in named.items():
        if value and value not in found:
            return (
                f"the connection {value!r} does not exist. Add it in the admin under Connections, or correct {key} in "
                f"{_where(item.name)}"
            )
    for key, wrong in (
        ("credentialConnectionId", lambda row: wrong_credential(row, item.url)),
        ("verifyConnectionId", wrong_keys),
        ("webhookSecretConnectionId", wrong_secret),
    ):
        if (value := named[key]) and (problem := wrong(found[value])):
            return f"{problem} Add the property, or correct {key} in {_where(item.name)}"
    return ""


def _declare(name: str, values: Mapping[str, object]) -> bool:
    """Create or update one declared repository; return whether anything changed."""
    values = {**values, "managed_by": ManagedBy.CONFIG, "declaration_reason": "", "declaration_problem": ""}
    with transaction.atomic():
        repository = Repository.objects.select_for_update().filter(name=name).first()
        if repository is None:
            repository = Repository(name=name)
        elif all(getattr(repository, field) == value for field, value in values.items()):
            return False
        owner_before = repository.owner
        for field, value in values.items():
            setattr(repository, field, value)
        poll_now(repository)
        repository.save()
        if repository.owner != owner_before:
            give_owner(repository)
    return True


def _refuse(name: str, reason: SyncReason, problem: str, values: Mapping[str, object]) -> bool:
    """Mark a declared repository as failing with `problem`; return whether that is new.

    An existing one keeps its configuration; a new one is added with `values`. One that is managed in the admin is not
    touched: only a valid declaration takes it over, because the next declaration without it would delete it.
    """
    # Imported here, because a declaration without problems needs none of these modules.
    from gitsync.sync.failure import SyncFailure
    from gitsync.sync.status import fail_unreached

    problem = storable(problem, MAX_PROBLEM_CHARACTERS)
    with transaction.atomic():
        repository = Repository.objects.select_for_update().filter(name=name).first()
        if repository is None:
            repository = Repository(name=name, managed_by=ManagedBy.CONFIG, **values)
        elif repository.managed_by != ManagedBy.CONFIG:
            _warn_once(
                f"repository {name} keeps its configuration from the admin, its declaration is invalid: {problem}"
            )
            return False
        elif (repository.declaration_reason, repository.declaration_problem) == (reason, problem):
            return False
        repository.declaration_reason, repository.declaration_problem = reason, problem
        poll_now(repository)
        repository.save()
    if repository.enabled and not repository.is_paused:
        log.warning("repository %s is failing (%s): %s", name, reason, problem)
        with correlation.bound(repository=name):
            # List it as failing now, not only after the next poll.
            fail_unreached(repository, SyncFailure(reason, problem, transient=False), Trigger.SCHEDULE)
    return True


def _lost_declaration(undeclared: Sequence[Repository]) -> str:
    """Return why the undeclared repositories are not deleted, or "" if they may be.

    `undeclared`: repositories that were declared and are in no declaration now. If the source of a repository is not
    recorded, its declaration counts as lost only when both properties are empty.
    """
    config = properties()
    if config.gitsync_repos_allow_empty:
        return ""
    entries = {DECLARING[0]: config.gitsync_repos, DECLARING[1]: config.file_repositories}
    empty = [name for name in DECLARING if not entries[name]]
    lost = [
        row
        for row in undeclared
        if row.declared_source in empty or (not row.declared_source and len(empty) == len(DECLARING))
    ]
    if not lost:
        return ""
    sources = {row.declared_source for row in lost}
    named = [name for name in empty if name in sources] or [name for name in empty if name in config.sources]
    where = " and ".join(_found(name) for name in named)
    return (
        f"{where}, so {_named(lost)} would be deleted. Nothing was changed, and the repositories keep syncing. "
        f"Restore the declaration; or, to delete them with their DAGs, set {ALLOW_EMPTY}=true"
    )


def _found(name: str) -> str:
    """Return the state of a property that declares no repository."""
    config = properties()
    source = config.sources.get(name)
    if source is None:
        return f"{name} is not set"
    if name == DECLARING[1] and config.gitsync_repos_file:
        valid = "valid " if config.invalid_repositories else ""
        return f"the file {config.gitsync_repos_file} ({name}) declares no {valid}repository"
    return f"{name} ({source}) is empty"


def _named(rows: Sequence[Repository]) -> str:
    """Return a text such as `2 repositories with 3 DAGs (a: 2, b: 1)`."""
    counted = dict(
        Dag.objects.filter(origin=Origin.GIT, repository__in=[row.name for row in rows])
        .order_by()
        .values_list("repository")
        .annotate(number=Count("pk"))
    )
    names = sorted(row.name for row in rows)
    listed = [f"{name}: {counted.get(name, 0)}" for name in names[:MAX_NAMED]]
    if len(names) > MAX_NAMED:
        listed.append(f"and {len(names) - MAX_NAMED} more")
    repositories = _number(len(rows), "repository", "repositories")
    dags = _number(sum(counted.values()), "DAG", "DAGs")
    return f"{repositories} with {dags} ({', '.join(listed)})"


def _number(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
