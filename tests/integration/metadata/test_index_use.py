"""Queries of lists that must read only their first rows: PostgreSQL has an index in exactly their order."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet

from gitsync.models import FileState, Repository, SourceFile
from gitsync.repositories.failing_files import FailingFileFilter, failing_files
from kiok.metadata.last_run import with_last_run
from kiok.metadata.models import Dag
from tests.support.dag_pages import make_dag, make_run

pytestmark = pytest.mark.django_db


def plan(rows: QuerySet[Any, Any]) -> str:
    """Return the query's plan. Tables are too small here for an index to pay, so scans are made to look expensive."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        for name in ("enable_seqscan", "enable_bitmapscan"):
            cursor.execute(f"SET LOCAL {name} = off")
    return rows.explain()


def test_the_last_run_of_a_dag_is_read_without_a_sort() -> None:
    for number in range(20):
        make_dag(f"team/{number}.yaml")
        for _ in range(5):
            make_run(1, "FAILED", 1, f"team/{number}.yaml")
    shown = plan(with_last_run(Dag.objects.order_by("uid").only("uid")))
    assert shown.count("newest_run_of_dag") == 3, shown
    assert "Sort" not in shown


def test_the_newest_failing_files_are_read_without_a_sort() -> None:
    repository = Repository.objects.create(name="team", url="https://git.example/team.git")
    SourceFile.objects.bulk_create(
        SourceFile(repository=repository, path=f"{number}.yaml", state=state)
        for number, state in enumerate([FileState.FAILED, FileState.COMPILED] * 100)
    )
    user = User.objects.create_superuser("root")
    shown = plan(failing_files(user, FailingFileFilter("", ""))[:25])
    assert "newest_failing_file" in shown, shown
    assert "Sort" not in shown
