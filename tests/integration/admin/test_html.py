"""Every page is HTML without errors, so nothing that is shown is taken for markup, and no text swallows what follows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import html5lib
import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client, RequestFactory
from django.utils.safestring import SafeData
from django_q.models import OrmQ, Schedule

from kiok.connections import property_text
from kiok.connections.models import Connection
from tests.support import admin_pages, admin_rows
from tests.support.commit_rows import HOSTILE

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

# Of Django's own template of a user's password (admin/auth/user/change_password.html): a list in a
# paragraph. A browser ends the paragraph before the list; the texts are Django's.
ALLOWED = re.compile(r"unexpected-end-tag at .*lost\.</li></ul></p>")


@pytest.fixture
def root(db: None) -> Client:
    """A superuser's client over rows of every kind, whose texts hold markup."""
    admin_rows.fill(admin_rows.Amounts())
    Schedule.objects.create(name=HOSTILE[:90], func=HOSTILE[:200], args=HOSTILE)
    OrmQ.objects.create(key="kiok", payload=HOSTILE, lock="2026-01-01T00:00:00Z")
    Group.objects.create(name=HOSTILE[:140])
    Connection.objects.filter(pk=Connection.objects.first().pk).update(description=HOSTILE)
    user = User.objects.create_superuser("root", password="x" * 12, first_name=HOSTILE[:100])
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def errors_of(page: str) -> list[str]:
    """Return the errors of the HTML, each with its place and the text around it."""
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(page)
    lines = page.splitlines()
    found = [
        f"{code} at {line}:{column}: {lines[line - 1][max(0, column - 60) : column + 20]!r}"
        for (line, column), code, _ in parser.errors
    ]
    return [error for error in found if not ALLOWED.match(error)]


def faults(answers: Iterator[tuple[str, Any]]) -> dict[str, list[str]]:
    """The pages that have errors, of those that are HTML."""
    seen, found = 0, {}
    for name, answer in answers:
        assert answer.status_code < 500 or name == "/500", name
        if answer.headers.get("Content-Type", "").startswith("text/html") and answer.content:
            seen += 1
            if errors := errors_of(answer.content.decode()):
                found[name] = errors[:5]
    assert seen, "no page was looked at"
    return found


def pages(root: Client) -> list[admin_pages.Page]:
    keys = admin_rows.keys()
    assert [name for name, key in keys.items() if key is None] == [], "there is a row of every model"
    given = {"name": "r00001", "uid": keys["metadata.Dag"]}
    return list(admin_pages.pages(lambda model: keys[model._meta.label], given))


def test_the_parser_finds_markup_that_hides_the_rest_of_a_page() -> None:
    page = "<!DOCTYPE html><html><head><title>x</title></head><body><p>{}</p></body></html>"
    assert errors_of(page.format("name=&lt;&lt;END")) == []
    for wrong in ("name=<<END", "a < b <c", "a & b &copy", '<b>"', "<p class=a class=b></p>"):
        assert errors_of(page.format(wrong)), wrong


def test_every_page_of_the_admin_is_html_without_errors(root: Client) -> None:
    assert faults((page.address, root.get(page.address)) for page in pages(root)) == {}


def test_forms_with_errors_are_valid_html(root: Client) -> None:
    def answers() -> Iterator[tuple[str, Any]]:
        for page in pages(root):
            if page.name.endswith(("_add", "_change")):
                yield f"{page.address} with errors", root.post(page.address, {"name": HOSTILE, "id": HOSTILE})
            elif page.is_list:
                assert page.model is not None
                rows = [str(key) for key in page.model._default_manager.values_list("pk", flat=True)[:3]]
                rows_admin = admin.site.get_model_admin(page.model)
                request = RequestFactory().get(page.address)
                request.user = User.objects.get(username="root")
                for action in [*rows_admin.get_actions(request), "none"]:
                    form = {"action": action, "_selected_action": rows}
                    yield f"{page.address} {action}", root.post(page.address, form, follow=True)
                yield f"{page.address} searched", root.get(page.address, {"q": HOSTILE, "o": "1"})

    assert faults(answers()) == {}


def test_pages_for_everybody_are_html_without_errors(root: Client, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 1

    def answers() -> Iterator[tuple[str, Any]]:
        somebody = Client(raise_request_exception=False)
        yield "login", somebody.get("/admin/login/?next=/admin/<<END")
        wrong = {"username": HOSTILE[:100], "password": "x"}
        yield "login refused", somebody.post("/admin/login/", wrong)
        locked = somebody.post("/admin/login/", wrong)
        assert locked.status_code == 429
        yield "locked out", locked
        yield "login, no form", Client(enforce_csrf_checks=True).post("/admin/login/", wrong)
        yield "404", root.get("/nothing/<<END")
        yield "404 in the admin", root.get("/admin/nothing/<<END/")
        yield "400", root.get("/admin/?q=%00")
        staff = User.objects.create_user("staff", is_staff=True)
        somebody.force_login(staff)
        yield "403", somebody.get("/admin/auth/user/")
        yield "logged out", somebody.post("/admin/logout/")
        yield "API documentation", root.get("/api/v1/docs")

    assert faults(answers()) == {}


def test_no_help_text_holds_markup_by_accident(root: Client) -> None:
    """The admin shows help texts as HTML: of form fields, and of a model's fields where they are read-only."""
    request = RequestFactory().get("/")
    request.user = User.objects.get(username="root")
    wrong = []
    for model, rows in admin.site._registry.items():
        texts = [(field.name, getattr(field, "help_text", "")) for field in model._meta.get_fields()]
        page = root.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/add/")
        if page.context and "adminform" in page.context:
            form = page.context["adminform"].form
            texts += [(name, field.help_text) for name, field in form.fields.items()]
        for inline in rows.get_inline_instances(request):
            texts += [
                (field.name, getattr(field, "help_text", "")) for field in inline.model._meta.get_fields()
            ]
        wrong += [
            (model._meta.label, name, shown)
            for name, shown in ((name, str(text)) for name, text in texts)  # lazy texts are what they give
            if not isinstance(shown, SafeData) and re.search(r"[<>&]", shown)
        ]
    assert wrong == []


def test_the_form_of_a_connection_shows_its_help(root: Client) -> None:
    page = root.get("/admin/connections/connection/add/").content.decode()
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    shown = " ".join("".join(tree.find(".//*[@id='id_changes_helptext']").itertext()).split())
    assert shown == " ".join(property_text.HELP.split())
    assert "name=<<END" in shown
