"""The run history of a DAG for `kiok/runs.html`, by uid, so it survives the DAG's removal and return."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from kiok.metadata.admin import display
from kiok.metadata.admin.task_runs import duration, run_state
from kiok.metadata.models import DagRun, RunState
from kiok.text import in_sentence

SHOWN_RUNS = 20
DRAWN_RUNS = 30
BAR_WIDTH, BAR_GAP, BAR_HEIGHT, BAR_LOWEST = 10, 4, 48, 6


def of(uid: str, user: Any) -> dict[str, Any]:
    """Return the newest runs that the user may see. Takes one query; none if the user may not see runs."""
    if not user.has_perm("metadata.view_dagrun"):
        return {"may_see_runs": False}
    runs = list(DagRun.objects.filter(uid=uid).visible_to(user)[: DRAWN_RUNS + 1])
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
        "duration": duration(run.state, run.started_at, run.finished_at),
    }


def _picture(runs: Sequence[DagRun]) -> dict[str, Any] | None:
    """Return a bar for each run, oldest first, higher for longer runs; and a text alternative."""
    if not runs:
        return None
    took = [_seconds(run) for run in runs]
    longest = max(took) or 1
    bars = []
    for place, (run, seconds) in enumerate(zip(runs, took, strict=True)):
        # The square root keeps a run of ten seconds visible next to a run of an hour.
        height = BAR_LOWEST + round((BAR_HEIGHT - BAR_LOWEST) * math.sqrt(seconds / longest))
        words = f"run {run.pk}, version {run.version}: {in_sentence(RunState(run.state).label)}"
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
    words = ", ".join(f"{counts[state]} {in_sentence(state.label)}" for state in RunState if counts[state])
    return f"The last {len(runs)} runs: {words}." if len(runs) > 1 else f"One run: {words}."
