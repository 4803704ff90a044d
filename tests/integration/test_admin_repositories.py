"""Repositories in the admin: what is shown, what can be edited, by whom, and what removal takes along."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from gitsync.models import Delivery, FileState, ManagedBy, Repository, SourceFile, SyncRun
from gitsync.sync.run import Request, sync_repository
from gitsync.web_links import source_url
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagRun, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.servers.repositories import WorkRepo
from tests.servers.ssh import SshServer

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
    assert "leadership" not in browser.get("/admin/").content.decode().lower()
    assert browser.get("/admin/gitsync/leadership/").status_code == 404


def test_removal_works_while_the_server_is_down(
    browser: Client, work_repo: WorkRepo, ssh_server: SshServer, transactional_db: None
) -> None:
    key = Connection(id="deploy", type="git")
    key.set_properties({"privateKey": ssh_server.client_key(), "knownHosts": ssh_server.known_hosts})
    row = Repository.objects.create(name="team", url=ssh_server.url(work_repo.bare), credential=key)
    work_repo.publish({"a.yaml": yaml_dag("a")})
    assert sync_repository(row.pk, Request(wait=True)).ok
    DagRun.objects.create(uid="team/a.yaml", version=1, trigger="manual")
    ssh_server.stop()
    assert sync_repository(row.pk, Request(wait=True)).reason == "network"

    asked = browser.get(f"{LIST}{row.pk}/delete/").content.decode()
    assert "With it goes the 1 DAG" in asked
    assert "1 run and 1 version of its DAGs stay" in asked
    browser.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})

    assert not Repository.objects.exists()
    assert not Dag.objects.exists()
    assert (DagRun.objects.get().uid, DagVersion.objects.get().uid) == ("team/a.yaml", "team/a.yaml")


def staff(name: str, *codenames: str, groups: tuple[Group, ...] = ()) -> Client:
    user = User.objects.create_user(name, password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    user.groups.set(groups)
    client = Client()
    client.force_login(user)
    return client


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


class TestForm:
    @pytest.fixture
    def connections(self, transactional_db: None) -> None:
        for name, properties in (
            ("ssh", {"privateKey": "x"}),
            ("web", {"token": "x"}),
            ("keys", {"allowedSigners": "x"}),
            ("hook", {"secret": "x"}),
        ):
            Connection(id=name, type="git").set_properties(properties)

    @pytest.mark.parametrize(
        ("changes", "field", "said"),
        [
            ({"name": "Team A"}, "name", "Use 1 to 63 of"),
            ({"name": "taken"}, "name", "already exists"),
            ({"url": "https://ada:pw@127.0.0.1/x.git"}, "url", "holds a password"),
            ({"url": "https://10.0.0.1/x.git"}, "url", "private"),
            ({"ref": "tag:"}, "ref", "tag"),
            ({"subpath": "../up"}, "subpath", "subpath"),
            ({"include": "lib/\n!"}, "include", "line 2"),
            ({"interval_ms": "999"}, "interval_ms", "1000"),
            ({"interval_ms": "99999999999"}, "interval_ms", "2147483647"),
            ({"image_python": "Not An Image"}, "image_python", "lower case"),
            ({"url": "ssh://git@127.0.0.1/x.git"}, "credential", "needs a connection with 'privateKey'"),
            ({"url": "ssh://git@127.0.0.1/x.git", "credential": "web"}, "credential", "no 'privateKey'"),
            ({"url": "https://127.0.0.1/x.git", "credential": "ssh"}, "credential", "nor 'token'"),
            ({"credential": "ssh"}, "credential", "takes no credential"),
            ({"credential": "none"}, "credential", "not one of the available choices"),
            ({"verify": "commit"}, "verify_keys", "Choose the connection"),
            ({"verify": "commit", "verify_keys": "web"}, "verify_keys", "'allowedSigners'"),
            ({"verify": "tag", "verify_keys": "keys"}, "verify", "no tag to verify"),
            ({"webhook_secret": "web"}, "webhook_secret", "no 'secret'"),
        ],
    )
    def test_each_field_says_what_is_wrong_with_it_while_typing_and_on_saving(
        self,
        browser: Client,
        repository: Repository,
        connections: None,
        changes: dict[str, str],
        field: str,
        said: str,
    ) -> None:
        Repository.objects.create(name="taken", url=repository.url)
        before = list(Repository.objects.values())
        for form in (
            values(repository, **changes),
            values(Repository(name="new", url=repository.url), **changes),
        ):
            is_new = form["name"] == "new"
            address = f"{LIST}check-form/" if is_new else f"{LIST}{repository.pk}/check-form/"
            told = browser.post(address, form).json()["errors"]
            assert list(told) == [field], told
            assert said in told[field][0]
            saved = browser.post(f"{LIST}add/" if is_new else page(repository), form)
            assert saved.context["adminform"].form.errors == told
            assert "pw@" not in saved.content.decode()
        assert list(Repository.objects.values()) == before
        assert not LogEntry.objects.exists()

    def test_right_connections_are_taken_by_their_names_and_nothing_is_decrypted(
        self, browser: Client, repository: Repository, connections: None, settings: Any
    ) -> None:
        settings.KIOK_MASTER_KEY = lambda: None
        right = {"url": "ssh://git@127.0.0.1/x.git", "credential": "ssh", "webhook_secret": "hook"}
        form = values(repository, **right, verify="commit", verify_keys="keys")
        assert browser.post(f"{LIST}{repository.pk}/check-form/", form).json() == {"errors": {}}

    def test_checking_takes_a_post_with_a_token_and_the_right_to_save(
        self, browser: Client, repository: Repository
    ) -> None:
        addresses = (f"{LIST}check-form/", f"{LIST}{repository.pk}/check-form/")
        data = Group.objects.create(name="data")
        repository.groups.add(data)
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(User.objects.get())
        viewer = staff("vera", "view_repository", groups=(data,))
        for address in addresses:
            assert browser.get(address).status_code == 405
            assert strict.post(address, {}).status_code == 403
            assert viewer.post(address, {}).status_code == 403
        stranger = staff("sten", "change_repository")
        assert stranger.post(addresses[1], {}).status_code == 404
        Repository.objects.update(managed_by=ManagedBy.CONFIG)
        assert browser.post(addresses[1], {}).status_code == 403

    def test_who_does_not_see_all_chooses_among_its_own_groups_and_leaves_those_of_others(
        self, repository: Repository
    ) -> None:
        mine, second, theirs = (Group.objects.create(name=name) for name in ("mine", "second", "theirs"))
        repository.groups.set([mine, theirs])
        claimed = repository.config_hash
        Repository.objects.update(next_due_at=timezone.now() + timedelta(hours=1))
        editor = staff("ed", "view_repository", "change_repository", "add_repository", groups=(mine, second))

        shown = editor.get(page(repository)).context["adminform"].form
        assert list(shown.fields["groups"].queryset) == [mine, second]
        assert shown.initial["groups"] == [mine]
        assert "theirs" not in str(shown["groups"])
        none = editor.post(page(repository), values(repository)).context["adminform"].form.errors
        assert "at least one of your groups" in none["groups"][0]
        foreign = {**values(repository), "groups": [str(theirs.pk)]}
        assert "groups" in editor.post(page(repository), foreign).context["adminform"].form.errors

        editor.post(page(repository), {**values(repository), "groups": [str(second.pk)]})

        assert set(repository.groups.all()) == {second, theirs}
        repository.refresh_from_db()
        assert repository.config_hash == claimed
        assert repository.next_due_at > timezone.now(), "groups are no reason to look"
        assert LogEntry.objects.get().get_change_message() == "Changed Visible to groups."
        new = {**values(Repository(name="new", url=repository.url)), "groups": [str(mine.pk)]}
        editor.post(f"{LIST}add/", new)
        assert list(Repository.objects.get(name="new").groups.all()) == [mine]
        nobody = staff("no", "add_repository")
        errors = (
            nobody.post(f"{LIST}add/", values(Repository(name="other", url=repository.url)))
            .context["adminform"]
            .form.errors
        )
        assert "You are in no group" in errors["groups"][0]

    def test_who_sees_all_may_choose_any_group_or_none(self, browser: Client, repository: Repository) -> None:
        group = Group.objects.create(name="data")
        browser.post(page(repository), {**values(repository), "groups": [str(group.pk)]})
        assert list(repository.groups.all()) == [group]
        listed = browser.get(f"{LIST}?group={group.pk}").context["cl"].queryset
        assert [row.name for row in listed] == ["team"]
        assert not browser.get(f"{LIST}?group=none").context["cl"].queryset
        for odd in ("x", "9" * 30, "-1", "%00"):
            assert browser.get(f"{LIST}?group={odd}&paused={odd}").status_code in (200, 302, 400)
        browser.post(page(repository), values(repository))
        assert not repository.groups.exists()

    def test_a_name_with_a_history_is_not_taken_up_by_who_may_not_see_it(
        self, browser: Client, repository: Repository
    ) -> None:
        mine = Group.objects.create(name="mine")
        DagRun.objects.create(uid="old/a.yaml", version=1, trigger="manual")
        editor = staff("ed", "view_repository", "add_repository", groups=(mine,))
        form = {**values(Repository(name="old", url=repository.url)), "groups": [str(mine.pk)]}
        errors = editor.post(f"{LIST}add/", form).context["adminform"].form.errors
        assert "of an earlier repository of this name are kept" in errors["name"][0]
        browser.post(f"{LIST}add/", form)
        assert Repository.objects.filter(name="old").exists()

    def test_the_log_names_the_fields_that_were_changed(
        self, browser: Client, repository: Repository
    ) -> None:
        browser.post(page(repository), values(repository, ref="other", subpath="dags"))
        assert LogEntry.objects.get().get_change_message() == "Changed Branch or tag and Subpath."
