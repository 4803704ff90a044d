"""`/repositories`: list, add, read, change, delete, pause and resume repositories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from django.urls import reverse
from ninja import Router, Status
from pydantic import Field, StringConstraints

from gitsync import actions
from gitsync.access import assignable_groups
from gitsync.api import pages, repository_edit
from gitsync.api.auth import ApiRequest, BearerToken, Caller
from gitsync.api.pages import SORT, Cursor, Limit, Total
from gitsync.api.patterns import NOT_BLANK
from gitsync.api.problems import ApiRefusal, not_found
from gitsync.api.repository_edit import RepositoryChange, RepositoryConfiguration
from gitsync.api.repository_filters import (
    BY_NAME,
    EnabledFilter,
    GroupFilter,
    ManagedByFilter,
    ManagedByName,
    PausedFilter,
    ReasonFilter,
    RepositoryFilters,
    RepositorySearch,
    RepositoryStateName,
    StateFilter,
)
from gitsync.api.schemas import ABSENT, RepositoryName, Sent, Taken, Time, absent
from gitsync.models import ManagedBy, Repository, TokenScope, Trigger
from gitsync.models.own_images import image_fields
from gitsync.models.visibility import sees_all
from gitsync.repositories.declared import declared_where
from gitsync.repositories.queries import counted_repositories
from gitsync.repositories.requests import is_claimed
from gitsync.repositories.states import LABELS, shown_label
from gitsync.sync.empty_hold import hold_of

router = Router(tags=["repositories"], by_alias=True)

VIEW = "gitsync.view_repository"
CHANGE = "gitsync.change_repository"


class Paused(Sent):
    """The pause of a repository: since when, by which user, and why."""

    at: datetime
    by: str
    reason: str


class Held(Sent):
    """A commit that would prune every DAG of the repository and is held until a user accepts it."""

    commit: str
    dags: int = Field(description="The number of DAGs that the commit would prune.")
    accepted_by: str = Field(
        description="The user who accepted it; its sync is running or queued. Empty: not accepted."
    )


class RepositoryOut(Sent):
    """A repository: its configuration, then its state. URLs contain no passwords."""

    name: str
    url: str
    ref: str
    subpath: str
    credential_connection_id: str | None
    include: str
    verify: Literal["off", "commit", "tag"]
    verify_connection_id: str | None
    image_python: str
    image_java: str
    webhook_secret_connection_id: str | None
    allow_empty: bool
    owner: str = Field(description="The owner of the DAGs that name none; empty: none.")
    enabled: bool
    interval_ms: int | None = Field(description="null: kiok.gitsync.interval.ms.")
    groups: list[str] = Field(
        description="Groups whose members see it, as far as the caller may assign them."
    )
    managed_by: ManagedByName
    declared_in: str | None = Field(
        description="Where it is declared and must be changed; null: change it here."
    )
    paused: Paused | None
    held: Held | None
    state: RepositoryStateName
    state_label: str = Field(description=f"As pages and commands show it: {', '.join(LABELS.values())}.")
    syncing: bool
    reason: str = Field(description="Stable name of the problem; see docs/reference/reasons.md.")
    message: str
    last_commit: str
    last_good_commit: str
    last_good_at: Time
    checked_at: Time
    next_due_at: datetime
    consecutive_failures: int
    dags: int
    stale_dags: int
    failed_files: int
    created_at: datetime


class RepositoryPage(Sent):
    """A page of repositories, and the address of the next page; null on the last."""

    items: list[RepositoryOut]
    next: str | None
    total: Total


class Reason(Taken):
    """The reason for a pause, which is shown to other users."""

    reason: Annotated[
        str,
        StringConstraints(pattern=NOT_BLANK, min_length=1, max_length=actions.MAX_REASON),
    ] = Field(description="Why the repository is paused.", examples=["The git server is being migrated."])


class Removed(Sent):
    """The result of a deletion. Versions and run history are kept."""

    name: str
    dags: int = Field(description="The number of DAGs that were deleted with the repository.")


def found(caller: Caller, name: str) -> Any:
    """Return the repository with its counts. Raise Refused (404) if it does not exist or the caller may not see it."""
    rows = counted_repositories(Repository.objects.visible_to(caller.user)).prefetch_related("groups")
    repository = rows.filter(name=name).first()
    if repository is None:
        raise not_found("repository")
    return repository


def address(repository: Repository) -> str:
    """Return the address of the repository in the API."""
    return reverse("api-1:repository", args=[repository.name])


@router.get("", response=RepositoryPage, auth=BearerToken(TokenScope.READ, VIEW), summary="List repositories")
def repositories(
    request: ApiRequest,
    limit: Limit = pages.DEFAULT_LIMIT,
    cursor: Cursor = ABSENT,
    state: StateFilter = ABSENT,
    paused: PausedFilter = ABSENT,
    enabled: EnabledFilter = ABSENT,
    group: GroupFilter = ABSENT,
    managed_by: ManagedByFilter = absent("managedBy"),
    reason: ReasonFilter = ABSENT,
    search: RepositorySearch = ABSENT,
    sort: Annotated[str, BY_NAME, SORT] = ABSENT,
) -> RepositoryPage:
    """List the repositories that the token's user may see, ordered by name or by `sort`."""
    filters = RepositoryFilters(
        state=state,
        paused=paused,
        enabled=enabled,
        group=group,
        managed_by=managed_by,
        reason=reason,
        search=search,
    )
    rows = counted_repositories(Repository.objects.visible_to(request.auth.user)).prefetch_related("groups")
    page = pages.cut(filters.applied_to(rows, request.auth.user), BY_NAME, request, limit, cursor, sort)
    shown_groups = _shown_groups(request.auth)
    items = [_out(row, shown_groups) for row in page.rows]
    return RepositoryPage(items=items, next=page.next, total=page.total)


@router.post(
    "",
    response={201: RepositoryOut},
    auth=BearerToken(TokenScope.WRITE, "gitsync.add_repository"),
    summary="Add a repository",
)
def add_repository(
    request: ApiRequest, response: HttpResponse, body: RepositoryConfiguration
) -> Status[RepositoryOut]:
    """Add a repository and check it immediately. Validation errors are returned per field."""
    repository = repository_edit.add(request.auth, body)
    response["Location"] = address(repository)
    return Status(201, _one(request.auth, repository.name))


@router.get(
    "/{name}",
    response=RepositoryOut,
    auth=BearerToken(TokenScope.READ, VIEW),
    url_name="repository",
    summary="Read a repository",
)
def repository(request: ApiRequest, name: RepositoryName) -> RepositoryOut:
    """Return one repository's configuration and state."""
    return _one(request.auth, name)


@router.patch(
    "/{name}",
    response=RepositoryOut,
    auth=BearerToken(TokenScope.WRITE, CHANGE),
    summary="Change a repository",
)
def change_repository(request: ApiRequest, name: RepositoryName, body: RepositoryChange) -> RepositoryOut:
    """Change the fields that are sent and keep the others. The repository is checked immediately."""
    changed = repository_edit.change(request.auth, _changeable(request.auth, name), body)
    return _one(request.auth, changed.name)


@router.put(
    "/{name}",
    response=RepositoryOut,
    auth=BearerToken(TokenScope.WRITE, CHANGE),
    summary="Replace a repository",
)
def replace_repository(
    request: ApiRequest, name: RepositoryName, body: RepositoryConfiguration
) -> RepositoryOut:
    """Replace the whole configuration: fields that are not sent get their defaults. Does not add a repository."""
    changed = repository_edit.change(request.auth, _changeable(request.auth, name), body, entirely=True)
    return _one(request.auth, changed.name)


@router.delete(
    "/{name}",
    response=Removed,
    auth=BearerToken(TokenScope.WRITE, "gitsync.delete_repository"),
    summary="Delete a repository",
)
def remove_repository(request: ApiRequest, name: RepositoryName) -> Removed:
    """Delete the repository and the DAGs it registered. Versions and run history are kept."""
    repository = _changeable(request.auth, name)
    return Removed(name=repository.name, dags=repository_edit.remove(request.auth, repository))


@router.post(
    "/{name}/pause",
    response=RepositoryOut,
    auth=BearerToken(TokenScope.SYNC, CHANGE),
    summary="Pause a repository",
)
def pause_repository(request: ApiRequest, name: RepositoryName, body: Reason) -> RepositoryOut:
    """Stop checking and syncing the repository until it is resumed. Its DAGs are still served.

    Declared repositories can be paused too.
    """
    with possible():
        actions.pause(request.auth.user, found(request.auth, name), body.reason)
    return _one(request.auth, name)


@router.post(
    "/{name}/resume",
    response=RepositoryOut,
    auth=BearerToken(TokenScope.SYNC, CHANGE),
    summary="Resume a repository",
)
def resume_repository(request: ApiRequest, name: RepositoryName) -> RepositoryOut:
    """Resume the repository and check it immediately. Does nothing if the repository is not paused."""
    actions.resume(request.auth.user, found(request.auth, name), trigger=Trigger.API)
    return _one(request.auth, name)


@contextmanager
def possible() -> Iterator[None]:
    """Turn a request that the repository's state does not allow into a 409 response."""
    try:
        yield
    except actions.ActionRefused as exc:
        raise ApiRefusal(409, str(exc), code=str(exc.code)) from exc


def _changeable(caller: Caller, name: str) -> Any:
    """Return the repository. Raise Refused (404), or (409) for a declared repository."""
    repository = found(caller, name)
    if repository.managed_by == ManagedBy.CONFIG:
        where = declared_where(repository)
        raise ApiRefusal(409, f"{name} is declared in {where}. Change or delete it there.", code="declared")
    return repository


def _one(caller: Caller, name: str) -> RepositoryOut:
    return _out(found(caller, name), _shown_groups(caller))


def _shown_groups(caller: Caller) -> set[str] | None:
    """Return the names of the groups that the caller may know about, or None for all groups."""
    if sees_all(caller.user):
        return None
    return set(assignable_groups(caller.user).values_list("name", flat=True))


def _held(row: Any) -> Held | None:
    hold = hold_of(row)
    if hold is None:
        return None
    return Held(commit=hold.commit, dags=hold.dags, accepted_by=hold.accepted_by)


def _out(row: Any, shown_groups: set[str] | None) -> RepositoryOut:
    groups = sorted(group.name for group in row.groups.all())
    return RepositoryOut(
        name=row.name,
        url=row.shown_url,
        ref=row.ref,
        subpath=row.subpath,
        credential_connection_id=row.credential_id,
        include=row.include,
        verify=row.verify,
        verify_connection_id=row.verify_keys_id,
        **{image.name: row.images.get(image.format, "") for image in image_fields()},
        webhook_secret_connection_id=row.webhook_secret_id,
        allow_empty=row.allow_empty,
        owner=row.owner,
        enabled=row.enabled,
        interval_ms=row.interval_ms,
        groups=[name for name in groups if shown_groups is None or name in shown_groups],
        managed_by=row.managed_by,
        declared_in=declared_where(row) if row.managed_by == ManagedBy.CONFIG else None,
        paused=Paused(at=row.paused_at, by=row.paused_by, reason=row.pause_reason) if row.is_paused else None,
        held=_held(row),
        state=row.state,
        state_label=shown_label(row),
        syncing=is_claimed(row),
        reason=row.reason,
        message=row.message,
        last_commit=row.last_commit,
        last_good_commit=row.last_good_commit,
        last_good_at=row.last_good_at,
        checked_at=row.checked_at,
        next_due_at=row.next_due_at,
        consecutive_failures=row.consecutive_failures,
        dags=row.n_dags,
        stale_dags=row.n_stale,
        failed_files=row.n_failed,
        created_at=row.created_at,
    )
