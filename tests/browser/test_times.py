"""Times in the reader's zone, absolute and relative, kept up to date; in UTC without scripts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.service import Service
from tests.browser.test_accessibility import log_in

Filled = tuple[Service, dict[str, object]]

CREATED = ".field-created_at time"


def run_page(filled: Filled) -> str:
    return f"/admin/metadata/dagrun/{filled[1]['metadata.DagRun']}/change/?tab=details"


def opened(filled: Filled, browser: Browser, **options: object) -> Page:
    service, _ = filled
    context = browser.new_context(base_url=service.url, **options)  # type: ignore[arg-type]  # its own
    page = context.new_page()
    log_in(page, service)
    return page


@pytest.mark.parametrize(
    ("zone", "short"), [("America/New_York", r"GMT-[45]|E[SD]T"), ("Asia/Tokyo", r"GMT\+9|JST")]
)
def test_times_are_in_the_viewers_zone_with_its_name(
    filled_service: Filled, browser: Browser, zone: str, short: str
) -> None:
    page = opened(filled_service, browser, timezone_id=zone)
    page.goto(run_page(filled_service))
    created = page.locator(CREATED)
    when = datetime.fromisoformat(created.get_attribute("datetime") or "")
    there = when.astimezone(ZoneInfo(zone))
    expect(created).to_have_text(re.compile(rf"^{there:%Y-%m-%d %H:%M:%S} ({short}) \((just now|.+ ago)\)$"))
    title = created.get_attribute("title") or ""
    assert zone in title
    assert f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" in title

    # A list: the words first, then the time of day; the date where it is another day.
    page.goto("/admin/gitsync/syncrun/?o=1")
    cell = page.locator("#result_list .field-started time").first
    there = datetime.fromisoformat(cell.get_attribute("datetime") or "").astimezone(ZoneInfo(zone))
    expect(cell).to_have_text(
        re.compile(rf"(just now|ago) \((\d{{4}}-\d\d-\d\d )?{there:%H:%M} ({short})\)$")
    )

    # What Django's own pages show: the history of an object, and lists of times.
    page.goto(f"/admin/gitsync/repository/{filled_service[1]['gitsync.Repository']}/history/")
    shown = page.locator("#change-history time").first
    expect(shown).to_have_text(re.compile(rf"^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d ({short})$"))


def test_relative_times_go_on_and_replaced_parts_are_shown_alike(
    filled_service: Filled, browser: Browser
) -> None:
    page = opened(filled_service, browser, timezone_id="Europe/Berlin")
    page.clock.install(time=datetime.now(UTC))
    page.goto(run_page(filled_service))
    words = page.locator(f"{CREATED} [data-time=relative]")
    soon = datetime.now(UTC) + timedelta(seconds=90)
    page.evaluate(
        """when => {
          const part = document.createElement("p");
          const cell = '<span data-time="relative">x</span> <span data-time="exact">y</span>';
          part.innerHTML = `<time datetime="${when}">${cell}</time>`;
          part.id = "replaced";
          document.querySelector("#content-main").append(part);
        }""",
        soon.isoformat(),
    )
    replaced = page.locator("#replaced time")
    expect(replaced).to_have_text(re.compile(r"^in 1.minute .*\d\d:\d\d CES?T$"))
    before = words.text_content()
    page.clock.run_for(200_000)
    expect(replaced).to_have_text(re.compile(r"^1.minute ago "))
    assert words.text_content() != before
    assert replaced.get_attribute("aria-live") == "off"


def test_without_scripts_times_are_marked_as_utc(filled_service: Filled, browser: Browser) -> None:
    page = opened(filled_service, browser, java_script_enabled=False, timezone_id="Asia/Kolkata")
    page.goto(run_page(filled_service))
    expect(page.locator(CREATED)).to_have_text(
        re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \((just now|.+ ago)\)$")
    )
    page.goto("/admin/gitsync/syncrun/")
    expect(page.locator("#result_list .field-started time").first).to_have_text(
        re.compile(r"(just now|ago) \((\d{4}-\d\d-\d\d )?\d\d:\d\d UTC\)$")
    )
