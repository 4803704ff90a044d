"""Access: no page of the admin shows a user of one group anything of another group's repositories.

Every address of the admin is tried, with real rows; one that the test does not know how to fill fails it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Field, ForeignKey, JSONField, ManyToManyField, Model
from django.test import Client
from pytest_django import DjangoDbBlocker

from gitsync.models import Repository
from tests.support.access_pages import (
    CONNECTIONS,
    FILLED,
    FORM,
    HEALTH,
    LISTS,
    MISSING,
    NOBODY,
    PLAIN,
    ask,
    fill,
    model_of,
    state,
    told,
    without,
)
from tests.support.access_rows import Rows, logged_in, make_lonely_dag, make_rows, user_of

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def both(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[Rows, Rows]]:
    """Make the rows and users once, in a transaction around those of the tests, which roll back to them."""
    with django_db_blocker.unblock(), transaction.atomic():
        ours = make_rows("aardvark", "first", 500_000_000)
        theirs = make_rows("zebra", "second", 700_000_000)
        make_lonely_dag(theirs)
        user_of(ours.group)
        User.objects.create_superuser("root")
        yield ours, theirs
        transaction.set_rollback(True)


@pytest.fixture
def ours(both: tuple[Rows, Rows]) -> Rows:
    return both[0]


@pytest.fixture
def theirs(both: tuple[Rows, Rows]) -> Rows:
    return both[1]


@pytest.fixture
def vera(both: tuple[Rows, Rows], db: None) -> Client:
    return logged_in(User.objects.get(username="vera"))


@pytest.fixture
def root(both: tuple[Rows, Rows], db: None) -> Client:
    return logged_in(User.objects.get(username="root"))


@pytest.mark.parametrize("method", ["get", "post"])
def test_every_page_of_another_groups_rows_answers_not_found(method: str, vera: Client, theirs: Rows) -> None:
    before = state(theirs)
    for route in FILLED:
        there, absent_one = fill(route, theirs), fill(route, theirs, missing=True)
        answered = ask(vera, method, there)
        if f"/{CONNECTIONS}/" in route:  # connections are of no group
            assert not theirs.tells(answered), there
            continue
        # An answer may repeat what it was asked for.
        answered, expected = without(theirs, answered), without(theirs, ask(vera, method, absent_one))
        assert answered.split("\n")[0] in ("302", "403", "404", "405"), there
        assert answered == expected, there
        assert not theirs.tells(answered), there
    assert state(theirs) == before


def test_the_same_pages_tell_a_superuser_of_them(root: Client, theirs: Rows) -> None:
    silent = [
        route
        for route in FILLED
        if route.endswith(("change/", "history/")) and not theirs.tells(ask(root, "get", fill(route, theirs)))
    ]
    # The queued task here is none that can be read.
    assert {route.split("/")[3] for route in silent if route.endswith("change/")} == {"ormq"}


@pytest.mark.parametrize("method", ["get", "post"])
def test_no_page_over_many_rows_tells_of_another_group_s(method: str, vera: Client, theirs: Rows) -> None:
    for route in PLAIN:
        assert not theirs.tells(ask(vera, method, route)), route
    for app in {model._meta.app_label for model in admin.site._registry}:
        assert not theirs.tells(ask(vera, method, f"/admin/{app}/")), app


def test_the_lists_tell_of_the_user_s_own_and_a_superuser_of_both(
    vera: Client, root: Client, ours: Rows, theirs: Rows
) -> None:
    of_repositories = [route for route in LISTS if route.split("/")[2] in ("gitsync", "metadata")]
    assert len(of_repositories) >= 7
    for route in [
        *of_repositories,
        "/admin/gitsync/overview/",
        "/admin/gitsync/errors/",
    ]:
        if "apitoken" in route:
            continue  # everybody has their own
        assert ours.tells(ask(vera, "get", route)), route
        shown = ask(root, "get", route)
        assert ours.tells(shown), route
        assert theirs.tells(shown), route
    assert "lonely" in ask(vera, "get", "/admin/metadata/dag/")


# Lookups take turns over the fields of a model, so that each field and each lookup is queried.
TEXT_LOOKUPS = ("={}", "__startswith={}", "__contains={}", "__regex=^{}")
RELATION_LOOKUPS = ("={}", "__in={}", "__id__exact={}")


def probes(model: type[Model], word: str, rows: Rows | None) -> Iterator[str]:
    """Yield queries of a list by every field of its rows and by related rows, for the rows or for no row."""
    text_lookups, relation_lookups = itertools.cycle(TEXT_LOOKUPS), itertools.cycle(RELATION_LOOKUPS)
    yield f"q={word}"
    yield f"q={rows.commit if rows else '0' * 40}"
    for field in model._meta.get_fields():
        related = field.related_model
        if isinstance(related, type) and issubclass(related, Model):
            table = f"{related._meta.app_label}/{related._meta.model_name}"
            key = rows.keys.get(table, MISSING) if rows else MISSING
            yield field.name + next(relation_lookups).format(key)
            if related is Repository:
                yield f"{field.name}__name__startswith={word}"
                yield f"{field.name}__url__contains={word}"
                yield f"{field.name}__groups__name__startswith={word}"
        elif isinstance(field, JSONField):
            yield f"{field.name}__icontains={word}"
        elif isinstance(field, Field) and field.get_internal_type() in ("CharField", "TextField"):
            yield field.name + next(text_lookups).format(word)


@pytest.mark.parametrize("route", LISTS)
def test_no_list_query_reveals_rows_of_another_group(route: str, vera: Client, theirs: Rows) -> None:
    of_them = probes(model_of(route), theirs.word, theirs)
    of_none = probes(model_of(route), NOBODY, None)
    for requested, otherwise in zip(of_them, of_none, strict=True):
        answered, expected = (
            without(theirs, ask(vera, "get", f"{route}?{query}")) for query in (requested, otherwise)
        )
        assert answered == expected, (route, requested)
    for query in (
        "_facets=True",
        "_popup=1",
        "_to_field=id",
        "_to_field=name",
        "o=1",
        "o=-2.1",
        "all=",
        "e=1",
        "p=2",
    ):
        assert not theirs.tells(ask(vera, "get", f"{route}?{query}")), (route, query)


def test_neither_search_nor_filters_of_the_other_pages_tell(vera: Client, theirs: Rows) -> None:
    pages = ("/admin/gitsync/errors/", "/admin/gitsync/overview/")
    for page in (*pages, "/admin/gitsync/overview/status/"):
        for name in ("q", "repository", "state", "page"):
            answered, expected = (
                # How the installation is changes from one moment to the next, and is of no repository.
                HEALTH.sub("", without(theirs, ask(vera, "get", f"{page}?{name}={word}")))
                for word in (theirs.word, NOBODY)
            )
            assert answered == expected, (page, name)


def test_no_autocompletion_tells_of_another_group_s(vera: Client, theirs: Rows) -> None:
    requested = 0
    for model in admin.site._registry:
        for field in model._meta.get_fields():
            if isinstance(field, ForeignKey | ManyToManyField):
                about = f"app_label={model._meta.app_label}&model_name={model._meta.model_name}"
                shown = ask(vera, "get", f"/admin/autocomplete/?{about}&field_name={field.name}&term=")
                assert not theirs.tells(shown), (model, field)
                requested += "results" in shown
    assert requested  # some answer at all


@pytest.mark.parametrize("across", ["0", "1"])
def test_no_action_of_a_list_reaches_another_group_s_rows_by_a_forged_key(
    across: str, vera: Client, theirs: Rows
) -> None:
    before = state(theirs)[:-1]  # with `across` the user's own may be asked for
    request = type("", (), {"user": User.objects.get(username="vera"), "GET": {}, "POST": {}})()
    for route in LISTS:
        model_admin = admin.site._registry[model_of(route)]
        key = theirs.keys["/".join(route.split("/")[2:4])]
        for name in model_admin.get_actions(request):
            if CONNECTIONS in route and name == "delete_selected":
                form = {"_selected_action": [key], "select_across": "0"}
            else:
                form = {"_selected_action": [key], "select_across": across}
            answer = vera.post(route, {**FORM, "action": name, **form}, follow=True)
            assert not theirs.tells(told(answer)), (route, name)
    assert state(theirs)[:-1] == before
