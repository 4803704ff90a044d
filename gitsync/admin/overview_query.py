"""Which repositories the overview is asked for, and how all of them stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.http import urlencode

from gitsync.access import visible, visible_repositories
from gitsync.admin import states
from gitsync.admin.progress import with_newest_sync
from gitsync.models import FileState, Repository, SourceFile
from gitsync.repositories.queries import counted_repositories
from kiok.metadata import access
from kiok.metadata.models import Dag, Origin

MAX_SEARCH = 200


@dataclass(frozen=True, slots=True)
class OverviewFilter:
    """A text in name or url, and a state as `states.REPOSITORY` has it; "" for any."""

    text: str = ""
    state: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> OverviewFilter:
        """What is none of the states counts as any."""
        text = request.GET.get("q", "").strip()[:MAX_SEARCH]
        state = request.GET.get("state", "")
        return cls(text, state if state in states.REPOSITORY else "")

    def query(self, **others: Any) -> str:
        """As the query of an address, with others that are not empty."""
        given = {"q": self.text, "state": self.state, **others}
        return urlencode({name: value for name, value in given.items() if value})


@dataclass(frozen=True, slots=True)
class Standing:
    """How all that a user may see stands. `by_state`: repositories, the worst state first."""

    by_state: dict[str, int]
    dags: int
    stale: int
    failed_files: int

    @property
    def repositories(self) -> int:
        return sum(self.by_state.values())

    @property
    def is_busy(self) -> bool:
        """Whether a sync is under way."""
        return states.SYNCING in self.by_state


def wanted_repositories(user: Any, wanted: OverviewFilter) -> QuerySet[Any]:
    """By name, with counts and the key of the newest sync."""
    rows = visible_repositories(user).order_by("name")
    if wanted.text:
        rows = rows.filter(Q(name__icontains=wanted.text) | Q(url__icontains=wanted.text))
    if wanted.state:
        rows = rows.alias(shown=_shown_state()).filter(shown=wanted.state)
    return with_newest_sync(counted_repositories(rows))


def standing(user: Any) -> Standing:
    """Three queries."""
    dags = access.visible(Dag.objects.filter(origin=Origin.GIT), user).aggregate(
        number=Count("pk"), stale=Count("pk", filter=Q(stale_since__isnull=False))
    )
    failed = visible(SourceFile.objects.filter(state=FileState.FAILED), user).count()
    return Standing(by_state(user), dags["number"], dags["stale"], failed)


def by_state(user: Any) -> dict[str, int]:
    """How many repositories that the user may see are in each state, the worst first. One query."""
    counted = visible_repositories(user).order_by().values(shown=_shown_state()).annotate(number=Count("pk"))
    numbers = {row["shown"]: row["number"] for row in counted}
    return {state: numbers[state] for state in states.REPOSITORY if state in numbers}


def words(numbers: Mapping[str, int]) -> str:
    """`12 repositories: 1 failing, 11 in sync.`, of `by_state`."""
    if not numbers:
        return "No repository yet."
    counted = ", ".join(f"{number} {states.REPOSITORY[state][1]}" for state, number in numbers.items())
    whole = sum(numbers.values())
    return f"{whole} repositor{'ies' if whole != 1 else 'y'}: {counted}."


def _shown_state() -> Case:
    """As `states.repository_state` has it of one."""
    is_claimed = Repository.LEASE.held()
    return Case(
        When(enabled=False, then=Value(states.SWITCHED_OFF)),
        When(paused_at__isnull=False, then=Value(states.PAUSED)),
        When(is_claimed, then=Value(states.SYNCING)),
        default=F("state"),
        output_field=CharField(),
    )
