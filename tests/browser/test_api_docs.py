"""The API's documentation in Chromium, under its own strict policy, and a token's way from the admin to a request."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.service import Service
from tests.browser.test_admin import log_in


def test_a_token_is_created_and_used_on_the_documentation_page(page: Page, service: Service) -> None:
    log_in(page, service)
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))

    page.goto("/admin/gitsync/apitoken/add/")
    page.get_by_label("Name:").fill("mine")
    page.get_by_role("button", name="Save", exact=True).click()
    token = page.locator("#new-token").input_value()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token
    assert re.fullmatch(r"kiok_[A-Za-z0-9_-]{43}", token)

    page.goto("/admin/gitsync/system/")
    with page.expect_response("**/api/v1/docs") as expected:
        page.get_by_role("navigation", name="Settings").get_by_role("link", name="API", exact=True).click()
    answer = expected.value
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    expect(page.get_by_text("Everything that the admin offers, for programs")).to_be_visible()
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").fill(token)
    page.locator(".auth-container").get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").first.click()
    me = page.locator("#operations-token-me")
    me.locator(".opblock-summary").click()
    me.get_by_role("button", name="Try it out").click()
    me.get_by_role("button", name="Execute").click()
    result = me.locator(".live-responses-table")
    expect(result.locator(".response-col_status").last).to_contain_text("200")
    expect(result).to_contain_text('"superuser": true')

    follows_the_theme_and_links_back(page)
    assert {host for host in hosts if host} == {service.url.removeprefix("http://")}
    assert token not in service.log


def follows_the_theme_and_links_back(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_class("dark-mode")
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).not_to_have_class("dark-mode")
    page.get_by_role("navigation", name="Back").get_by_role("link", name="kiok").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
