"""Warnings about references of DAGs to connections that their repository may not use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from kiok.connections.usage import FORMS_BEGIN, NOT_USABLE, unusable_in
from kiok.metadata.dag_warnings import DagWarning
from kiok.metadata.models import Dag


def of_dags(repository: str, specs: Mapping[str, Any]) -> dict[str, list[DagWarning]]:
    """Return the warnings about several DAGs by their keys in `specs`. Needs one query if any contains a reference."""
    return {
        key: [DagWarning(text, tuple(tasks), NOT_USABLE) for text, tasks in of_one.items()]
        for key, of_one in unusable_in(repository, specs).items()
    }


def of_dag(repository: str, spec: Any) -> Sequence[DagWarning]:
    """Return the warnings about one DAG."""
    return of_dags(repository, {"": spec}).get("", ())


def dags_with_references(repository: str | None = None) -> QuerySet[Dag, tuple[str, str, Any]]:
    """Return (repository, uid, spec) of the DAGs that contain references, of one repository or of all."""
    rows = Dag.objects.annotate(text=Cast("spec", TextField()))
    may_refer = reduce(or_, (Q(text__contains=beginning) for beginning in FORMS_BEGIN))
    named = {} if repository is None else {"repository": repository}
    return (
        rows.filter(may_refer, **named).order_by("repository", "uid").values_list("repository", "uid", "spec")
    )
