"""Repositories in the admin: visibility, and the rows that are deleted with a repository."""

from __future__ import annotations

import html
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gitsync.models import Delivery, FileState, ManagedBy, Repository, SourceFile, SyncRun
from gitsync.repositories.links import source_url
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagRun, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.repository_pages import LIST, page, staff, values
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_list_shows_the_state_of_each_repository(
    browser: Client, work_repo: WorkRepo, sync: Sync
) -> None:
    commit = work_repo.publish({"a.yaml": yaml_dag("a"), "bad.yaml": "dag:\n  id: bad\ntasks: 3\n"})
    sync()

    shown = browser.get(LIST).content.decode()

    assert "Degraded" in shown
    assert "kiok-warn" in shown
    assert commit[:10] in shown
    assert "files_failed" in shown
    assert re.search(r'<td class="field-dags"[^>]*><div class="kiok-cell">1</div>', shown)
    failed = shown.split('<td class="field-failed_files"')[1].split("</td>")[0]
    assert '<span class="kiok-badge kiok-bad">1</span>' in failed


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


def test_a_password_that_got_into_the_store_is_not_shown(browser: Client) -> None:
    row = Repository.objects.create(name="old", url="https://ada:hunter2secret@git.example.org/dags.git")
    for address in (LIST, page(row)):
        assert "hunter2secret" not in browser.get(address).content.decode()


def test_a_declared_repository_is_read_only_and_names_its_declaration(
    browser: Client, repository: Repository
) -> None:
    Repository.objects.update(managed_by=ManagedBy.CONFIG)

    for tab in ("status", "settings"):
        shown = browser.get(page(repository), {"tab": tab}).content.decode()
        assert "kiok.gitsync.repos" in shown
        assert "Here it is read-only" in shown
        assert 'name="url"' not in shown
    assert "Sync now" in browser.get(page(repository)).content.decode()
    assert browser.post(page(repository), values(repository, ref="other")).status_code == 403
    assert browser.post(f"{LIST}{repository.pk}/delete/", {"post": "yes"}).status_code == 403
    many = {"action": "delete_selected", "_selected_action": [str(repository.pk)], "post": "yes"}
    assert "is declared in" in browser.post(LIST, many).content.decode()
    assert Repository.objects.get().ref == "main"


@pytest.mark.parametrize("many", [False, True], ids=["alone", "selected"])
def test_removal_names_the_dags_and_keeps_history_without_the_remote(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync, many: bool
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "bad.yaml": "dag: 3\n"})
    sync()
    DagRun.objects.create(uid="team/a.yaml", version=1, trigger="manual")
    Repository.objects.update(url="file:///nowhere/at/all.git")
    address, form = f"{LIST}{repository.pk}/delete/", {}
    if many:
        address, form = LIST, {"action": "delete_selected", "_selected_action": [str(repository.pk)]}

    requested = browser.post(address, form) if many else browser.get(address)
    assert "team/a.yaml" in requested.content.decode()
    assert Dag.objects.count() == 1
    done = browser.post(address, {**form, "post": "yes"}, follow=True)

    assert "Deleted team and its 1 DAG. Versions and run history are kept." in done.content.decode()
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
    sync_repository(other.pk, SyncOptions(wait=True))

    browser.post(f"{LIST}{repository.pk}/delete/", {"post": "yes"})

    assert list(Dag.objects.values_list("uid", flat=True)) == ["other/a.yaml"]


def test_view_permission_allows_no_change_sync_or_removal(repository: Repository) -> None:
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


def test_the_page_of_a_repository_is_headed_by_its_name(browser: Client, repository: Repository) -> None:
    shown = browser.get(page(repository)).content.decode()
    assert "<h1>team</h1>" in shown
    assert "<title>team | kiok</title>" in shown
    refused = browser.post(page(repository), values(repository, name="Other", ref="a..b")).content.decode()
    assert "<h1>team</h1>" in refused


def test_a_repository_is_found_by_its_name(browser: Client, repository: Repository) -> None:
    answer = browser.get(reverse("admin:gitsync_repository_named", args=["team"]))
    assert answer.headers["Location"] == page(repository)
    assert browser.get(reverse("admin:gitsync_repository_named", args=["none"])).status_code == 404


def test_the_lease_of_the_leader_is_no_page(browser: Client) -> None:
    shown = browser.get("/admin/connections/connection/").content.decode().lower()
    assert "leadership" not in shown
    assert "leader lease" not in shown
    assert browser.get("/admin/gitsync/leadership/").status_code == 404


def test_removal_works_while_the_server_is_down(
    browser: Client, work_repo: WorkRepo, ssh_server: SshServer, transactional_db: None
) -> None:
    key = Connection(id="deploy", type="git")
    key.set_properties({"privateKey": ssh_server.client_key(), "knownHosts": ssh_server.known_hosts})
    row = Repository.objects.create(name="team", url=ssh_server.url(work_repo.bare), credential=key)
    work_repo.publish({"a.yaml": yaml_dag("a")})
    assert sync_repository(row.pk, SyncOptions(wait=True)).ok
    DagRun.objects.create(uid="team/a.yaml", version=1, trigger="manual")
    ssh_server.stop()
    assert sync_repository(row.pk, SyncOptions(wait=True)).reason == "network"

    requested = browser.get(f"{LIST}{row.pk}/delete/").content.decode()
    assert "This also deletes its 1 DAG" in requested
    assert "1 run and 1 version of its DAGs are kept" in requested
    browser.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})

    assert not Repository.objects.exists()
    assert not Dag.objects.exists()
    assert (DagRun.objects.get().uid, DagVersion.objects.get().uid) == ("team/a.yaml", "team/a.yaml")


def test_links_lead_only_where_one_may_go(work_repo: WorkRepo, repository: Repository, sync: Sync) -> None:
    data = Group.objects.create(name="data")
    repository.groups.add(data)
    secret = Connection(id="hook", type="git")
    secret.set_properties({"secret": "s" * 20})
    Repository.objects.update(webhook_secret=secret)
    work_repo.publish({"a.yaml": yaml_dag("a"), "bad.yaml": "dag: 3\n"})
    sync()
    work_repo.publish({"a.yaml": "dag: 3\n"})
    sync()
    Delivery.objects.create(repository=repository, status=202, outcome="queued", service="gitea")
    everything = ("view_sourcefile", "view_dag", "view_syncrun", "view_delivery")
    addresses = ("/gitsync/errors/", "/sourcefile/?", "/metadata/dag/", "/syncrun/", "/delivery/")

    def linked(client: Client) -> list[str]:
        now = client.get(f"{LIST}{repository.pk}/sync/status/").json()["parts"]
        links = re.findall(r'href="([^"]+)"', html.unescape(now["line"] + now["body"]))
        assert [link for link in links if client.get(link).status_code != 200] == []
        return [address for address in addresses if any(address in link for link in links)]

    little = staff("vera", "view_repository", groups=(data,))
    assert linked(little) == []
    shown = little.get(page(repository)).content.decode()
    assert "bad.yaml" not in shown
    assert "<dt>Failed files</dt><dd>2</dd>" in shown
    assert linked(staff("ada", "view_repository", *everything, groups=(data,))) == list(addresses)
    assert "/syncrun/" in linked(staff("sue", "view_repository", "view_syncrun", groups=(data,)))


def test_commits_and_failing_files_link_to_the_git_service(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    first = work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    second = work_repo.publish({"bad.yaml": "dag: 3\n"})
    sync()
    Repository.objects.update(url="https://git.example.com/acme/dags.git")
    assert "git.example.com/acme/dags/" not in browser.get(page(repository)).content.decode()
    Delivery.objects.create(repository=repository, status=202, outcome="queued", service="gitea")
    # It proves nothing.
    Delivery.objects.create(repository=repository, status=404, outcome="signature", service="gitlab")

    at = "https://git.example.com/acme/dags"
    shown = browser.get(page(repository)).content.decode()
    assert f'<a href="{at}/commit/{second}" rel="noreferrer"><code>{second}</code></a>' in shown
    assert f'href="{at}/compare/{first}...{second}"' in shown
    assert f'href="{at}/src/commit/{second}/bad.yaml#L1"' in shown
    errors = browser.get(reverse("admin:gitsync_errors")).content.decode()
    assert f'href="{at}/src/commit/{second}/bad.yaml#L1"' in errors
    file = SourceFile.objects.get(path="bad.yaml")
    shown = browser.get(reverse("admin:gitsync_sourcefile_change", args=[file.pk])).content.decode()
    assert f'href="{at}/src/commit/{second}/bad.yaml#L1"' in shown
    assert f'href="{at}/commit/{second}"' in shown
    assert source_url("team", second, "bad.yaml") == f"{at}/src/commit/{second}/bad.yaml"
    assert source_url("none", second, "bad.yaml") == ""


def test_the_tabs_of_a_repository_are_its_page_and_its_lists(browser: Client, repository: Repository) -> None:
    other = Repository.objects.create(name="other", url="https://git.example.org/other.git")
    names = ["Status", "DAGs", "Files", "Syncs", "Settings"]
    shown = browser.get(page(repository)).content.decode()
    links = tabs_in(shown)
    assert list(links) == names
    for name in names:
        at = browser.get(links[name]).content.decode()
        assert tabs_in(at) == links
        assert f'<a href="{html.escape(links[name])}" aria-current="page">{name}</a>' in at
        assert "<h1>team</h1>" in at
    assert 'name="url"' not in shown
    assert 'name="url"' in browser.get(links["Settings"]).content.decode()
    # A list that is not filtered by one repository has no tabs, nor has one of a repository that is not visible.
    for address in (
        "/admin/metadata/dag/",
        "/admin/gitsync/syncrun/?repository__id__exact=999",
        "/admin/gitsync/syncrun/?repository__id__exact=x",
        f"/admin/gitsync/delivery/?repository__id__exact={other.pk}",
    ):
        assert tabs_in(browser.get(address).content.decode()) == {}


def tabs_in(shown: str) -> dict[str, str]:
    """Return the URLs of the tabs on a page, by name."""
    found = re.search(r'<nav class="kiok-tabs".*?</nav>', shown, re.DOTALL)
    links = re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', found[0]) if found else []
    return {name: html.unescape(url) for url, name in links}


def test_a_form_with_errors_is_shown_again_on_the_settings_tab(
    browser: Client, repository: Repository
) -> None:
    answer = browser.post(page(repository), values(repository, url="not a url"))
    shown = answer.content.decode()
    assert answer.status_code == 200
    assert 'class="errorlist"' in shown
    assert 'value="not a url"' in shown
