"""The totals above the list of DAGs: how many there are in each state, each a link to the filtered list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from kiok.metadata.admin.display import Tone, badge
from kiok.metadata.admin.filters import NO_REPOSITORY
from kiok.metadata.models import Dag, RunState


@dataclass(frozen=True, slots=True)
class ListTotal:
    """A total of a list: a badge, and the URL query of the rows that it counts."""

    query: str
    badge: SafeString
    is_chosen: bool


def of(dags: QuerySet[Dag], chosen: Mapping[str, str]) -> list[ListTotal]:
    """Return the totals of DAGs with `last_run_state`. `chosen`: the parameters of the list's URL. Takes one query.

    If the URL names a repository, its DAGs are counted.
    """
    repository = chosen.get("repository", "")
    within = {"repository": repository} if repository else {}
    if repository:
        dags = dags.filter(repository="" if repository == NO_REPOSITORY else repository)
    numbers = dags.aggregate(
        every=Count("pk"),
        stale=Count("pk", filter=Q(stale_since__isnull=False)),
        failed=Count("pk", filter=Q(last_run_state=RunState.FAILED)),
    )
    every, stale, failed = numbers["every"], numbers["stale"], numbers["failed"]
    totals: tuple[tuple[Tone, str, dict[str, str]], ...] = (
        (Tone.IDLE, f"{every} DAG{'s' if every != 1 else ''}", {}),
        (Tone.WARN if stale else Tone.IDLE, f"{stale} stale", {"stale": "yes"}),
        (Tone.GOOD if every > stale else Tone.IDLE, f"{every - stale} current", {"stale": "no"}),
        (Tone.BAD if failed else Tone.IDLE, f"{failed} with a failed last run", {"last_run": "FAILED"}),
    )
    given = {name: value for name, value in chosen.items() if name in ("stale", "last_run") and value}
    return [
        ListTotal(f"?{urlencode(within | query)}", badge(tone, words), given == query)
        for tone, words, query in totals
    ]
