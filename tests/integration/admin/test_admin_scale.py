"""Every page of the admin with many rows: no more queries than with few. Benchmarks measure the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from tests.support import admin_pages, admin_rows

pytestmark = pytest.mark.django_db

FEW = admin_rows.Amounts()
MANY = replace(
    FEW,
    repositories=120,
    dags=300,
    versions=400,
    runs=400,
    syncs=400,
    files=400,
    deliveries=400,
    notifications=400,
    connections=120,
    tasks=120,
)


@dataclass(frozen=True)
class Asked:
    """The response of a page, and the number of its queries."""

    status: int
    queries: int


def ask_all() -> dict[str, Asked]:
    """Every page, by the pattern's name and the app it is of."""
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    keys = admin_rows.keys()
    requested = {}
    for page in admin_pages.pages(
        lambda model: keys[model._meta.label], {"name": "r00001", "uid": keys["metadata.Dag"]}
    ):
        for query in queries_of(page):
            where = f"{page.name} {page.address if page.name == 'app_list' else ''}{query}"
            requested[where] = ask(client, page.address + query.replace("last", last(page)))
    return requested


def queries_of(page: admin_pages.Page) -> Iterator[str]:
    """The page as it is; a list also searched, sorted by what it shows of the rows, and at its end."""
    yield ""
    if page.is_list:
        yield "?q=0001&o=2"
        yield "?p=last"


def last(page: admin_pages.Page) -> str:
    """The number of a list's last page."""
    if page.model is None:
        return ""
    rows = page.model._default_manager.count()
    return str(max(1, -(-rows // admin.site.get_model_admin(page.model).list_per_page)))


def ask(client: Client, address: str) -> Asked:
    with CaptureQueriesContext(connection) as queries:
        status = client.get(address).status_code
    return Asked(status, len(queries))


@pytest.fixture(scope="module")
def few_and_many(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[list[dict[str, Asked]]]:
    """All pages asked over few rows, then over many; the tables are empty again after the module."""
    with django_db_blocker.unblock():
        for concrete in (True, False):  # a process asks for each once
            ContentType.objects.get_for_models(*apps.get_models(), for_concrete_models=concrete)
        found = []
        try:
            for amounts in (FEW, MANY):
                call_command("flush", interactive=False, verbosity=0)
                admin_rows.fill(amounts)
                found.append(ask_all())
            yield found
        finally:
            call_command("flush", interactive=False, verbosity=0)


def test_no_page_makes_more_queries_for_many_rows_than_for_few(
    few_and_many: list[dict[str, Asked]],
) -> None:
    few, many = few_and_many
    assert {name: requested.queries for name, requested in many.items()} == {
        name: requested.queries for name, requested in few.items()
    }


def test_every_page_answers_over_many_rows(few_and_many: list[dict[str, Asked]]) -> None:
    _, many = few_and_many
    assert [
        name for name, requested in many.items() if requested.status not in (200, 302, 403, 404, 405)
    ] == []
