"""The time of each step of a sync: a table with a timeline bar in each row."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from gitsync.models import SyncRun, SyncState
from kiok.metadata.admin import display

STEPS = ("fetch", "verify", "discover", "compile", "plan", "apply", "finish")
LEAST_WIDTH = 0.5  # percent, so that a step of almost no time stays visible


def of_sync(run: SyncRun) -> SafeString:
    """Return the table as HTML."""
    return render_to_string("gitsync/step_bars.html", {"rows": _rows(run)})


def _rows(run: SyncRun) -> list[dict[str, Any]]:
    """Return the rows in the order of the steps, unknown steps last. Positions are percentages, as SVG reads them."""
    times = {step: max(0.0, float(seconds)) for step, seconds in run.timings.items()}
    whole = sum(times.values()) or 1.0
    rows, begin = [], 0.0
    for step in sorted(times, key=lambda step: STEPS.index(step) if step in STEPS else len(STEPS)):
        share = 100 * times[step] / whole
        width = max(share, LEAST_WIDTH)
        rows.append(
            {
                "step": step,
                "seconds": display.seconds(times[step]),
                "share": f"{share:.0f} %",
                "x": f"{min(begin, 100 - width):.2f}",
                "width": f"{width:.2f}",
                "failed": run.state == SyncState.FAILED and step == run.step,
            }
        )
        begin += share
    return rows
