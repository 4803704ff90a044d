"""The search of the admin, over repositories, DAGs, files and commits."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gitsync.admin.search import SHOWN
from gitsync.models import Repository, SourceFile, SyncRun
from kiok.metadata.models import Dag
from tests.support.record_pages import make_dag

pytestmark = pytest.mark.django_db

SEARCH = "/admin/gitsync/search/"
COMMIT = "5f3a9c1e" * 5


@pytest.fixture
def warehouse() -> Repository:
    """A repository `warehouse` with a DAG, a file and a sync."""
    return make_repository("warehouse")


def make_repository(name: str) -> Repository:
    row = Repository.objects.create(name=name, url=f"https://git.example.org/{name}.git")
    make_dag(f"{name}/dags/nightly.yaml", repository=name)
    SourceFile.objects.create(repository=row, path="dags/nightly.yaml", state="compiled")
    SyncRun.objects.create(
        repository=row,
        lease_number=1,
        trigger="poll",
        state="succeeded",
        to_commit=COMMIT,
        started_at=timezone.now(),
    )
    return row


def found(client: Client, text: str) -> str:
    answer = client.get(SEARCH, {"q": text})
    assert answer.status_code == 200
    return answer.content.decode().partition('id="content-main"')[2]


def test_a_name_finds_the_repository_and_its_dags(admin_client: Client, warehouse: Repository) -> None:
    shown = found(admin_client, "WareHouse")
    assert f'href="/admin/gitsync/repository/{warehouse.pk}/change/"' in shown
    assert ">warehouse/dags/nightly.yaml</a>" in shown
    assert "Syncs to this commit" not in shown


def test_a_path_finds_the_file_and_the_dag(admin_client: Client, warehouse: Repository) -> None:
    shown = found(admin_client, "nightly")
    file = SourceFile.objects.get()
    assert f'href="/admin/gitsync/sourcefile/{file.pk}/change/">dags/nightly.yaml</a>' in shown
    assert Dag.objects.get().uid in shown
    assert "<h2>Repositories</h2>" not in shown


@pytest.mark.parametrize("text", [COMMIT, COMMIT[:7], COMMIT[:7].upper()])
def test_the_beginning_of_a_commit_finds_its_syncs(
    admin_client: Client, warehouse: Repository, text: str
) -> None:
    sync = SyncRun.objects.get()
    assert f'href="/admin/gitsync/syncrun/{sync.pk}/change/">Sync {sync.pk} of warehouse</a>' in found(
        admin_client, text
    )


def test_more_matches_than_are_shown_are_behind_a_link(admin_client: Client) -> None:
    for number in range(SHOWN + 1):
        Repository.objects.create(name=f"team-{number:02}", url="https://git.example.org/x.git")
    shown = found(admin_client, "team-")
    assert shown.count('href="/admin/gitsync/repository/') == SHOWN + 1
    assert 'href="/admin/gitsync/repository/?q=team-">Show all matches</a>' in shown


def test_the_search_box_keeps_the_text(admin_client: Client) -> None:
    shown = admin_client.get(SEARCH, {"q": "ware"}).content.decode()
    assert 'id="kiok-search" value="ware"' in shown
    assert 'id="kiok-search" value=""' in admin_client.get("/admin/gitsync/errors/").content.decode()


def test_no_text_and_no_match_say_what_to_do(admin_client: Client) -> None:
    assert "Enter a part of the name" in found(admin_client, " ")
    assert "matches <strong>&lt;b&gt;</strong>" in found(admin_client, "<b>")


def test_a_user_finds_only_what_their_groups_and_permissions_show(warehouse: Repository) -> None:
    other = make_repository("warehouse-of-others")
    group = Group.objects.create(name="team")
    warehouse.groups.add(group)
    user = User.objects.create_user("vera", password="x", is_staff=True)
    user.groups.add(group)
    client = Client()
    client.force_login(user)
    assert "Nothing that you may view" in found(client, "warehouse")

    user.user_permissions.set(
        Permission.objects.filter(
            codename__in=("view_repository", "view_dag", "view_sourcefile", "view_syncrun")
        )
    )
    for text in ("warehouse", "nightly", COMMIT[:9]):
        shown = found(client, text)
        assert "warehouse" in shown or "nightly" in shown
        assert "of-others" not in shown
        assert other.name not in shown


def test_the_queries_do_not_grow_with_the_matches(admin_client: Client, warehouse: Repository) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            found(admin_client, "nightly")
        return len(captured)

    queries()
    few = queries()
    for number in range(5):
        make_repository(f"team-{number}")
    assert queries() == few
