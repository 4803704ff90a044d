"""How a DAG ran: what `kiok/runs.html` shows. By uid, so it goes on over the DAG's removal and return."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from kiok.metadata import access
from kiok.metadata.admin import display
from kiok.metadata.admin.run import run_state
from kiok.metadata.models import DagRun, RunState

SHOWN_RUNS = 20
DRAWN_RUNS = 30
BAR_WIDTH, BAR_GAP, BAR_HEIGHT, BAR_LOWEST = 10, 4, 48, 6


def of(uid: str, user: Any) -> dict[str, Any]:
    """The newest runs that the user may see, one query; none for who may see no runs."""
    if not user.has_perm("metadata.view_dagrun"):
        return {"may_see_runs": False}
    runs = list(access.visible(DagRun.objects.filter(uid=uid), user)[: DRAWN_RUNS + 1])
    older = dict(pairwise(runs))
    return {
        "may_see_runs": True,
        "runs": [_row(run, older.get(run)) for run in runs[:SHOWN_RUNS]],
        "picture": _picture(list(reversed(runs[:DRAWN_RUNS]))),
        "runs_url": f"{reverse('admin:metadata_dagrun_changelist')}?{urlencode({'uid__exact': uid})}",
    }


def _row(run: DagRun, older: DagRun | None) -> dict[str, Any]:
    return {
        "number": run.pk,
        "url": display.page_of("metadata_dagrun", run.pk),
        "state": run_state(run.state),
        "version": run.version,
        "was_version": older.version if older and older.version != run.version else None,
        "trigger": run.trigger,
        "created": display.age(run.created_at),
        "duration": display.duration(run.started_at, run.finished_at),
    }


def _picture(runs: Sequence[DagRun]) -> dict[str, Any] | None:
    """A bar for each run, the oldest first, the higher the longer it took; and the same in words."""
    if not runs:
        return None
    took = [_seconds(run) for run in runs]
    longest = max(took) or 1
    bars = []
    for place, (run, seconds) in enumerate(zip(runs, took, strict=True)):
        # Of the square root: beside a run of an hour, one of ten seconds is still more than one of none.
        height = BAR_LOWEST + round((BAR_HEIGHT - BAR_LOWEST) * math.sqrt(seconds / longest))
        words = f"run {run.pk}, version {run.version}: {RunState(run.state).label}"
        bars.append(
            {
                "tone": RunState(run.state).lower(),
                "x": place * (BAR_WIDTH + BAR_GAP),
                "y": BAR_HEIGHT - height,
                "height": height,
                "words": f"{words}, {display.seconds(seconds)}" if run.finished_at else words,
            }
        )
    return {
        "width": len(runs) * (BAR_WIDTH + BAR_GAP),
        "height": BAR_HEIGHT,
        "bar_width": BAR_WIDTH,
        "bars": bars,
        "words": _counted(runs),
    }


def _seconds(run: DagRun) -> float:
    if run.started_at is None or run.finished_at is None:
        return 0
    return max((run.finished_at - run.started_at).total_seconds(), 0)


def _counted(runs: Sequence[DagRun]) -> str:
    counts = Counter(RunState(run.state) for run in runs)
    words = ", ".join(f"{counts[state]} {state.label}" for state in RunState if counts[state])
    return f"The last {len(runs)} runs: {words}." if len(runs) > 1 else f"One run: {words}."
