"""The page of metrics, and rows for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from gitsync.models import FileState, Repository, RepositoryState, SourceFile, SyncRun, SyncState, Trigger
from kiok.metadata.models import Dag, Origin

LOCAL = {"host": "localhost:8000"}


class Page:
    """The response to a scrape, as Prometheus reads it."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """The value of one series; None if there is none."""
        return self._values.get((f"kiok_{name}", frozenset(labels.items())))

    def labels(self, name: str) -> list[dict[str, str]]:
        """The labels of all series of a name."""
        return [dict(labels) for found, labels in self._values if found == f"kiok_{name}"]


def labels_of(family: Any) -> set[str]:
    """The names of the labels of all samples of a metric."""
    return {label for sample in family.samples for label in sample.labels}


def scrape() -> Page:
    answer = Client().get("/metrics", headers=LOCAL)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Page(answer.content.decode())


def make_store(number: int, first: int = 0) -> None:
    """Create repositories in sync, each with 2 DAGs, 2 files of which one failed, and an ended sync."""
    now = timezone.now()
    repositories = Repository.objects.bulk_create(
        Repository(name=f"team-{n}", state=RepositoryState.IN_SYNC, last_good_at=now, checked_at=now)
        for n in range(first, first + number)
    )
    make_dags(repositories, 2)
    SourceFile.objects.bulk_create(
        SourceFile(
            repository=repository, path=f"{n}.yaml", state=FileState.COMPILED if n else FileState.FAILED
        )
        for repository in repositories
        for n in range(2)
    )
    make_syncs(repositories, 1)


def make_dags(repositories: list[Repository], number: int) -> None:
    now = timezone.now()
    Dag.objects.bulk_create(
        Dag(
            uid=f"{repository.name}/{n}.yaml",
            dag_id=f"d{n}",
            name="a DAG",
            origin=Origin.GIT,
            repository=repository.name,
            source_path=f"{n}.yaml",
            spec={},
            spec_hash="",
            version=1,
            created_at=now,
            updated_at=now,
        )
        for repository in repositories
        for n in range(number)
    )


def make_syncs(
    repositories: list[Repository], number: int, *, ended: Any = None, timings: dict[str, float] | None = None
) -> None:
    ended = ended or timezone.now()
    steps = timings or {"fetch": 0.1, "discover": 0.01, "compile": 0.3, "plan": 0.01, "apply": 0.02}
    SyncRun.objects.bulk_create(
        SyncRun(
            repository=repository,
            lease_number=1,
            trigger=Trigger.SCHEDULE,
            state=SyncState.SUCCEEDED,
            timings=steps,
            started_at=ended - timedelta(seconds=1),
            finished_at=ended,
        )
        for repository in repositories
        for _ in range(number)
    )
