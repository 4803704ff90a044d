"""Data for the delete confirmation page of repositories."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gitsync.models import ManagedBy, Repository
from gitsync.repositories.declared import declared_where
from kiok.metadata.admin import display
from kiok.metadata.models import Dag, DagRun, DagVersion, Origin

SHOWN_DAGS = 100  # of each repository; the page says how many more there are


def going(user: Any, repository: Repository) -> dict[str, Any]:
    """Return a repository's name, the DAGs that are deleted with it, and how much history is kept."""
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
    """Return why some of the repositories cannot be deleted here."""
    return [
        f"{repository.name} is declared in {declared_where(repository)}; delete it there"
        for repository in repositories
        if repository.managed_by == ManagedBy.CONFIG
    ]
