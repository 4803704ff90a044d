"""No page of the admin fails because of its query parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils.http import urlencode

from tests.support import admin_pages, admin_rows

BAD = ("\x00", "9" * 40, "\ud800", "2026-13-45")
# What all lists take besides their search and filters, read by the same code.
COMMON = ("p", "page", "o", "repository", "_facets")


def test_no_page_fails_at_a_parameter_that_makes_no_sense(transactional_db: None) -> None:
    admin_rows.fill(admin_rows.Amounts())
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    failing = []
    pages = admin_pages.pages(lambda _model: None, {"name": "r00001", "uid": "r/a.yaml"})
    for number, page in enumerate(pages):
        for name, value in parameters_of(page, number):
            query = urlencode({name: value.encode("utf-8", "surrogatepass")})
            status = client.get(f"{page.address}?{query}").status_code
            if status not in (200, 302, 400, 403, 404, 405):
                failing.append((page.address, name, value[:20], status))
    assert failing == []


def parameters_of(page: admin_pages.Page, number: int) -> Iterator[tuple[str, str]]:
    """Yield bad parameters of a page: all bad values for its own, one for each of those that are common to lists.

    `number` is the page's number: the common parameters of lists have the bad values in turn.
    """
    if page.model is None or not page.is_list:
        own = () if page.name.endswith("_add") else ("page", "q")
        yield from itertools.product(own, BAD)
        return
    rows = admin.site.get_model_admin(page.model)
    request = RequestFactory().get(page.address)
    request.user = User(is_superuser=True)
    specs = rows.get_changelist_instance(request).filter_specs
    filters = {name for spec in specs for name in spec.expected_parameters() if name}
    yield from itertools.product(("q", "id__gte", *sorted(filters)), BAD)
    for at, name in enumerate(COMMON):
        yield name, BAD[(number + at) % len(BAD)]
