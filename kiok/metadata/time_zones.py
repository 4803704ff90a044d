"""Time zones of the schedules of DAGs. Only the spec of a DAG names its time zone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models.fields.json import KeyTextTransform

from kiok.metadata.models import Dag

DEFAULT = "UTC"


def of_spec(spec: Any) -> str:
    """Return the time zone that a compiled DAG names, otherwise UTC."""
    return str(spec.get("timezone") or DEFAULT) if isinstance(spec, dict) else DEFAULT


def of_dags(dags: Iterable[Dag]) -> dict[str, str]:
    """Return the time zones of the DAGs that have a schedule and name one, by uid. Needs one query."""
    uids = [dag.uid for dag in dags if dag.schedule]
    if not uids:
        return {}
    named = Dag.objects.filter(uid__in=uids, spec__has_key="timezone")
    return dict(named.values_list("uid", KeyTextTransform("timezone", "spec")))
