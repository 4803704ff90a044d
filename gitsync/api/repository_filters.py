"""The filters and orders of the list of repositories, which are those of the admin's list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import QuerySet
from pydantic import Field, StringConstraints

from gitsync.access import assignable_groups
from gitsync.api.pages import Column, Order, contains, or_earliest
from gitsync.api.schemas import Flag, Search, Text

SEARCHED = ("name", "url", "ref", "subpath", "message", "pause_reason")
BY_NAME = Order(
    (Column("name", str),),
    Column("name", str),
    {
        "name": Column("name", str),
        "state": Column("state", str),
        "reason": Column("reason", str),
        "dags": Column("n_dags", int),
        "staleDags": Column("n_stale", int),
        "failedFiles": Column("n_failed", int),
        "consecutiveFailures": Column("consecutive_failures", int),
        "lastGoodAt": Column("good_time", datetime),
        "checkedAt": Column("check_time", datetime),
        "nextDueAt": Column("next_due_at", datetime),
        "createdAt": Column("created_at", datetime),
    },
)

RepositoryStateName = Literal["never", "in_sync", "degraded", "failing"]
ManagedByName = Literal["admin", "config"]
StateFilter = Annotated[RepositoryStateName, Field(description="Only repositories in this state.")]
PausedFilter = Annotated[
    Flag, Field(description="true: only paused repositories; false: only those that are not paused.")
]
EnabledFilter = Annotated[
    Flag, Field(description="true: only enabled repositories; false: only disabled ones.")
]
GroupFilter = Annotated[
    Text,
    StringConstraints(max_length=150),
    Field(
        description="Only repositories of the group with this name, as far as the caller may assign it; empty: only "
        "repositories without a group."
    ),
]
ManagedByFilter = Annotated[
    ManagedByName,
    Field(description="admin: only repositories that are configured here; config: only declared ones."),
]
ReasonFilter = Annotated[
    Text, StringConstraints(max_length=40), Field(description="Only repositories with this reason.")
]
RepositorySearch = Annotated[
    Search, Field(description="Text to find in the name, URL, ref, subpath, message or reason of the pause.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFilters:
    """The filters that were sent; None for the others."""

    state: str | None
    paused: bool | None
    enabled: bool | None
    group: str | None
    managed_by: str | None
    reason: str | None
    search: str | None

    def applied_to(self, rows: QuerySet[Any], user: Any) -> QuerySet[Any]:
        """Return the rows of `counted_repositories` that match, with the columns of `BY_NAME`."""
        given = {
            "state": self.state,
            "paused_at__isnull": None if self.paused is None else not self.paused,
            "enabled": self.enabled,
            "managed_by": self.managed_by,
            "reason": self.reason,
        }
        rows = rows.filter(**{key: value for key, value in given.items() if value is not None})
        if self.group == "":
            rows = rows.filter(groups__isnull=True)
        elif self.group is not None:
            chosen = assignable_groups(user).filter(name=self.group).order_by()
            rows = rows.filter(pk__in=chosen.values("repositories"))
        if self.search:
            rows = rows.filter(contains(self.search, *SEARCHED))
        ordered: QuerySet[Any] = rows.annotate(
            good_time=or_earliest("last_good_at"), check_time=or_earliest("checked_at")
        )
        return ordered
