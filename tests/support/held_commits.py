"""Commits that would prune every DAG of the repository `team`."""

from __future__ import annotations

from gitsync.models import Repository
from kiok.metadata.models import Dag
from tests.integration.conftest import yaml_dag
from tests.support.servers.repositories import WorkRepo

TWO = {"dags/a.yaml": yaml_dag("a"), "dags/b.yaml": yaml_dag("b")}
UIDS = ("team/dags/a.yaml", "team/dags/b.yaml")


def served() -> list[str]:
    return list(Dag.objects.filter(stale_since=None).order_by("uid").values_list("uid", flat=True))


def row() -> Repository:
    return Repository.objects.get(name="team")


def empty(work_repo: WorkRepo, note: str = "") -> str:
    """Push a commit without DAGs."""
    for path in TWO:
        (work_repo.work / path).unlink(missing_ok=True)
    return work_repo.publish({"dags/README": note})
