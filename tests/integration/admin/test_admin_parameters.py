"""No page of the admin fails because of its query parameters."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils.http import urlencode

from tests.support import admin_pages, admin_rows

BAD = ("\x00", "9" * 40, "\ud800", "2026-13-45")
# What pages take besides their filters.
COMMON = ("q", "p", "page", "o", "repository", "_facets")


def test_no_page_fails_at_a_parameter_that_makes_no_sense(transactional_db: None) -> None:
    admin_rows.fill(admin_rows.Amounts())
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    failing = []
    for page in admin_pages.pages(lambda _model: None, {"name": "r00001", "uid": "r/a.yaml"}):
        for name in parameters_of(page):
            for value in BAD:
                query = urlencode({name: value.encode("utf-8", "surrogatepass")})
                status = client.get(f"{page.address}?{query}").status_code
                if status not in (200, 302, 400, 403, 404, 405):
                    failing.append((page.address, name, value[:20], status))
    assert failing == []


def parameters_of(page: admin_pages.Page) -> tuple[str, ...]:
    """Return the query parameters of a page; for a list, those that its filters expect."""
    if page.model is None or not page.is_list:
        return () if page.name.endswith("_add") else ("page", "q")
    rows = admin.site.get_model_admin(page.model)
    request = RequestFactory().get(page.address)
    request.user = User(is_superuser=True)
    specs = rows.get_changelist_instance(request).filter_specs
    return (*COMMON, *(name for spec in specs for name in spec.expected_parameters() if name), "id__gte")
