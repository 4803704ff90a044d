"""No page of the admin fails at what it is asked for, however little sense it makes."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils.http import urlencode

from tests import admin_pages, admin_rows

BAD = (
    "\x00",
    "9" * 40,
    "-1",
    "\ud800",
    "2026-13-45",
    "' OR 1=1 --",
    "%",
    "x" * 5000,
    "[]",
)


@pytest.mark.timeout(300)
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


def parameters_of(page: admin_pages.Page) -> list[str]:
    """What a page may be asked for: what its filters expect, and lookups that the admin takes besides."""
    common = ["q", "p", "page", "o", "all", "e", "repository", "state", "_facets", "_to_field", "_popup"]
    if not page.is_list or page.model is None:
        return common
    rows = admin.site.get_model_admin(page.model)
    request = RequestFactory().get(page.address)
    request.user = User(is_superuser=True)
    specs = rows.get_changelist_instance(request).filter_specs
    expected = [name for spec in specs for name in spec.expected_parameters() if name]
    fields = [
        f"{field.name}{lookup}" for field in page.model._meta.fields for lookup in ("", "__gte", "__isnull")
    ]
    return [*common, *expected, *fields]
