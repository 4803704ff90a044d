"""Every action and POST route of the admin: view permission changes nothing, and the queue's pages are read-only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.contrib.messages.storage.fallback import FallbackStorage
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django_q.models import Failure, OrmQ, Schedule, Success
from pytest_django import DjangoDbBlocker

from tests.support import admin_pages, admin_rows

pytestmark = pytest.mark.django_db

QUEUE = (Success, Failure, Schedule, OrmQ)
# Actions that are tried everywhere, also where no list offers them.
NAMED = ("delete_selected", "resubmit_task", "sync_now")


@dataclass(frozen=True)
class Request:
    """A POST: the name of its page for messages, its address and its form."""

    name: str
    address: str
    form: dict[str, Any]


@pytest.fixture(scope="module")
def requests(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[list[Request]]:
    """Each action of each list, and a POST to each other page; forms are filled from the rows they show.

    The rows are in a transaction around those of the tests, which roll back to them.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        admin_rows.fill(admin_rows.Amounts())
        Schedule.objects.get_or_create(name="s", func="gitsync.tasks.lead")
        OrmQ.objects.create(key="kiok", payload="x", lock="2026-01-01T00:00:00Z")
        root = User.objects.create_superuser("root", password="x" * 12)
        keys = admin_rows.keys()
        missing = [name for name, key in keys.items() if key is None]
        assert missing == [], "there is a row of every model"
        given = {"name": "r00001", "uid": keys["metadata.Dag"]}
        pages = list(admin_pages.pages(lambda model: keys[model._meta.label], given))
        yield [request for page in pages for request in _requests(page, keys, root)]
        transaction.set_rollback(True)


def _requests(page: admin_pages.Page, keys: dict[str, Any], root: User) -> Iterator[Request]:
    if page.is_list:
        assert page.model is not None
        rows = admin.site.get_model_admin(page.model)
        offered = rows.get_actions(_get(page, root))
        for action in sorted({*offered, *NAMED}):
            form = {"action": action, "_selected_action": [str(keys[page.model._meta.label])], "post": "yes"}
            yield Request(f"{page.name} {action}", page.address, {**form, "reason": "x", "apply": "1"})
    elif page.model is not None and page.name.endswith(("_add", "_change")):
        yield Request(page.name, page.address, {**_form(page, root), "_save": "Save"})
    else:
        yield Request(page.name, page.address, {"post": "yes", "reason": "x", "full": "on"})


def _form(page: admin_pages.Page, root: User) -> dict[str, Any]:
    """The fields of a page's form as it shows them to a superuser, one of the texts changed."""
    context = logged_in(root).get(page.address).context
    if context is None or "adminform" not in context:
        return {}
    form = context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    filled = {form.add_prefix(name): value for name, value in values.items() if value not in (None, False)}
    for name in ("description", "first_name", "name", "username", "id"):
        if name in form.fields:
            return {**filled, name: "changed"}
    return filled


def _get(page: admin_pages.Page, user: User) -> Any:
    request = RequestFactory().get(page.address)
    request.user = user
    request.session = {}
    request._messages = FallbackStorage(request)
    return request


def staff(name: str, *, may_view: bool) -> Client:
    """A staff user that has every permission to view, or none at all."""
    user = User.objects.create_user(name, is_staff=True)
    if may_view:
        user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return logged_in(user)


def logged_in(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def rows() -> dict[str, str]:
    """A digest of each table but that of sessions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        found = {}
        for (table,) in cursor.fetchall():
            if table != "django_session":
                cursor.execute(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM \"{table}\" t")
                found[table] = cursor.fetchone()[0]
    return found


def changed_by(client: Client, request: Request, before: dict[str, str]) -> tuple[int, list[str]]:
    """Return the status of the response and the tables that the request changed; its changes are rolled back."""
    with transaction.atomic():
        status = client.post(request.address, request.form).status_code
        after = rows()
        transaction.set_rollback(True)
    return status, [table for table in after if after[table] != before.get(table)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("may_view", [True, False], ids=["view permissions", "no permission"])
def test_no_post_of_a_user_without_more_permissions_changes_anything(
    requests: list[Request], may_view: bool
) -> None:
    client = staff("vera", may_view=may_view)
    wrong, before = [], rows()
    for request in requests:
        status, changed = changed_by(client, request, before)
        if changed or status >= 500:
            wrong.append((request.name, status, changed))
    assert wrong == []


@pytest.mark.timeout(600)
def test_the_same_posts_of_a_superuser_change_rows(requests: list[Request]) -> None:
    """Otherwise the test above would show nothing. The queue's pages change nothing even then."""
    client = logged_in(User.objects.get(username="root"))
    before = rows()
    effects = {request.name: changed_by(client, request, before) for request in requests}
    assert not {name: effect for name, effect in effects.items() if effect[0] >= 500}
    effective = {name for name, (_, changed) in effects.items() if changed}
    expected = {
        *("gitsync_repository_changelist sync_now", "gitsync_repository_changelist delete_selected"),
        *("gitsync_repository_change", "gitsync_repository_delete", "gitsync_repository_sync"),
        *("auth_group_change", "auth_group_changelist delete_selected", "connections_connection_change"),
        *("notifications_notificationchannel_delete", "gitsync_system_check"),
    }
    assert expected <= effective, sorted(effective)
    assert not [name for name in effective if name.startswith("django_q_")]


def test_the_queue_s_pages_show_and_refuse_everything_else_to_a_superuser(requests: list[Request]) -> None:
    client = logged_in(User.objects.get(username="root"))
    keys = admin_rows.keys()
    for model in QUEUE:
        pages = admin.site.get_model_admin(model)
        start = f"/admin/django_q/{model._meta.model_name}/"
        row = f"{start}{keys[model._meta.label]}/"
        shown = client.get(start).content.decode()
        assert 'name="action"' not in shown
        assert f"{start}add/" not in shown
        assert (
            pages.get_actions(_get(admin_pages.Page("x", start, model), User.objects.get(username="root")))
            == {}
        )
        form = client.get(f"{row}change/").content.decode()
        assert 'name="_save"' not in form
        assert "deletelink" not in form
        for address in (f"{start}add/", f"{row}change/", f"{row}delete/"):
            assert client.post(address, {"post": "yes", "func": "os.system"}).status_code == 403, address
        assert client.get(f"{start}add/").status_code == 403


def test_no_page_of_the_admin_is_open_without_login(requests: list[Request]) -> None:
    open_pages = ("login", "jsi18n")
    for request in requests:
        if request.name not in open_pages:
            answer = Client().post(request.address, request.form)
            assert answer.status_code in (302, 403), request.name
            if answer.status_code == 302:
                assert "/admin/login/" in answer["Location"], request.name
