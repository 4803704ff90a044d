"""The content of the store, in the shape of the model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from django.db.models import BooleanField, CharField, Q, Value
from django.db.models.expressions import ExpressionWrapper

from kiok.metadata.models import Dag, DagVersion
from tests.support.reference.model import Served, Store, Version


def read_stores(repositories: Collection[str]) -> dict[str, Store]:
    """All that is there of each of these repositories, by name.

    One statement, so that DAGs and history are of one moment, in spite of concurrent commits.
    """
    common = ("repository", "uid", "spec", "source", "commit_sha", "version")
    nothing = Value("", output_field=CharField())
    served = Dag.objects.filter(repository__in=repositories).annotate(
        is_served=Value(True),
        is_stale=ExpressionWrapper(Q(stale_since__isnull=False), output_field=BooleanField()),
    )
    past = DagVersion.objects.filter(repository__in=repositories).annotate(
        is_served=Value(False), is_stale=Value(False), path=nothing, id_of_dag=nothing
    )
    rows = served.order_by().values_list("is_served", *common, "is_stale", "source_path", "dag_id")
    rows_past = past.order_by().values_list("is_served", *common, "is_stale", "path", "id_of_dag")
    dags: dict[str, dict[str, Served]] = defaultdict(dict)
    versions: dict[str, dict[str, list[Version]]] = defaultdict(lambda: defaultdict(list))
    for is_served, repository, uid, spec, text, commit, version, is_stale, path, dag_id in rows.union(
        rows_past, all=True
    ):
        if is_served:
            dags[repository][uid] = Served(path, dag_id, spec, text, commit, version, is_stale)
        else:
            versions[repository][uid].append(Version(version, spec, text, commit))
    return {name: Store(dags[name], _sorted(versions[name])) for name in repositories}


def read_store(repository: str) -> Store:
    """All that is there of one repository."""
    return read_stores([repository])[repository]


def _sorted(versions: dict[str, list[Version]]) -> dict[str, tuple[Version, ...]]:
    return {uid: tuple(sorted(found, key=lambda version: version.number)) for uid, found in versions.items()}
