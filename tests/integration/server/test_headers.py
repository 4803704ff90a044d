"""The headers of every response."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import path

from gitsync.models import Repository
from kiok.server.urls import urlpatterns as real

pytestmark = pytest.mark.django_db


def fails(_request: object) -> None:
    raise RuntimeError("a secret of the inside")


urlpatterns = [*real, path("fails/", fails)]

STRICT = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}


@pytest.fixture
def browser() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("ada"))
    return client


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/admin/gitsync/overview/", 200),
        ("/admin/login/", 302),
        ("/nowhere/", 404),
        ("/admin/gitsync/syncrun/add/", 403),
        ("/admin/gitsync/syncrun/?q=%00", 400),
        ("/fails/", 500),
        ("/static/kiok/times.js", 200),
        ("/static/kiok/icon.svg", 200),
    ],
)
def test_every_answer_carries_the_strict_policy(browser: Client, address: str, status: int) -> None:
    answer = browser.get(address)
    assert answer.status_code == status
    policy = answer.headers["Content-Security-Policy"]
    assert set(policy.split("; ")) >= STRICT
    assert "unsafe" not in policy
    assert "data:" not in policy
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    kept = answer.headers["Cache-Control"]
    assert ("max-age=3600" in kept) if address.startswith("/static/") else ("no-store" in kept)


@override_settings(ROOT_URLCONF=__name__)
def test_an_error_page_has_a_remedy_and_no_internal_details(browser: Client) -> None:
    for address, output in (
        ("/fails/", "Internal server error"),
        ("/nowhere/", "Page not found"),
        ("/admin/gitsync/syncrun/add/", "Permission denied"),
        ("/admin/?q=%00", "Invalid request"),
    ):
        page = browser.get(address).content.decode()
        assert f"<h1>{output}</h1>" in page
        assert "secret of the inside" not in page
        assert "Traceback" not in page


def test_pages_hold_no_inline_script_and_no_inline_style(browser: Client) -> None:
    row = Repository.objects.create(name="team", url="https://example.org/x.git")
    for address in (
        "/admin/gitsync/overview/",
        "/admin/gitsync/repository/",
        f"/admin/gitsync/repository/{row.pk}/change/",
    ):
        page = browser.get(address).content.decode()
        assert "<style" not in page
        assert " style=" not in page
        for tag in page.split("<script")[1:]:
            assert "src=" in tag.split(">")[0] or "application/json" in tag.split(">")[0]
