"""What goes when repositories are removed, for the page that asks whether one is sure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gitsync.models import ManagedBy, Repository
from gitsync.repositories.declared import declared_where
from kiok.metadata.admin import display
from kiok.metadata.models import Dag, DagRun, DagVersion, Origin

SHOWN_DAGS = 100


def going(user: Any, repository: Repository) -> dict[str, Any]:
    """A repository's name, its DAGs, as many as fit a page, and how much of their history stays."""
    linked = user.has_perm("metadata.view_dag")
    dags = Dag.objects.filter(origin=Origin.GIT, repository=repository.name)
    number = dags.count()
    uids = list(dags.values_list("uid", flat=True)[:SHOWN_DAGS])
    return {
        "name": repository.name,
        "number": number,
        "dags": [(uid, display.page_of("metadata_dag", uid) if linked else "") for uid in uids],
        "left_out": number - len(uids),
        "versions": DagVersion.objects.filter(repository=repository.name).count(),
        "runs": DagRun.objects.filter(repository=repository.name).count(),
    }


def kept(repositories: Iterable[Repository]) -> list[str]:
    """Why some of them cannot be removed here."""
    return [
        f"{repository.name} is declared in {declared_where(repository)}; remove it there"
        for repository in repositories
        if repository.managed_by == ManagedBy.CONFIG
    ]
