"""A held commit in a real browser: it appears on the open page, fits every screen, and is accepted by the keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.service import Service
from tests.browser.test_admin import HELLO, RESULT_MS, WORLD, log_in, open_tab
from tests.browser.test_repository_page import PHONE, fits
from tests.support.servers.repositories import WorkRepo

SIZES = (
    {"width": 320, "height": 640},
    PHONE,
    {"width": 1280, "height": 800},
    {"width": 1920, "height": 1080},
)


@pytest.mark.timeout(300)
def test_a_commit_that_prunes_every_dag_is_held_shown_and_accepted(
    page: Page, service: Service, work_repo: WorkRepo
) -> None:
    work_repo.publish({"hello.yaml": HELLO, "world.yaml": WORLD})
    log_in(page, service)
    page.goto("/admin/gitsync/repository/add/")
    page.get_by_label("Name").fill("team")
    page.get_by_label("Url").fill(work_repo.file_url)
    page.get_by_label("Allow empty").uncheck()
    page.get_by_role("button", name="Save", exact=True).click()
    line = page.locator("#sync-status [data-sync-part=line]")
    expect(line).to_contain_text("In sync", timeout=RESULT_MS)
    held = page.get_by_role("region", name="Held commit")
    expect(held).to_have_count(0)

    for name in ("hello.yaml", "world.yaml"):
        (work_repo.work / name).unlink()
    commit = work_repo.publish({"README": "all gone"})
    page.get_by_role("button", name="Dry run").click()
    tried = page.get_by_role("region", name="Dry run")
    expect(tried).to_contain_text("Would be held", timeout=RESULT_MS)
    expect(tried.get_by_role("heading", name="2 DAGs would be pruned")).to_be_visible()
    page.get_by_role("button", name="Sync now", exact=True).click()
    # The page that is open shows it, without a reload.
    expect(held).to_contain_text(f"Commit {commit} would prune all 2 DAGs", timeout=RESULT_MS)
    expect(page.locator("#sync-status")).to_contain_text("would_empty")
    for size in SIZES:
        page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict of the library's own
        assert fits(page), size
        held.get_by_role("button").scroll_into_view_if_needed()
        expect(held.get_by_role("button")).to_be_in_viewport()

    page.goto("/admin/gitsync/overview/")
    expect(page.locator("[data-overview-rows]")).to_contain_text("2 DAGs still served at")
    page.get_by_role("link", name="team", exact=True).click()
    held.get_by_role("button", name="Accept: prune all 2 DAGs").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text(f"Accepted commit {commit} of team.")
    expect(line).to_contain_text("2 pruned", timeout=RESULT_MS)
    expect(held).to_have_count(0)
    open_tab(page, "DAGs")
    expect(page.locator("#changelist")).to_contain_text("0 DAGs")
