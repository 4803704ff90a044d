"""Warnings about connections that a repository's DAGs may not use: in the sync log, on the DAG's page, and in the API."""

from __future__ import annotations

import html

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gitsync.models import Repository, RepositoryState, SyncRun
from gitsync.sync.connection_use import NOTED_WARNINGS
from gitsync.sync.run import sync_repository
from kiok.connections.models import Connection
from kiok.connections.usage import NOT_USABLE
from kiok.metadata.models import Dag
from tests.integration.conftest import Sync, yaml_dag
from tests.support.api_client import Api, make_token
from tests.support.connection_rows import grant
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

UID = "team/a.yaml"
PAGE = "/admin/metadata/dag/team_2Fa.yaml/change/"
THEIRS = "echo ${conn.vault.password} ${conn.missing.password}"


def warnings() -> list[str]:
    """Return the warnings in the log of the last sync."""
    log = SyncRun.objects.latest("pk").log
    return [line.partition("warning: ")[2] for line in log.splitlines() if "warning: " in line]


def line(uid: str, reference: str, tasks: str = "task a") -> str:
    return f"{uid}: {reference} in {tasks}: {NOT_USABLE}"


@pytest.fixture
def vault() -> Connection:
    """A connection of another team."""
    return grant("vault", Group.objects.create(name="blue"))


def test_a_reference_to_another_teams_connection_is_a_warning(
    work_repo: WorkRepo, sync: Sync, vault: Connection, admin_client: Client
) -> None:
    Repository.objects.get().groups.add(Group.objects.create(name="red"))
    work_repo.publish({"a.yaml": yaml_dag("a", THEIRS), "b.yaml": yaml_dag("b")})

    report = sync()

    assert (report.state, report.ok) == (RepositoryState.IN_SYNC, True)
    assert warnings() == [line(UID, "${conn.vault.password}"), line(UID, "${conn.missing.password}")]
    dag = Dag.objects.get(uid=UID)
    assert (dag.stale_since, Repository.objects.get().reason) == (None, "")
    shown = html.unescape(admin_client.get(PAGE).content.decode())
    for reference in ("${conn.vault.password}", "${conn.missing.password}"):
        assert f"<code>{reference}</code> in task a: {NOT_USABLE}" in shown


def test_a_grant_ends_the_warning_without_a_push(
    work_repo: WorkRepo, sync: Sync, vault: Connection, admin_client: Client
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a", "echo ${secret.vault}")})
    sync()
    api = Api(make_token(User.objects.create_superuser("ada", password="x"))[0])
    warned = {"reference": "${secret.vault}", "tasks": ["a"], "message": NOT_USABLE}
    assert api.ok("dag", uid=UID)["warnings"] == [warned]
    assert "dag-warnings" in admin_client.get(PAGE, {"tab": "details"}).content.decode()

    grant("vault", Repository.objects.get())

    assert api.ok("dag", uid=UID)["warnings"] == []
    assert "dag-warnings" not in admin_client.get(PAGE, {"tab": "details"}).content.decode()
    Repository.objects.get().granted_connections.clear()
    assert api.ok("dag", uid=UID)["warnings"] == [warned]


def test_a_sync_asks_once_about_all_changed_dags(work_repo: WorkRepo, sync: Sync, vault: Connection) -> None:
    dags = {f"{n}.yaml": yaml_dag(f"d{n}", "echo ${secret.vault}") for n in range(NOTED_WARNINGS + 5)}
    work_repo.publish(dags)
    with CaptureQueriesContext(connection) as queries:
        sync()
    assert sum("usable_by_groups" in query["sql"] for query in queries) == 1
    assert len(warnings()) == NOTED_WARNINGS
    assert "… and 5 more warnings" in SyncRun.objects.latest("pk").log


def test_a_sync_does_not_ask_about_unchanged_dags_or_without_references(
    work_repo: WorkRepo, sync: Sync, vault: Connection
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a", THEIRS)})
    sync()
    work_repo.publish({"b.yaml": yaml_dag("b", "echo ${HOME}")})
    with CaptureQueriesContext(connection) as queries:
        assert sync().created == ("team/b.yaml",)
    assert not [query for query in queries if "usable_by_groups" in query["sql"]]
    assert warnings() == []


def test_a_changed_dag_is_checked_again(work_repo: WorkRepo, sync: Sync, vault: Connection) -> None:
    grant("vault", Repository.objects.get())
    work_repo.publish({"a.yaml": yaml_dag("a", "echo ${secret.vault}")})
    sync()
    assert warnings() == []
    work_repo.publish({"a.yaml": yaml_dag("a", "echo ${secret.vault} ${secret.other}")})
    assert sync().updated == (UID,)
    assert warnings() == [line(UID, "${secret.other}")]


def test_a_repository_added_again_gets_the_warning_back(
    work_repo: WorkRepo, sync: Sync, vault: Connection, admin_client: Client
) -> None:
    grant("vault", Repository.objects.get())
    work_repo.publish({"a.yaml": yaml_dag("a", "echo ${secret.vault}")})
    sync()
    row = Repository.objects.get()
    url = f"/admin/gitsync/repository/{row.pk}/delete/"
    assert admin_client.post(url, {"post": "yes"}).status_code == 302
    again = Repository.objects.create(name="team", url=row.url, pk=row.pk + 100)
    assert sync_repository(again.pk).created == (UID,)
    assert warnings() == [line(UID, "${secret.vault}")]
