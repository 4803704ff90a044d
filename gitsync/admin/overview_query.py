"""The queries of the overview: the repositories that match its filters, and the totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Count, Func, IntegerField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.utils.http import urlencode

from gitsync.admin import states
from gitsync.admin.progress import with_newest_sync
from gitsync.models import FileState, Repository, SourceFile
from gitsync.repositories.queries import counted_repositories
from gitsync.repositories.states import shown_state_expression
from kiok.metadata.models import Dag, Origin
from kiok.text import in_sentence

MAX_SEARCH = 200


@dataclass(frozen=True, slots=True)
class OverviewFilter:
    """The overview's filters: a text in name or URL, and a state of `states.REPOSITORY`; "" matches all."""

    text: str = ""
    state: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> OverviewFilter:
        """Return the filters of a request. An unknown state matches all."""
        text = request.GET.get("q", "").strip()[:MAX_SEARCH]
        state = request.GET.get("state", "")
        return cls(text, state if state in states.REPOSITORY else "")

    def query(self, **others: Any) -> str:
        """Return the filters and other parameters as a URL query string, without empty ones."""
        given = {"q": self.text, "state": self.state, **others}
        return urlencode({name: value for name, value in given.items() if value})


@dataclass(frozen=True, slots=True)
class Standing:
    """The totals of everything that a user may see. `by_state`: number of repositories, worst state first."""

    by_state: dict[str, int]
    dags: int
    stale: int
    failed_files: int

    @property
    def repositories(self) -> int:
        return sum(self.by_state.values())

    @property
    def is_busy(self) -> bool:
        """Return whether a sync is running or queued."""
        return not {states.SYNCING, states.QUEUED}.isdisjoint(self.by_state)


def wanted_repositories(user: Any, wanted: OverviewFilter) -> QuerySet[Any]:
    """Return the matching repositories with counts and the key of the newest sync: the worst state first, then by name."""
    rows: QuerySet[Any] = Repository.objects.visible_to(user).alias(shown=shown_state_expression())
    rows = rows.order_by(_rank(), "name")
    if wanted.text:
        rows = rows.filter(Q(name__icontains=wanted.text) | Q(url__icontains=wanted.text))
    if wanted.state:
        rows = rows.filter(shown=wanted.state)
    return with_newest_sync(counted_repositories(rows))


def standing(user: Any) -> Standing:
    """Return the totals of everything that the user may see. Takes three queries."""
    dags = (
        Dag.objects.filter(origin=Origin.GIT)
        .visible_to(user)
        .aggregate(number=Count("pk"), stale=Count("pk", filter=Q(stale_since__isnull=False)))
    )
    failed = SourceFile.objects.filter(state=FileState.FAILED).visible_to(user).count()
    return Standing(by_state(user), dags["number"], dags["stale"], failed)


def by_state(user: Any) -> dict[str, int]:
    """Return the number of repositories in each state, worst first, for this user. Takes one query."""
    counted = (
        Repository.objects.visible_to(user)
        .order_by()
        .values(shown=shown_state_expression())
        .annotate(number=Count("pk"))
    )
    numbers = {row["shown"]: row["number"] for row in counted}
    return {state: numbers[state] for state in states.REPOSITORY if state in numbers}


def words(numbers: Mapping[str, int]) -> str:
    """Return `12 repositories: 1 failing, 11 in sync.` for the result of `by_state`."""
    if not numbers:
        return "No repositories yet."
    counted = ", ".join(
        f"{number} {in_sentence(states.REPOSITORY[state][1])}" for state, number in numbers.items()
    )
    whole = sum(numbers.values())
    return f"{whole} repositor{'ies' if whole != 1 else 'y'}: {counted}."


def _rank() -> Func:
    """Return a database expression for the place of the alias `shown` in `states.REPOSITORY`.

    PostgreSQL then evaluates `shown` once per row, rather than once per state.
    """
    order = Cast(Value(list(states.REPOSITORY)), ArrayField(TextField()))
    shown = Cast("shown", TextField())
    return Func(order, shown, function="array_position", output_field=IntegerField())
