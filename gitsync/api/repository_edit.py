"""Adding, changing and deleting repositories as the admin's form does: same rules, same columns, same log entries."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.utils.text import capfirst
from psycopg.errors import UniqueViolation
from pydantic import ConfigDict, Field, StringConstraints

from gitsync.access import (
    CONNECTIONS,
    NAME_HAS_HISTORY,
    OTHER_SERVER,
    assignable_groups,
    may_be_sent,
    may_take_name,
    usable_connections,
)
from gitsync.api import messages
from gitsync.api.auth import Caller
from gitsync.api.problems import ApiRefusal, invalid, not_found
from gitsync.api.schemas import Owner, RepositoryName, Taken, Text
from gitsync.models import Repository
from gitsync.models.own_images import image_fields
from gitsync.models.visibility import sees_all
from gitsync.repositories import declared
from gitsync.repositories.owner import give_owner
from gitsync.sync.backoff import poll_now

TABLE = Repository._meta.db_table
ConnectionId = Annotated[Text, StringConstraints(max_length=100, min_length=1)]

# The images by the name of their field. They share the column `images`.
IMAGES = {image.name: image for image in image_fields()}
# The model's field by the key in the body. `groups` is handled separately, as it is not a column.
FIELDS = {
    "name": "name",
    "url": "url",
    "ref": "ref",
    "subpath": "subpath",
    "credentialConnectionId": "credential",
    "include": "include",
    "verify": "verify",
    "verifyConnectionId": "verify_keys",
    **{image.key: image.name for image in image_fields()},
    "webhookSecretConnectionId": "webhook_secret",
    "allowEmpty": "allow_empty",
    "owner": "owner",
    "enabled": "enabled",
    "intervalMs": "interval_ms",
}


def _without_defaults(schema: dict[str, Any]) -> None:
    for key in schema["properties"].values():
        key.pop("default", None)


class RepositoryChange(Taken):
    """The fields to change. The keys are those of a declared repository."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: RepositoryName = Field(
        "", description="1 to 63 of a-z, 0-9, '.', '_', '-'. Fixed after the first sync."
    )
    url: Annotated[Text, StringConstraints(max_length=2000, min_length=1)] = Field(
        "", description="https://…, ssh://… or user@host:path, without credentials."
    )
    ref: Annotated[Text, StringConstraints(max_length=300, min_length=1)] = Field(
        "main", description="A branch, tag:NAME, semver:RANGE or commit:ID."
    )
    subpath: Annotated[Text, StringConstraints(max_length=1024)] = Field(
        "", description="The folder that contains the DAGs; empty: the whole repository."
    )
    credential_connection_id: ConnectionId | None = Field(
        None, description="The connection with the SSH key, password or token for git."
    )
    include: Text = Field(
        "*.py", description="Files outside the subpath that DAGs may read: one pattern per line."
    )
    verify: Literal["off", "commit", "tag"] = Field(
        "off",
        description="The signature that is required: off: none; commit: that of the commit; tag: that of the tag.",
    )
    verify_connection_id: ConnectionId | None = Field(
        None, description="The connection whose keys are trusted."
    )
    image_python: Annotated[Text, StringConstraints(max_length=255)] = Field(
        "", description="The image that compiles *.py; empty: the service's default."
    )
    image_java: Annotated[Text, StringConstraints(max_length=255)] = Field(
        "", description="The image that compiles *.jar; empty: the service's default."
    )
    webhook_secret_connection_id: ConnectionId | None = Field(
        None, description="The connection whose secret authenticates webhooks; null: webhooks are refused."
    )
    allow_empty: bool = Field(
        True,
        description="false: a commit that would prune every DAG is held until a user accepts it.",
    )
    owner: Owner = Field(
        "", description="A team or a person: the owner of the DAGs that name none. Empty: none."
    )
    enabled: bool = Field(True, description="false: disabled; the repository is not synced.")
    interval_ms: Annotated[int, Field(ge=1000, le=2**31 - 1)] | None = Field(
        None, description="Milliseconds between two polls; null: kiok.gitsync.interval.ms."
    )
    groups: list[Annotated[Text, StringConstraints(max_length=150, min_length=1)]] = Field(
        [], max_length=100, description="The names of the groups whose members see the repository."
    )


class RepositoryConfiguration(RepositoryChange):
    """A repository's whole configuration. Fields that are left out get their defaults."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "team-dags",
                    "url": "https://git.example.com/team/dags.git",
                    "ref": "main",
                    "subpath": "dags",
                    "credentialConnectionId": "team-git",
                    "groups": ["team"],
                }
            ]
        }
    )

    name: RepositoryName = Field(
        description="1 to 63 of a-z, 0-9, '.', '_', '-'. Fixed after the first sync."
    )
    url: Annotated[Text, StringConstraints(max_length=2000, min_length=1)] = Field(
        description="https://…, ssh://… or user@host:path, without credentials."
    )


def add(caller: Caller, body: RepositoryConfiguration) -> Repository:
    """Add a repository and return it. Raise Refused (409, 422)."""
    repository = Repository()
    given = body.model_dump(by_alias=True)
    _set(repository, given)
    _check_choices(caller, repository, FIELDS.values())
    groups = _groups(caller, given["groups"])
    _validate(repository)
    poll_now(repository)
    with _as_conflict(), transaction.atomic():
        repository.save(force_insert=True)
        repository.groups.set(groups)
        _record(caller, repository, ADDITION, [{"added": {}}])
    return repository


def change(
    caller: Caller, repository: Repository, body: RepositoryChange, *, entirely: bool = False
) -> Repository:
    """Write the fields that differ; with `entirely`, reset those that were not sent. Raise Refused (404, 409, 422)."""
    given = body.model_dump(by_alias=True, exclude_unset=not entirely)
    before = {field: _value(repository, field) for field in FIELDS.values()}
    _set(repository, given)
    changed = [field for field in FIELDS.values() if _value(repository, field) != before[field]]
    groups = _groups(caller, given["groups"], repository) if "groups" in given else None
    regrouped = groups is not None and {group.pk for group in groups} != {
        group.pk for group in repository.groups.all()
    }
    if not changed and not regrouped:
        return repository
    _check_choices(caller, repository, changed)
    _validate(repository)
    poll_now(repository)
    with _as_conflict(), transaction.atomic():
        if changed:
            # Only the changed columns: syncs and other users may have changed the others since the row was read.
            columns = {"images" if field in IMAGES else field for field in changed}
            repository.save(update_fields=[*columns, "next_due_at", "consecutive_failures"])
        if "owner" in changed:
            give_owner(repository)
        if regrouped and groups is not None:
            repository.groups.set(groups)
        names = [_verbose(field) for field in changed]
        _record(
            caller,
            repository,
            CHANGE,
            [{"changed": {"fields": [*names, *(["Groups"] if regrouped else [])]}}],
        )
    return repository


def remove(caller: Caller, repository: Repository) -> int:
    """Delete the repository with its DAGs, and return the number of DAGs."""
    with transaction.atomic():
        _record(caller, repository, DELETION, "")
        return declared.remove_repository(repository)


def _set(repository: Repository, given: Mapping[str, Any]) -> None:
    for key, field in FIELDS.items():
        if key not in given:
            continue
        if field in IMAGES:
            images = {**repository.images, IMAGES[field].format: given[key]}
            repository.images = {name: image for name, image in images.items() if image}
        else:
            setattr(repository, _column(field), given[key])


def _value(repository: Repository, field: str) -> Any:
    if field in IMAGES:
        return repository.images.get(IMAGES[field].format, "")
    return getattr(repository, _column(field))


def _column(field: str) -> str:
    return f"{field}_id" if field in CONNECTIONS else field


def _check_choices(caller: Caller, repository: Repository, changed: Collection[str]) -> None:
    """Raise Refused (422) for connections and names that the caller may not use, as the admin's form does."""
    wrong = []
    keys = {field: key for key, field in FIELDS.items()}
    for field in changed:
        value = _value(repository, field)
        if (
            field in CONNECTIONS
            and value
            and not usable_connections(caller.user, field).filter(pk=value).exists()
        ):
            wrong.append((keys[field], f"No connection {value!r}, or you may not use it here."))
        if field == "name" and not may_take_name(caller.user, value):
            wrong.append((keys[field], NAME_HAS_HISTORY))
    if {"url", "credential"} & set(changed) and not may_be_sent(
        caller.user, repository.credential_id, repository.url
    ):
        wrong.append(("url", OTHER_SERVER))
    if wrong:
        raise invalid(*wrong)


def _groups(caller: Caller, names: list[str], repository: Repository | None = None) -> list[Group]:
    """Return the named groups, and the current groups that the caller cannot see. Raise Refused (422)."""
    assignable = list(assignable_groups(caller.user))
    chosen = [group for group in assignable if group.name in names]
    if unknown := sorted(set(names) - {group.name for group in chosen}):
        raise invalid(("groups", f"No group {unknown[0]!r}, or you may not assign it."))
    if not chosen and not sees_all(caller.user):
        raise invalid(
            ("groups", "Name at least one of your groups. Otherwise you cannot see the repository.")
        )
    theirs = {group.pk for group in assignable}
    kept = [group for group in repository.groups.all() if group.pk not in theirs] if repository else []
    return [*chosen, *kept]


def _validate(repository: Repository) -> None:
    """Validate the repository. Raise ApiRefusal (422) with a message per field, or (409) for a name that is taken."""
    try:
        repository.full_clean()
    except ValidationError as exc:
        keys = {field: key for key, field in FIELDS.items()}
        found = [(keys.get(field, ""), error) for field, errors in exc.error_dict.items() for error in errors]
        if all(error.code == "unique" for _, error in found):
            raise _name_is_taken() from exc
        raise invalid(*[(key, messages.of_django(error)) for key, error in found]) from exc


def _name_is_taken() -> ApiRefusal:
    errors = [("name", messages.NAME_IS_TAKEN)]
    return ApiRefusal(409, messages.NAME_IS_TAKEN, code="name_taken", errors=errors)


@contextmanager
def _as_conflict() -> Iterator[None]:
    """Turn a concurrent change between validation and save into a 404 or 409 response."""
    try:
        yield
    except IntegrityError as exc:
        if isinstance(exc.__cause__, UniqueViolation) and exc.__cause__.diag.table_name == TABLE:
            raise _name_is_taken() from exc  # the only unique column besides the key
        raise ApiRefusal(
            409, "Conflict with a change made at the same time. Read the repository again and retry."
        ) from exc
    except DatabaseError as exc:
        # "Save with update_fields did not affect any rows" has no class of its own.
        if type(exc) is DatabaseError:
            raise not_found("repository") from exc
        raise


def _verbose(field: str) -> str:
    """Return the field's name as the admin's log shows it."""
    if field in IMAGES:
        return capfirst(IMAGES[field].label)
    column: Any = Repository._meta.get_field(field)
    return capfirst(str(column.verbose_name))


def _record(caller: Caller, repository: Repository, flag: int, message: Any) -> None:
    LogEntry.objects.log_actions(
        int(caller.user.pk), [repository], flag, change_message=message, single_object=True
    )
