"""The state of a repository as it is shown, and its label: the same in the admin, the API, commands and notifications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from gitsync.models import QueuedSync, Repository, RepositoryState
from gitsync.repositories.requests import is_claimed

SWITCHED_OFF = "off"
PAUSED = "paused"
SYNCING = "syncing"
QUEUED = "queued"
LABELS: Mapping[str, str] = {
    **{state.value: str(state.label) for state in RepositoryState},
    SYNCING: "Syncing",
    QUEUED: "Queued",
    PAUSED: "Paused",
    SWITCHED_OFF: "Disabled",
}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def shown_state(repository: Repository) -> str:
    """Return the key of `LABELS` for the repository: a state set by a person first, then a running or queued sync.

    Takes a query unless the row has `is_queued`, by `with_queue` or `load_queue`.
    """
    if not repository.enabled:
        return SWITCHED_OFF
    if repository.is_paused:
        return PAUSED
    if is_claimed(repository):
        return SYNCING
    row: Any = repository  # `is_queued` is no column
    load_queue([row])
    return QUEUED if row.is_queued else str(row.state)


def shown_label(repository: Repository) -> str:
    """Return the label of the repository's shown state."""
    return LABELS[shown_state(repository)]


def with_queue(repositories: QuerySet[Repository]) -> QuerySet[Any]:
    """Annotate repositories with `is_queued`: a sync is requested and waits for a worker."""
    return repositories.annotate(is_queued=ExpressionWrapper(_queued(), output_field=BooleanField()))


def load_queue(repositories: Iterable[Repository]) -> None:
    """Set `is_queued`, as `with_queue` does, on the repositories that do not have it. Takes one query at most."""
    unknown: dict[int, Any] = {row.pk: row for row in repositories if not hasattr(row, "is_queued")}
    if unknown:
        queued = set(Repository.objects.filter(_queued(), pk__in=unknown).values_list("pk", flat=True))
        for key, row in unknown.items():
            row.is_queued = key in queued


def shown_state_expression() -> Case:
    """Return a database expression for the state that `shown_state` returns."""
    return Case(
        When(enabled=False, then=Value(SWITCHED_OFF)),
        When(paused_at__isnull=False, then=Value(PAUSED)),
        When(Repository.LEASE.held(), then=Value(SYNCING)),
        When(_queued(), then=Value(QUEUED)),
        default=F("state"),
        output_field=CharField(),
    )


def _queued() -> Q:
    """Return the condition that a sync waits for a worker, or that a worker claimed one and has not polled since.

    The row of a sync stays in the queue for a moment after its end, until its result is stored.
    """
    last_poll = Coalesce(OuterRef("checked_at"), _LONG_AGO)
    waits = Q(claimed_by="") | Q(claimed_at__gt=last_poll)
    waiting = QueuedSync.objects.filter(waits, repository=OuterRef("pk"))
    return Q(pending_request__isnull=False) | Q(Exists(waiting))
