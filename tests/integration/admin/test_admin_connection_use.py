"""Grants of a connection on its pages: who may give them, what is shown, and what the audit log says."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gitsync.models import Repository
from kiok.connections.models import Connection
from tests.support.access_rows import logged_in
from tests.support.connection_rows import grant, make_repository
from tests.support.roles import roles

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/connections/connection/"
ADD = f"{LIST}add/"
PAGE = f"{LIST}vault/change/"


def fields(id: str = "vault", **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "generic", "description": "", "changes": "", **more}


def member(role: str, *teams: Group) -> Client:
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.set([roles()[role], *teams])
    return logged_in(user)


def granted(id: str = "vault") -> tuple[bool, list[str], list[str]]:
    row: Any = Connection.objects.get(pk=id)
    teams, repositories = (
        [*rows.order_by("name").values_list("name", flat=True)]
        for rows in (row.usable_by_groups, row.usable_by_repositories)
    )
    return row.usable_by_all, teams, repositories


def last_entry() -> str:
    return LogEntry.objects.latest("pk").get_change_message()


def usable_by(browser: Client) -> list[str]:
    """Return the column of the list."""
    shown = html.unescape(browser.get(LIST).content.decode())
    cells = re.findall(r'class="field-usable_by[^>]*>(.*?)</td>', shown, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in cells]


def errors_of(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


@pytest.fixture
def red() -> Group:
    return Group.objects.create(name="red")


@pytest.fixture
def blue() -> Group:
    return Group.objects.create(name="blue")


@pytest.fixture
def r(red: Group) -> Repository:
    return make_repository("red-dags", red)


@pytest.fixture
def b(blue: Group) -> Repository:
    return make_repository("blue-dags", blue)


def test_a_new_connection_is_usable_by_no_repository(admin_client: Client) -> None:
    assert admin_client.post(ADD, fields()).status_code == 302
    assert granted() == (False, [], [])
    assert last_entry() == "Added."
    assert usable_by(admin_client) == ["none"]


def test_grants_are_given_and_taken_and_the_log_names_them(
    admin_client: Client, red: Group, blue: Group, r: Repository, b: Repository
) -> None:
    grant("vault", blue, b)
    sent = fields(usable_by_all="on", teams=[red.pk], repositories=[r.pk, b.pk])
    assert admin_client.post(PAGE, sent).status_code == 302
    assert granted() == (True, ["red"], ["blue-dags", "red-dags"])
    words = "usable by: everyone (added), team blue (removed), team red (added), repository red-dags (added)"
    assert last_entry() == f"Changed {words}."
    assert usable_by(admin_client) == ["everyone"]

    assert admin_client.post(PAGE, fields(teams=[red.pk], repositories=[r.pk])).status_code == 302
    assert granted() == (False, ["red"], ["red-dags"])
    assert last_entry() == "Changed usable by: everyone (removed), repository blue-dags (removed)."
    assert usable_by(admin_client) == ["team red, red-dags"]


def test_an_edit_of_other_fields_keeps_the_grants(admin_client: Client, red: Group, b: Repository) -> None:
    grant("vault", red, b)
    shown = admin_client.get(PAGE).context["adminform"].form
    assert shown.initial["teams"] == [red]
    assert shown.initial["repositories"] == [b]
    sent = fields(description="new", teams=[red.pk], repositories=[b.pk], changes="token=x")
    assert admin_client.post(PAGE, sent).status_code == 302
    assert granted() == (False, ["red"], ["blue-dags"])
    assert last_entry() == "Changed Description and Set properties. Changed properties: token."


def test_an_operator_grants_a_new_connection_to_its_own_teams_only(
    red: Group, blue: Group, r: Repository, b: Repository
) -> None:
    operator = member("Operator", red)
    form = operator.get(ADD).context["adminform"].form
    assert [*form.fields["teams"].queryset] == [red]
    assert [*form.fields["repositories"].queryset] == [r]
    assert "usable_by_all" not in form.fields
    assert "teams" in errors_of(operator.post(ADD, fields("mine", teams=[blue.pk])))
    assert "teams" in errors_of(operator.post(ADD, fields("mine", teams=[roles()["Operator"].pk])))
    assert "repositories" in errors_of(operator.post(ADD, fields("mine", repositories=[b.pk])))
    assert not Connection.objects.exists()
    sent = fields("mine", teams=[red.pk], repositories=[r.pk], usable_by_all="on")
    assert operator.post(ADD, sent).status_code == 302
    assert granted("mine") == (False, ["red"], ["red-dags"])
    assert last_entry() == "Added. Changed usable by: team red (added), repository red-dags (added)."


def test_an_operator_cannot_grant_a_stored_connection(red: Group, r: Repository, b: Repository) -> None:
    grant("vault", b)
    operator = member("Operator", red)
    assert operator.post(PAGE, fields(teams=[red.pk], repositories=[r.pk])).status_code == 403
    assert granted() == (False, [], ["blue-dags"])


def test_an_editor_has_no_page_of_connections(red: Group, r: Repository, b: Repository) -> None:
    grant("vault", b)
    editor = member("Editor", red)
    for page in (LIST, ADD, PAGE):
        assert editor.get(page).status_code == 403
    assert editor.post(PAGE, fields(teams=[red.pk], repositories=[r.pk])).status_code == 403
    assert granted() == (False, [], ["blue-dags"])


def test_grants_to_hidden_teams_are_counted_and_not_named(
    red: Group, blue: Group, r: Repository, b: Repository
) -> None:
    grant("vault", red, blue, r, b)
    grant("theirs", blue, b)
    operator = member("Operator", red)
    shown = operator.get(LIST).content.decode()
    assert usable_by(operator) == ["2 that you may not see", "team red, red-dags, 2 that you may not see"]
    page = html.unescape(operator.get(PAGE).content.decode())
    assert "red, 1 that you may not see" in page
    assert "red-dags, 1 that you may not see" in page
    assert "blue" not in shown + page


def test_grants_to_hidden_teams_survive_an_edit(
    red: Group, blue: Group, r: Repository, b: Repository
) -> None:
    grant("vault", red, blue, b, everyone=True)
    user = User.objects.create_user("vera", is_staff=True)
    names = ("view_connection", "change_connection", "view_repository")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    user.groups.add(red)
    browser = logged_in(user)
    assert "blue" not in browser.get(PAGE).content.decode()
    assert browser.post(PAGE, fields(repositories=[r.pk])).status_code == 302
    assert granted() == (True, ["blue"], ["blue-dags", "red-dags"])
    assert last_entry() == "Changed usable by: team red (removed), repository red-dags (added)."
    assert "repositories" in errors_of(browser.post(PAGE, fields(repositories=[b.pk])))


@pytest.mark.parametrize("lookup", ["usable_by_groups", "usable_by_repositories"])
def test_the_list_cannot_be_filtered_by_grants(
    admin_client: Client, blue: Group, b: Repository, lookup: str
) -> None:
    grant("vault", blue, b)
    key = blue.pk if lookup == "usable_by_groups" else b.pk
    assert admin_client.get(LIST, {lookup: key}).status_code == 400
    assert admin_client.get(LIST, {f"{lookup}__name": "blue"}).status_code == 400


def test_a_connection_is_deleted_with_its_grants_and_names_none(
    admin_client: Client, blue: Group, b: Repository
) -> None:
    grant("vault", blue, b)
    url = f"{LIST}vault/delete/"
    shown = admin_client.get(url).content.decode()
    assert "vault" in shown
    assert "blue" not in shown
    assert "relationship" not in shown
    assert admin_client.post(url, {"post": "yes"}).status_code == 302
    assert not Connection.objects.exists()
    assert not b.granted_connections.exists()


def test_the_list_needs_as_many_queries_for_many_grants(
    admin_client: Client, red: Group, blue: Group, r: Repository, b: Repository
) -> None:
    def number() -> int:
        with CaptureQueriesContext(database) as queries:
            assert admin_client.get(LIST).status_code == 200
        return len(queries)

    grant("one", red)
    number()
    few = number()
    for n in range(20):
        grant(f"more-{n}", red, blue, r, b)
    assert number() == few
