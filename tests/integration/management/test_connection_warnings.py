"""`manage.py connection_warnings`: every reference that may not be resolved, over all repositories."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gitsync.management.commands.connection_warnings import BATCH
from kiok.connections.usage import NOT_USABLE
from kiok.metadata.models import Dag
from tests.support.connection_rows import grant, make_repository

pytestmark = pytest.mark.django_db


def make_dag(uid: str, script: str) -> None:
    repository, _, path = uid.partition("/")
    now = timezone.now()
    Dag.objects.create(
        uid=uid,
        dag_id=uid,
        name=uid,
        repository=repository if path else "",
        spec={"tasks": [{"id": "load", "script": script}]},
        spec_hash="0",
        version=1,
        created_at=now,
        updated_at=now,
    )


def printed(**options: Any) -> list[str]:
    out = StringIO()
    call_command("connection_warnings", stdout=out, **options)
    return out.getvalue().splitlines()


def test_references_without_a_grant_are_listed_by_repository() -> None:
    grant("vault", make_repository("b"))
    grant("shared", everyone=True)
    make_repository("a")
    make_dag("b/x.yaml", "${conn.vault.key} ${conn.no.key}")
    make_dag("a/x.yaml", "${conn.vault.key} ${secret.shared}\n${secret.\x1b}")
    make_dag("a/plain.yaml", "echo ${HOME}")
    make_dag("manual", "${secret.vault}")
    lines = [
        f"manual: ${{secret.vault}} in task load: {NOT_USABLE}",
        f"a/x.yaml: ${{conn.vault.key}} in task load: {NOT_USABLE}",
        f"b/x.yaml: ${{conn.no.key}} in task load: {NOT_USABLE}",
    ]
    assert printed() == [*lines, "DAGs with warnings: 3; warnings: 3"]
    assert printed(repository="b") == [lines[2], "DAGs with warnings: 1; warnings: 1"]
    with pytest.raises(CommandError, match="there is no repository 'none'"):
        printed(repository="none")


def test_one_query_decides_about_a_batch_of_dags() -> None:
    make_repository("a")
    for number in range(BATCH + 1):
        make_dag(f"a/{number:04}.yaml", "${secret.vault}")
    with CaptureQueriesContext(connection) as queries:
        assert printed()[-1] == f"DAGs with warnings: {BATCH + 1}; warnings: {BATCH + 1}"
    assert len(queries) == 3
