"""The last run of each DAG of a list, read together with the DAG."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from kiok.metadata.models import Dag, DagRun


def with_last_run(dags: QuerySet[Dag]) -> QuerySet[Any]:
    """Annotate DAGs with `last_run_id`, `last_run_state` and `last_run_at` (its creation), null if a DAG never ran."""
    runs = DagRun.objects.filter(uid=OuterRef("uid")).order_by("-created_at", "-id")
    columns = {"last_run_id": "pk", "last_run_state": "state", "last_run_at": "created_at"}
    return dags.annotate(**{name: Subquery(runs.values(column)[:1]) for name, column in columns.items()})
