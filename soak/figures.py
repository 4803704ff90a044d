"""The results of a soak, as one JSON object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import Min

from kiok.metadata.models import DagVersion
from soak.authors import Push

if TYPE_CHECKING:
    from soak.run import Soak


def report(soak: Soak) -> dict[str, Any]:
    """Return the whole report, with times in seconds."""
    lives = soak.vitals.lives()
    return {
        "seconds": round(soak.took, 1),
        "repositories": soak.plan.repositories,
        "seed": soak.plan.seed,
        "interval_seconds": soak.plan.interval_ms / 1000,
        "pushes": len(soak.pushes),
        "syncs": dict(soak.syncs()),
        "faults": dict(soak.faults.made),
        "clusters_ended_by_themselves": soak.service.ended,
        "compared": soak.observed,
        "settled_after_seconds": round(soak.settled_after, 1),
        "violations": soak.violations,
        "latency": latencies(soak),
        "verdicts": dict(Counter(life.verdict for life in lives)),
        "processes": [life.to_json() for life in lives],
    }


def latencies(soak: Soak) -> dict[str, dict[str, float]]:
    """Return the latency from push to commit, of pushes that made a version and were not delayed by a pause or an edit."""
    times: dict[str, list[float]] = {"with a webhook": [], "without": []}
    often = Counter(push.commit for push in soak.pushes)
    committed = {
        commit: at.timestamp()
        for commit, at in DagVersion.objects.order_by().values_list("commit_sha").annotate(Min("created_at"))
    }
    for push in soak.pushes:
        at = committed.get(push.commit)
        if at is not None and at >= push.at and often[push.commit] == 1 and not _is_disturbed(soak, push, at):
            times["with a webhook" if push.is_hooked else "without"].append(at - push.at)
    return {name: percentiles(values) for name, values in times.items()}


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return the count, the percentiles 50, 95 and 99, and the maximum."""
    if not values:
        return {"pushes": 0}
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

    return {
        "pushes": len(ordered),
        "p50": at(0.5),
        "p95": at(0.95),
        "p99": at(0.99),
        "max": round(ordered[-1], 3),
    }


def _is_disturbed(soak: Soak, push: Push, committed: float) -> bool:
    return any(
        began <= committed and ended >= push.at for began, ended in soak.disturbed.get(push.repository, ())
    )
