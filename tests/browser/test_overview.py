"""The overview in a real browser: what changes shows by itself, and nothing is asked of a page that nobody sees."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.service import Service
from tests.browser.test_admin import BROKEN, HELLO, RESULT_MS, WORLD, add_repository, log_in
from tests.servers.repositories import WorkRepo

HIDE = """isHidden => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""Chromium without a screen calls every page visible."""

SYNC_NOW = """async address => {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const body = new URLSearchParams({ csrfmiddlewaretoken: token });
  return (await fetch(address.replace("/change/", "/sync/"), { method: "POST", body })).status;
}"""
"""Presses the button of the repository's page, without going there."""


@pytest.mark.timeout(300)
def test_the_overview_shows_what_syncs_do_without_a_reload_and_rests_while_it_is_hidden(
    page: Page, service: Service, work_repo: WorkRepo
) -> None:
    work_repo.publish({"hello.yaml": HELLO, "world.yaml": WORLD})
    log_in(page, service)
    add_repository(page, "team", work_repo.file_url)
    page.get_by_role("link", name="Overview", exact=True).first.click()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="team", exact=True))
    totals = page.locator("[data-cell=totals]")
    page.evaluate("window.markOfThisLoading = true")
    expect(row.locator("td").first).to_have_text("in sync", timeout=RESULT_MS)
    expect(totals).to_contain_text("1 in sync")
    expect(totals).to_contain_text("alive")

    commit = work_repo.publish({"world.yaml": BROKEN})
    sync_now = page.evaluate(SYNC_NOW, row.get_by_role("link", name="team", exact=True).get_attribute("href"))
    assert sync_now == 200
    expect(row.locator("td").first).to_have_text("in sync, with failed files", timeout=RESULT_MS)
    expect(row).to_contain_text(commit[:10])
    expect(row).to_contain_text("1 stale")
    assert page.evaluate("window.markOfThisLoading") is True

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(HIDE, True)
    page.wait_for_timeout(500)  # one that was under way
    asked.clear()
    page.wait_for_timeout(5_000)
    assert asked == []
    with page.expect_request(lambda request: "/overview/status/" in request.url):
        page.evaluate(HIDE, False)

    page.set_viewport_size({"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") is True
    row.get_by_role("link", name="1", exact=True).click()
    expect(page.get_by_role("heading", level=2, name="world.yaml in team")).to_be_visible()
