"""Repositories in the admin: what is shown, what can be edited, by whom, and what removal takes along."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from gitsync.models import FileState, ManagedBy, Repository, SourceFile, SyncRun
from gitsync.sync.run import Request, sync_repository
from kiok.metadata.models import Dag, DagRun, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/gitsync/repository/"


@pytest.fixture
def browser(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada", password="x"))
    return client


def page(repository: Repository) -> str:
    return f"{LIST}{repository.pk}/change/"


def values(repository: Repository, **changes: str) -> dict[str, str]:
    form = {
        "name": repository.name,
        "url": repository.url,
        "ref": repository.ref,
        "subpath": repository.subpath,
        "credential": repository.credential_id or "",
        "include": repository.include,
        "verify": repository.verify,
        "verify_keys": repository.verify_keys_id or "",
        "enabled": "on",
        "interval_ms": "",
    }
    return {**form, **changes}


def test_the_list_says_how_each_repository_stands(browser: Client, work_repo: WorkRepo, sync: Sync) -> None:
    commit = work_repo.publish({"a.yaml": yaml_dag("a"), "bad.yaml": "dag:\n  id: bad\ntasks: 3\n"})
    sync()

    shown = browser.get(LIST).content.decode()

    assert "in sync, with failed files" in shown
    assert "kiok-warn" in shown
    assert commit[:10] in shown
    assert "files_failed" in shown
    assert '<td class="field-dags">1</td>' in shown
    assert 'field-failed_files"><span class="kiok-badge kiok-bad">1</span>' in shown


def test_the_list_costs_the_same_queries_for_3_and_for_30_repositories(browser: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(LIST).status_code == 200
        return len(captured)

    def add(numbers: range) -> None:
        for number in numbers:
            row = Repository.objects.create(name=f"r{number}", url="https://example.org/x.git")
            SourceFile.objects.create(repository=row, path="a.yaml", state=FileState.FAILED)

    add(range(3))
    few = queries()
    add(range(3, 30))
    assert queries() == few


def test_a_new_repository_defaults_to_main_and_is_due_at_once(browser: Client, work_repo: WorkRepo) -> None:
    assert 'value="main"' in browser.get(f"{LIST}add/").content.decode()

    answer = browser.post(f"{LIST}add/", values(Repository(name="team", url=work_repo.file_url, ref="main")))

    row = Repository.objects.get()
    assert answer.headers["Location"] == page(row)
    assert row.next_due_at <= timezone.now()
    assert LogEntry.objects.get().object_repr == "team"


def test_what_is_wrong_is_said_at_its_field(browser: Client, repository: Repository) -> None:
    wrong = values(repository, url="gopher://x/y", ref="a..b", subpath="../up", interval_ms="10")

    shown = browser.post(page(repository), wrong)

    errors = shown.context["adminform"].form.errors
    assert set(errors) == {"url", "ref", "subpath", "interval_ms"}
    assert "gopher" in errors["url"][0]
    repository.refresh_from_db()
    assert repository.ref == "main"


@pytest.mark.parametrize(
    "url",
    [
        "https://ada:hunter2secret@git.example.org/dags.git",
        "https://ghp_hunter2secret@git.example.org/dags.git",
        "ssh://git:hunter2secret@git.example.org/dags.git",
    ],
)
@pytest.mark.rule("paths.no-passwords")
def test_a_password_typed_into_the_url_is_refused_and_never_shown_again(
    browser: Client, repository: Repository, url: str
) -> None:
    shown = browser.post(page(repository), values(repository, url=url)).content.decode()

    assert "put the credential in a connection" in shown
    assert "hunter2secret" not in shown


def test_a_password_that_got_into_the_store_is_not_shown(browser: Client) -> None:
    row = Repository.objects.create(name="old", url="https://ada:hunter2secret@git.example.org/dags.git")
    for address in (LIST, page(row)):
        assert "hunter2secret" not in browser.get(address).content.decode()


def test_an_edit_makes_it_due_and_leaves_what_syncs_observe_alone(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    Repository.objects.update(consecutive_failures=3)
    real_save = Repository.save

    def overtaken(row: Repository, *args: object, **options: object) -> None:
        """The row as a worker leaves it between the form's reading and its writing."""
        Repository.objects.filter(pk=row.pk).update(lease_holder="worker", lease_number=77)
        real_save(row, *args, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Repository, "save", overtaken)
        browser.post(page(repository), values(repository, subpath="dags"))

    repository.refresh_from_db()
    assert (repository.subpath, repository.consecutive_failures) == ("dags", 0)
    assert repository.next_due_at <= timezone.now()
    assert (repository.lease_holder, repository.lease_number) == ("worker", 77)
    assert repository.last_good_commit


def test_the_name_is_fixed_once_it_has_synced(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    assert 'name="name"' in browser.get(page(repository)).content.decode()
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    assert 'name="name"' not in browser.get(page(repository)).content.decode()

    browser.post(page(repository), values(repository, name="other"))

    repository.refresh_from_db()
    assert repository.name == "team"


def test_a_declared_repository_is_read_only_and_says_where_it_is_declared(
    browser: Client, repository: Repository
) -> None:
    Repository.objects.update(managed_by=ManagedBy.CONFIG)

    shown = browser.get(page(repository)).content.decode()

    assert "kiok.gitsync.repos" in shown
    assert "read-only here" in shown
    assert 'name="url"' not in shown
    assert "Sync now" in shown
    assert browser.post(page(repository), values(repository, ref="other")).status_code == 403
    assert browser.post(f"{LIST}{repository.pk}/delete/", {"post": "yes"}).status_code == 403
    many = {"action": "delete_selected", "_selected_action": [str(repository.pk)], "post": "yes"}
    assert "is declared in" in browser.post(LIST, many).content.decode()
    assert Repository.objects.get().ref == "main"


@pytest.mark.parametrize("many", [False, True], ids=["alone", "selected"])
def test_removal_names_the_dags_that_go_and_keeps_history_though_the_remote_is_down(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync, many: bool
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "bad.yaml": "dag: 3\n"})
    sync()
    DagRun.objects.create(uid="team/a.yaml", version=1, trigger="manual")
    Repository.objects.update(url="file:///nowhere/at/all.git")
    address, form = f"{LIST}{repository.pk}/delete/", {}
    if many:
        address, form = LIST, {"action": "delete_selected", "_selected_action": [str(repository.pk)]}

    asked = browser.post(address, form) if many else browser.get(address)
    assert "team/a.yaml" in asked.content.decode()
    assert Dag.objects.count() == 1
    done = browser.post(address, {**form, "post": "yes"}, follow=True)

    assert "With team went 1 DAG" in done.content.decode()
    assert not Repository.objects.exists()
    assert not Dag.objects.exists()
    assert not SyncRun.objects.exists()
    assert not SourceFile.objects.exists()
    assert (DagRun.objects.count(), DagVersion.objects.count()) == (1, 1)
    assert LogEntry.objects.get().is_deletion()


def test_removing_one_leaves_the_dags_of_another(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    other = Repository.objects.create(name="other", url=work_repo.file_url)
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    sync_repository(other.pk, Request(wait=True))

    browser.post(f"{LIST}{repository.pk}/delete/", {"post": "yes"})

    assert list(Dag.objects.values_list("uid", flat=True)) == ["other/a.yaml"]


def test_whoever_may_only_view_can_neither_change_nor_sync_nor_remove(repository: Repository) -> None:
    viewer = User.objects.create_user("vera", password="x", is_staff=True)
    for codename in ("view_repository", "view_all_repositories"):
        viewer.user_permissions.add(Permission.objects.get(codename=codename))
    client = Client()
    client.force_login(viewer)

    shown = client.get(page(repository)).content.decode()

    assert "team" in shown
    assert "Sync now" not in shown
    assert client.post(page(repository), values(repository)).status_code == 403
    assert client.post(f"{LIST}{repository.pk}/sync/").status_code == 403
    assert client.post(f"{LIST}{repository.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_repository_is_found_by_its_name(browser: Client, repository: Repository) -> None:
    answer = browser.get(reverse("admin:gitsync_repository_named", args=["team"]))
    assert answer.headers["Location"] == page(repository)
    assert browser.get(reverse("admin:gitsync_repository_named", args=["none"])).status_code == 404


def test_the_lease_of_the_leader_is_no_page(browser: Client) -> None:
    assert "leadership" not in browser.get("/admin/gitsync/").content.decode().lower()
    assert browser.get("/admin/gitsync/leadership/").status_code == 404
