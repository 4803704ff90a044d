"""Groups of users: repositories, connections and history that only another group sees."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from gitsync.access import OTHER_SERVER
from gitsync.actions import ask_for_sync, resume
from gitsync.api.auth import Caller
from gitsync.api.problems import ApiRefusal
from gitsync.api.repository_edit import RepositoryChange, change
from gitsync.models import ApiToken, Repository
from gitsync.repositories.declared import remove_repository
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagRun
from tests.support.access_pages import FILLED, HEALTH, LISTS, PLAIN, ask, fill, told
from tests.support.access_rows import Rows, logged_in, user_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_user_of_no_group_sees_no_repository_and_no_totals(ours: Rows, theirs: Rows, lonely: Dag) -> None:
    nobody = logged_in(user_of())
    for route in PLAIN:
        shown = ask(nobody, "get", route)
        assert not ours.tells(shown), route
        assert not theirs.tells(shown), route
    overview = nobody.get("/admin/gitsync/overview/status/").json()
    assert overview["rows"] == []
    assert overview["parts"]["summary"] == "No repositories yet."
    assert (
        re.findall(r"\b[1-9]\d*\b", re.sub(r"<[^>]*>", " ", HEALTH.sub("", overview["parts"]["totals"])))
        == []
    )
    for route in LISTS:
        if route.split("/")[2] == "gitsync":
            assert "0 " in ask(nobody, "get", route)
    assert "lonely" in ask(nobody, "get", "/admin/metadata/dag/")


def test_moving_a_repository_to_another_group_takes_effect_immediately(
    vera: Client, ours: Rows, theirs: Rows
) -> None:
    pages = [fill(route, theirs) for route in FILLED if route.endswith("change/") and "/metadata/" in route]
    pages += [fill(route, theirs) for route in FILLED if route.endswith("change/") and "/gitsync/" in route]
    # Tokens belong to users, and a notification channel names its own groups and repositories.
    pages = [page for page in pages if "apitoken" not in page and "notificationchannel" not in page]
    assert len(pages) >= 7
    assert not [page for page in pages if vera.get(page).status_code == 200]

    theirs.repository.groups.set([ours.group])
    assert [page for page in pages if vera.get(page).status_code == 200] == pages
    assert "zebra/pruned.yaml" in ask(vera, "get", "/admin/metadata/dagrun/")

    theirs.repository.groups.set([theirs.group])
    assert not [page for page in pages if vera.get(page).status_code == 200]
    vera.cookies.pop("messages")  # that the requested row does not exist
    assert not theirs.tells(ask(vera, "get", "/admin/metadata/dagrun/"))


def test_leaving_a_group_leaves_no_names_in_the_session(vera: Client, ours: Rows, theirs: Rows) -> None:
    user = User.objects.get(username="vera")
    theirs.repository.groups.add(ours.group)
    for rows in (ours, theirs):
        resume(user, rows.repository)
    chosen = [str(rows.repository.pk) for rows in (ours, theirs)]
    shown = vera.post(
        "/admin/gitsync/repository/", {"action": "sync_now", "_selected_action": chosen}, follow=True
    )
    assert theirs.tells(told(shown))
    vera.post(f"/admin/gitsync/repository/{chosen[1]}/check/")

    theirs.repository.groups.remove(ours.group)

    for page in (
        "/admin/gitsync/overview/",
        *(f"/admin/gitsync/repository/asked/{end}" for end in ("", "status/")),
    ):
        shown = ask(vera, "get", page)
        assert ours.tells(shown), page
        assert not theirs.tells(shown), page
    remove_repository(theirs.repository)
    assert not theirs.tells(ask(vera, "get", "/admin/gitsync/overview/"))


def test_the_permission_to_see_all_needs_no_group(ours: Rows, theirs: Rows) -> None:
    user = user_of()
    user.user_permissions.add(Permission.objects.get(codename="view_all_repositories"))
    shown = ask(logged_in(user), "get", "/admin/gitsync/repository/")
    assert ours.tells(shown)
    assert theirs.tells(shown)


def test_accounts_queue_and_log_need_the_permission_to_see_all(
    vera: Client, root: Client, theirs: Rows
) -> None:
    closed = [route for route in LISTS if route.split("/")[2] in ("auth", "django_q", "admin")]
    assert len(closed) == 7
    for route in closed:
        assert vera.get(route).status_code == 403, route
        assert vera.get(f"{route}add/").status_code == 403, route
        assert root.get(route).status_code == 200, route
        assert f'href="{route}"' not in ask(vera, "get", "/admin/gitsync/overview/")
    assert theirs.tells(ask(root, "get", "/admin/admin/logentry/"))
    assert vera.get("/admin/password_change/").status_code == 200


def test_a_connection_of_another_group_cannot_be_chosen_or_seen(
    vera: Client, root: Client, ours: Rows, theirs: Rows
) -> None:
    page = f"/admin/gitsync/repository/{ours.repository.pk}/change/?tab=settings"
    offered = re.findall(r'<option value="(\w+)"', vera.get(page).content.decode())
    assert "first" in offered
    assert "second" not in offered
    assert 'value="second"' in root.get(page).content.decode()
    form = {name: getattr(ours.repository, name) for name in ("name", "url", "ref", "subpath", "include")}
    form |= {"verify": "off", "allow_empty": "on", "enabled": "on", "groups": [str(ours.group.pk)]}
    refused = vera.post(page, {**form, "credential": "second"})
    assert refused.status_code == 200
    ours.repository.refresh_from_db()
    assert ours.repository.credential_id == "first"

    delete = "/admin/connections/connection/second/delete/"
    assert "objects that you may not see: 4" in vera.get(delete).content.decode()
    assert vera.post(delete, {"post": "yes"}).status_code in (200, 403)
    assert Connection.objects.filter(pk="second").exists()
    assert "credential of repository: zebra" in root.get(delete).content.decode()


def test_without_the_view_permission_a_repository_keeps_its_connection(ours: Rows, theirs: Rows) -> None:
    Connection.objects.create(id="third")
    user = user_of(ours.group)
    page = f"/admin/gitsync/repository/{ours.repository.pk}/change/?tab=settings"
    assert 'value="third"' in logged_in(user).get(page).content.decode()
    user.user_permissions.remove(*Permission.objects.filter(content_type__app_label="connections"))
    shown = logged_in(User.objects.get(pk=user.pk)).get(page).content.decode()
    assert 'value="first" selected' in shown
    assert 'value="third"' not in shown


def test_without_the_view_permission_a_credential_goes_to_no_other_server(ours: Rows, theirs: Rows) -> None:
    user_of(ours.group).user_permissions.remove(
        *Permission.objects.filter(content_type__app_label="connections")
    )
    user = User.objects.get(username="vera")
    browser = logged_in(user)
    vault = Connection.objects.get(pk="first")
    vault.set_properties({"token": "of git.example.org"})
    vault.save()
    page = f"/admin/gitsync/repository/{ours.repository.pk}/change/"
    form = {name: getattr(ours.repository, name) for name in ("name", "ref", "subpath", "include")}
    form |= {
        "verify": "off",
        "allow_empty": "on",
        "enabled": "on",
        "groups": [str(ours.group.pk)],
        "credential": "first",
    }
    host = ours.repository.url.split("/")[2]

    for url in (
        "https://evil.example/x.git",
        f"https://{host}:8443/x.git",
        f"https://{host}.evil.example/x.git",
    ):
        assert (
            "a server that it was not entered for"
            in browser.post(page, {**form, "url": url}).content.decode()
        )
        new = {**form, "name": "mine", "url": url}
        assert (
            "a server that it was not entered for"
            in browser.post("/admin/gitsync/repository/add/", new).content.decode()
        )
        with pytest.raises(ApiRefusal, match="invalid values") as refused:
            change(Caller(user, ApiToken()), ours.repository, RepositoryChange(url=url))
        assert [*refused.value.errors] == [("url", OTHER_SERVER)]
        ours.repository.refresh_from_db()
    assert ours.repository.url.split("/")[2] == host
    assert not Repository.objects.filter(name="mine").exists()

    assert browser.post(page, {**form, "url": f"https://{host}/other/x.git"}).status_code == 302
    assert (
        browser.post(page, {**form, "url": "https://other.example/x.git", "credential": ""}).status_code
        == 302
    )


def test_the_name_of_a_removed_repository_stays_reserved_with_its_history(
    vera: Client, root: Client, ours: Rows, theirs: Rows
) -> None:
    remove_repository(theirs.repository)
    assert DagRun.objects.filter(repository="zebra").exists()
    form = {"name": "zebra", "url": "https://git.example.org/x.git", "ref": "main", "verify": "off"}
    form |= {"groups": str(ours.group.pk), "include": "", "allow_empty": "on", "enabled": "on"}
    add = "/admin/gitsync/repository/add/"
    refused = vera.post(add, form)
    assert refused.status_code == 200
    assert "an earlier repository with this name" in refused.content.decode()
    assert not Repository.objects.filter(name="zebra").exists()
    assert root.post(add, form).status_code == 302
    assert Repository.objects.filter(name="zebra").exists()


def test_a_manual_request_is_for_its_repository_alone(ours: Rows, theirs: Rows) -> None:
    user = User.objects.create_superuser("root")
    resume(user, ours.repository)
    ask_for_sync(user, ours.repository)
    theirs.repository.refresh_from_db()
    assert theirs.repository.is_paused
