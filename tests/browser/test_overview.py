"""The overview in a real browser: it shows changes without a reload, and a hidden page sends no requests."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.service import Service
from tests.browser.test_admin import BROKEN, HELLO, RESULT_MS, WORLD, add_repository, log_in, reload_until
from tests.support.servers.repositories import WorkRepo

# Chromium without a screen calls every page visible.
HIDE = """isHidden => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""

# Presses the button of the repository's page, without going there.
SYNC_NOW = """async address => {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const body = new URLSearchParams({ csrfmiddlewaretoken: token });
  return (await fetch(address.replace("/change/", "/sync/"), { method: "POST", body })).status;
}"""


SLOW = "import time\nfrom kiok import Dag\ntime.sleep(0.25)\nd = Dag('d{number}')\nd.task('a', script='s')\n"
BAR = """() => { const bar = document.querySelector("progress"); return bar && [bar.value, bar.textContent]; }"""


@pytest.fixture
def elsewhere(service: Service, browser: Browser) -> Page:
    """Another browser's page."""
    return browser.new_page(base_url=service.url)


def row_of(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def state_of(page: Page, name: str) -> Locator:
    return row_of(page, name).get_by_role("cell").first


def follow_bar(page: Page, words: str) -> list[tuple[float, str]]:
    """Return the texts of the bar on the page, from its appearance until it disappears."""
    expect(page.locator("progress")).to_have_count(1, timeout=RESULT_MS)
    seen: list[tuple[float, str]] = []
    while found := page.evaluate(BAR):
        if not seen or tuple(found) != seen[-1]:
            seen.append(tuple(found))
        page.wait_for_timeout(100)
    assert any(words in output for _, output in seen), seen
    return seen


def test_a_slash_moves_to_the_search_box_which_finds_a_repository(
    page: Page, service: Service, work_repo: WorkRepo
) -> None:
    log_in(page, service)
    add_repository(page, "team", work_repo.file_url)
    page.goto("/admin/gitsync/overview/")
    page.get_by_label("Name or URL").press("/")
    expect(page.get_by_label("Name or URL")).to_have_value("/")
    page.locator("h1").click()
    page.keyboard.press("/")
    box = page.get_by_role("searchbox", name="Search for repositories, DAGs, files and commits")
    expect(box).to_be_focused()
    page.keyboard.type("tea")
    page.keyboard.press("Enter")
    page.locator("#content").get_by_role("link", name="team", exact=True).click()
    expect(page.locator("h1")).to_contain_text("team")


def test_the_overview_updates_without_a_reload_and_rests_while_hidden(
    page: Page, elsewhere: Page, service: Service, work_repo: WorkRepo
) -> None:
    work_repo.publish({"hello.yaml": HELLO, "world.yaml": WORLD})
    log_in(page, service)
    expect(page.get_by_role("status")).to_have_text("No repositories yet.")
    page.evaluate("window.markOfThisLoading = true")
    expect(page.get_by_role("region", name="Repositories").get_by_role("table")).to_be_hidden()

    # A repository that is added elsewhere appears, and then the result of its first sync.
    log_in(elsewhere, service)
    add_repository(elsewhere, "team", work_repo.file_url)
    totals = page.locator("[data-overview-part=totals]")
    expect(state_of(page, "team")).to_have_text("In sync", timeout=RESULT_MS)
    expect(totals).to_contain_text("1 in sync")
    expect(totals).to_contain_text("Alive")
    expect(page.get_by_role("status")).to_have_text("1 repository: 1 in sync.")

    commit = work_repo.publish({"world.yaml": BROKEN})
    address = row_of(page, "team").get_by_role("link", name="team", exact=True).get_attribute("href")
    assert elsewhere.evaluate(SYNC_NOW, address) == 200
    expect(state_of(page, "team")).to_have_text("Degraded", timeout=RESULT_MS)
    expect(row_of(page, "team")).to_contain_text(commit[:10])
    expect(row_of(page, "team")).to_contain_text("1 stale")

    # The row of a deleted repository disappears, and the focused element keeps the focus.
    add_repository(elsewhere, "aaa", work_repo.file_url)
    expect(state_of(page, "aaa")).to_have_text("Degraded", timeout=RESULT_MS)
    row_of(page, "team").get_by_role("link", name="1", exact=True).focus()
    elsewhere.goto(elsewhere.url.replace("/change/", "/delete/"))
    elsewhere.get_by_role("button", name="Yes").click()
    expect(row_of(page, "aaa")).to_have_count(0, timeout=RESULT_MS)
    expect(row_of(page, "team").get_by_role("link", name="1", exact=True)).to_be_focused()
    assert page.evaluate("window.markOfThisLoading") is True

    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.evaluate(HIDE, True)
    page.wait_for_timeout(500)  # for a request that had already started
    requested.clear()
    page.wait_for_timeout(7_000)
    assert requested == []
    with page.expect_request(lambda request: "/overview/status/" in request.url):
        page.evaluate(HIDE, False)
    began = time.monotonic()
    page.wait_for_event("request", lambda request: "/overview/status/" in request.url)
    assert time.monotonic() - began > 3, "it is polled every second, as while a sync runs"

    page.set_viewport_size({"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") is True
    row_of(page, "team").get_by_role("link", name="1", exact=True).click()
    expect(page.get_by_role("heading", level=2, name="world.yaml in team")).to_be_visible()


def test_a_long_sync_shows_a_progress_bar_counts_and_log(
    page: Page, elsewhere: Page, service: Service, work_repo: WorkRepo
) -> None:
    work_repo.publish({f"d{number:02}.py": SLOW.format(number=number) for number in range(60)})
    log_in(page, service)
    page.goto("/admin/gitsync/overview/")
    page.evaluate("window.markOfThisLoading = true")
    log_in(elsewhere, service)
    add_repository(elsewhere, "team", work_repo.file_url)

    seen = follow_bar(page, "of 60 files")

    values = [value for value, _ in seen]
    assert values == sorted(values)
    assert len({output for _, output in seen if "of 60 files" in output}) >= 3, seen
    expect(state_of(page, "team")).to_have_text("In sync", timeout=RESULT_MS)
    assert page.evaluate("window.markOfThisLoading") is True

    # The same on the page of a sync, with its log.
    address = row_of(page, "team").get_by_role("link", name="team", exact=True).get_attribute("href")
    page.goto(f"{address}")
    line = page.locator("#sync-status [data-sync-part=line]")
    link = line.get_by_role("link", name="Sync")
    earlier = str(link.get_attribute("href"))
    page.get_by_role("button", name="Sync now (full)", exact=True).click()
    expect(line).to_contain_text("Syncing", timeout=RESULT_MS)
    # A worker claims the repository before it creates the row of its sync.
    expect(link).not_to_have_attribute("href", earlier, timeout=RESULT_MS)
    link.click()
    page.evaluate("window.markOfThisLoading = true")
    log = page.get_by_role("region", name="Log")
    expect(log).to_contain_text("full sync: all are compiled", timeout=RESULT_MS)
    assert len(follow_bar(page, "of 60 files")) >= 3
    expect(log).to_contain_text("apply: committed", timeout=RESULT_MS)
    expect(page.get_by_role("status")).to_contain_text("60 unchanged")
    steps = page.get_by_role("region", name="Time per step")
    bars = steps.locator("rect.kiok-bar").evaluate_all(
        "bars => bars.map(bar => bar.getBoundingClientRect().width)"
    )
    times = {
        row.split()[0]: width
        for row, width in zip(steps.get_by_role("row").all_inner_texts()[1:], bars, strict=True)
    }
    assert max(times, key=lambda step: times[step]) == "compile"
    assert page.evaluate("window.markOfThisLoading") is True
    page.set_viewport_size({"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") is True


def test_without_javascript_the_overview_is_searchable_and_reloads(
    page_without_javascript: Page, service: Service, work_repo: WorkRepo
) -> None:
    page = page_without_javascript
    work_repo.publish({"hello.yaml": HELLO})
    log_in(page, service)
    for name in ("one", "two"):
        add_repository(page, name, work_repo.file_url)
        reload_until(page, "In sync")
    page.goto("/admin/gitsync/overview/")
    expect(state_of(page, "one")).to_have_text("In sync")
    page.get_by_label("Name or URL").fill("wo")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(state_of(page, "two")).to_have_text("In sync")
    expect(row_of(page, "one")).to_have_count(0)
    page.get_by_role("link", name="Show all").click()
    page.get_by_label("State").select_option("failing")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("No repository matches.")).to_be_visible()
    page.get_by_role("link", name="2 in sync").click()
    expect(state_of(page, "one")).to_have_text("In sync")
