"""Dry run for people: what a sync would do, with the old and new spec of each DAG that it would update.

The result is stored as a task's result, so it is cut to a size that fits a row and a page. `counts` are complete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

from django.utils import timezone

from gitsync.models import Repository
from gitsync.sync.plan import Plan
from gitsync.sync.report import SyncReport
from gitsync.sync.run import dry_run
from kiok.connections.redaction import redact
from kiok.metadata.models import Dag

MAX_UPDATED = 50  # updated DAGs whose specs are included
MAX_SPEC_CHARACTERS = 100_000  # of one spec as JSON; both specs of a DAG are included or left out together
MAX_CHARACTERS = 2_000_000  # of all specs together
MAX_LISTED = 1000  # entries of each list in the report
MAX_MESSAGE_CHARACTERS = 2000
REASONS = ("not_a_dag_reasons", "ignored_reasons")
LISTS = ("created", "updated", "pruned", "stale", "failed", "not_a_dag", "ignored")


def preview(repository_id: int, *, full: bool = False) -> dict[str, Any]:
    """Return `{"report", "counts", "updated", "left_out", "too_large", "config", "finished_at"}`.

    `report` is a SyncReport as JSON with lists of at most `MAX_LISTED` entries; `counts` maps each list's name to its
    full length. `updated` has `{"uid", "before": DagSpec, "after": DagSpec}` of the first updated DAGs: the spec served
    now and the one after a sync. `left_out` counts the other updated DAGs; `too_large` names the DAGs left out because
    their specs are too long. `config` is the repository's `config_hash`, `finished_at` is ISO 8601.
    Raises Repository.DoesNotExist and database errors.
    """
    repository = Repository.objects.for_sync().get(pk=repository_id)
    report, plan = dry_run(repository, full=full)
    updated, too_large = _updated(plan) if plan else ([], [])
    return {
        "report": _cut(report.to_json()),
        "counts": _counts(report),
        "updated": updated,
        "left_out": len(report.updated) - len(updated),
        "too_large": too_large,
        "config": repository.config_hash,
        "finished_at": timezone.now().isoformat(),
    }


def _updated(plan: Plan) -> tuple[list[dict[str, Any]], list[str]]:
    first = [found for found, _ in plan.updated[:MAX_UPDATED]]
    served: Mapping[str, Any] = dict(
        Dag.objects.filter(uid__in=[found.uid for found in first]).values_list("uid", "spec")
    )
    told, too_large, characters = [], [], 0
    for found in first:
        # A DAG may have been removed since the plan was made.
        before, after = served.get(found.uid, {}), found.spec.to_json()
        sizes = [len(json.dumps(spec)) for spec in (before, after)]
        if max(sizes) > MAX_SPEC_CHARACTERS:
            too_large.append(found.uid)
        elif characters + sum(sizes) <= MAX_CHARACTERS:
            characters += sum(sizes)
            told.append({"uid": found.uid, "before": before, "after": after})
    return told, too_large


def _counts(report: SyncReport) -> dict[str, int]:
    counts = {name: len(getattr(report, name)) for name in LISTS}
    return {**counts, "failed_files": len({item.path for item in report.failed})}


def _cut(report: dict[str, Any]) -> dict[str, Any]:
    cut = {name: report[name][:MAX_LISTED] for name in LISTS}
    cut["failed"] = [
        # Redact before cutting: part of a secret is not recognised.
        {**item, "message": redact(item["message"])[:MAX_MESSAGE_CHARACTERS]}
        for item in cut["failed"]
    ]
    reasons = {
        name: {
            path: redact(reason)[:MAX_MESSAGE_CHARACTERS]
            for path, reason in islice(report[name].items(), MAX_LISTED)
        }
        for name in REASONS
    }
    return {**report, **cut, **reasons}
