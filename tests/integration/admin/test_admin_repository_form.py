"""The form of a repository in the admin: valid values, errors at their fields, and permitted choices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from gitsync.models import ManagedBy, Repository
from kiok.connections.models import Connection
from kiok.metadata.models import DagRun
from tests.integration.conftest import Sync, yaml_dag
from tests.support.repository_pages import LIST, page, staff, values
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_new_repository_defaults_to_main_and_is_due_immediately(
    browser: Client, work_repo: WorkRepo
) -> None:
    assert 'value="main"' in browser.get(f"{LIST}add/").content.decode()

    answer = browser.post(f"{LIST}add/", values(Repository(name="team", url=work_repo.file_url, ref="main")))

    row = Repository.objects.get()
    assert answer.headers["Location"] == page(row)
    assert row.next_due_at <= timezone.now()
    assert LogEntry.objects.get().object_repr == "team"


def test_validation_errors_are_shown_at_their_fields(browser: Client, repository: Repository) -> None:
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

    assert "Put the credential into a connection" in shown
    assert "hunter2secret" not in shown


def test_an_edit_makes_it_due_and_keeps_the_observed_state(
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
    assert 'name="name"' in browser.get(page(repository), {"tab": "settings"}).content.decode()
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    assert 'name="name"' not in browser.get(page(repository), {"tab": "settings"}).content.decode()

    browser.post(page(repository), values(repository, name="other"))

    repository.refresh_from_db()
    assert repository.name == "team"


@pytest.fixture
def connections(transactional_db: None) -> None:
    for name, properties in (
        ("ssh", {"privateKey": "x"}),
        ("web", {"token": "x"}),
        ("keys", {"allowedSigners": "x"}),
        ("hook", {"secret": "x"}),
    ):
        Connection(id=name, type="git").set_properties(properties)


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"name": "Team A"}, "name", "Use 1 to 63 of"),
        ({"name": "taken"}, "name", "already exists"),
        ({"url": "https://ada:pw@127.0.0.1/x.git"}, "url", "contains a password"),
        ({"url": "https://10.0.0.1/x.git"}, "url", "private"),
        (
            {"url": "https://github.com/acme/dags/tree/main/dags"},
            "url",
            "Enter url 'https://github.com/acme/dags.git', ref 'main' and subpath 'dags'",
        ),
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
        ({"verify": "tag", "verify_keys": "keys"}, "verify", "not a tag"),
        ({"webhook_secret": "web"}, "webhook_secret", "no 'secret'"),
    ],
)
def test_each_field_shows_its_error_while_typing_and_on_saving(
    browser: Client,
    repository: Repository,
    connections: None,
    changes: dict[str, str],
    field: str,
    message: str,
) -> None:
    Repository.objects.create(name="taken", url=repository.url)
    before = list(Repository.objects.values())
    for form in (
        values(repository, **changes),
        values(Repository(name="new", url=repository.url), **changes),
    ):
        is_new = form["name"] == "new"
        address = f"{LIST}check-form/" if is_new else f"{LIST}{repository.pk}/check-form/"
        reported = browser.post(address, form).json()["errors"]
        assert list(reported) == [field], reported
        assert message in reported[field][0]
        saved = browser.post(f"{LIST}add/" if is_new else page(repository), form)
        assert saved.context["adminform"].form.errors == reported
        assert "pw@" not in saved.content.decode()
    assert list(Repository.objects.values()) == before
    assert not LogEntry.objects.exists()


def test_connections_are_found_by_name_and_nothing_is_decrypted(
    browser: Client, repository: Repository, connections: None, settings: Any
) -> None:
    settings.KIOK_MASTER_KEY = lambda: None
    right = {"url": "ssh://git@127.0.0.1/x.git", "credential": "ssh", "webhook_secret": "hook"}
    form = values(repository, **right, verify="commit", verify_keys="keys")
    assert browser.post(f"{LIST}{repository.pk}/check-form/", form).json() == {"errors": {}}


def test_checking_needs_post_a_csrf_token_and_permission_to_save(
    browser: Client, repository: Repository
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


def test_a_limited_user_chooses_own_groups_and_keeps_those_of_others(
    repository: Repository,
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


def test_a_user_who_sees_all_may_choose_any_group_or_none(browser: Client, repository: Repository) -> None:
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


def test_a_name_with_history_cannot_be_reused_without_access_to_it(
    browser: Client, repository: Repository
) -> None:
    mine = Group.objects.create(name="mine")
    DagRun.objects.create(uid="old/a.yaml", version=1, trigger="manual")
    editor = staff("ed", "view_repository", "add_repository", groups=(mine,))
    form = {**values(Repository(name="old", url=repository.url)), "groups": [str(mine.pk)]}
    errors = editor.post(f"{LIST}add/", form).context["adminform"].form.errors
    assert "of an earlier repository with this name are kept" in errors["name"][0]
    browser.post(f"{LIST}add/", form)
    assert Repository.objects.filter(name="old").exists()


def test_the_log_names_the_fields_that_were_changed(browser: Client, repository: Repository) -> None:
    browser.post(page(repository), values(repository, ref="other", subpath="dags"))
    assert LogEntry.objects.get().get_change_message() == "Changed Branch or tag and Subpath."
