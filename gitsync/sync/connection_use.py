"""Step between plan and apply: warn about references to connections that the repository may not use."""

from __future__ import annotations

from gitsync.repositories.dag_warnings import of_dags
from gitsync.sync.context import SyncContext
from kiok.connections.usage import FORMS_BEGIN

NOTED_WARNINGS = 100  # in the sync log; the page of each DAG has its own


def warn_about_references(context: SyncContext) -> None:
    """Add a line to the sync log for each reference of a changed DAG that may not be resolved.

    A warning changes nothing else: grants may be given later, without a push. Needs one query, and none if no changed DAG
    contains a reference.
    """
    plan = context.plan
    changed = (*plan.created, *(item for item, _ in (*plan.updated, *plan.refreshed)))
    specs = {
        item.uid: item.spec.to_json()
        for item in changed
        if any(beginning in item.spec_json for beginning in FORMS_BEGIN)
    }
    lines = [
        item.line(uid) for uid, found in of_dags(context.repository.name, specs).items() for item in found
    ]
    for line in lines[:NOTED_WARNINGS]:
        context.note(f"warning: {line}")
    if len(lines) > NOTED_WARNINGS:
        context.note(f"… and {len(lines) - NOTED_WARNINGS} more warnings")
