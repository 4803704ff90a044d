"""The navigation of the admin: its areas, what each user sees of them, and the front page."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tests.support.record_pages import client_of

pytestmark = pytest.mark.django_db

OVERVIEW = "/admin/gitsync/overview/"
AREAS = {
    "Overview": OVERVIEW,
    "DAGs": "/admin/metadata/dag/",
    "Runs": "/admin/metadata/dagrun/",
    "Repositories": "/admin/gitsync/repository/",
    "Errors": "/admin/gitsync/errors/",
    "Settings": "/admin/connections/connection/",
}


def links(html: str, navigation: str) -> dict[str, str]:
    """Return the links of the navigation with this name, in their order; none without it."""
    found = re.search(rf'<nav[^>]* aria-label="{navigation}">(.*?)</nav>', html, re.DOTALL)
    return {
        name: url
        for url, name in re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', found[1] if found else "")
    }


def current(html: str) -> list[str]:
    return re.findall(r'<a href="[^"]+" aria-current="(?:page|true)">([^<]+)</a>', html)


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


def test_every_page_begins_with_the_areas_and_marks_its_own(admin_client: Client) -> None:
    for area, url in AREAS.items():
        shown = text(admin_client, url)
        assert links(shown, "Areas") == AREAS
        assert current(shown)[0] == area


def test_an_area_lists_its_pages_below_and_marks_the_shown_one(admin_client: Client) -> None:
    shown = text(admin_client, "/admin/gitsync/syncrun/")
    assert [*links(shown, "Repositories")] == ["Repositories", "Syncs", "Files", "Webhook deliveries"]
    assert current(shown) == ["Repositories", "Syncs"]
    assert not links(text(admin_client, OVERVIEW), "Overview"), "an area of one page has no second line"


def test_every_list_is_in_exactly_one_area(admin_client: Client) -> None:
    found = [url for url in AREAS.values() for url in links_of_area(admin_client, url)]
    lists = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]
    assert len(lists) > 10
    assert sorted(url for url in found if url in lists) == sorted(lists)


def links_of_area(client: Client, url: str) -> list[str]:
    shown = text(client, url)
    return [*links(shown, current(shown)[0]).values()] or [url]


def test_the_front_page_is_the_overview(admin_client: Client) -> None:
    assert admin_client.get("/admin/").headers["Location"] == OVERVIEW


@pytest.mark.parametrize(
    ("codename", "areas", "front"),
    [
        ("view_dag", {"DAGs"}, "/admin/metadata/dag/"),
        ("view_sourcefile", {"Repositories", "Errors"}, "/admin/gitsync/sourcefile/"),
        ("view_dagversion", {"DAGs"}, "/admin/metadata/dagversion/"),
    ],
)
def test_a_user_sees_only_the_areas_of_their_permissions(codename: str, areas: set[str], front: str) -> None:
    client = client_of(codename)
    assert client.get("/admin/").headers["Location"] == front
    assert {*links(text(client, front), "Areas")} == areas


def test_a_user_without_permissions_is_told_whom_to_ask() -> None:
    shown = text(client_of(), "/admin/")
    assert "You may not view anything yet. Ask an administrator" in shown
    assert not links(shown, "Areas")


def test_the_address_of_an_app_leads_to_its_first_page(admin_client: Client) -> None:
    for app, url in (
        ("gitsync", "/admin/gitsync/repository/"),
        ("metadata", "/admin/metadata/dag/"),
        ("auth", "/admin/auth/user/"),
    ):
        assert admin_client.get(f"/admin/{app}/").headers["Location"] == url
    assert client_of("view_dag").get("/admin/gitsync/").status_code == 404


def test_a_page_in_a_small_window_has_no_navigation(admin_client: Client) -> None:
    assert not links(text(admin_client, "/admin/auth/group/add/?_popup=1"), "Areas")
    assert not links(text(Client(), "/admin/login/"), "Areas")
