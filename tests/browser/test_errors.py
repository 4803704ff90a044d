"""The page of errors in a real browser: found, filtered by the keyboard, readable in light, dark and on a phone."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.service import Service
from tests.browser.test_admin import BROKEN, HELLO, RESULT_MS, add_repository, log_in
from tests.support.servers.repositories import WorkRepo

PHONE = {"width": 375, "height": 700}


def test_a_broken_push_is_found_filtered_and_read_at_its_marked_line(
    page: Page, service: Service, work_repo: WorkRepo
) -> None:
    work_repo.publish({"hello.yaml": HELLO, "world.yaml": BROKEN})
    log_in(page, service)
    for name in ("one", "two"):
        add_repository(page, name, work_repo.file_url)
        expect(page.locator("#sync-status")).to_contain_text("Degraded", timeout=RESULT_MS)
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))

    page.get_by_role("link", name="All 1 with source lines").click()
    expect(page.get_by_label("Repository", exact=True)).to_have_value("two")
    page.get_by_role("link", name="Show all").click()
    headings = page.get_by_role("heading", level=2, name="world.yaml in")
    expect(headings).to_have_count(2)
    marked = page.locator("mark")
    for line in marked.all():
        expect(line).to_have_text(re.compile(r"^> \d \| "))

    page.get_by_label("Repository", exact=True).select_option("one")
    page.get_by_label("Path or message").fill("WORLD")
    page.get_by_label("Path or message").press("Enter")
    expect(headings).to_have_text(["world.yaml in one"])
    expect(page.get_by_label("Path or message")).to_have_value("WORLD")
    at_fault = marked.filter(has_text="require: [turn]").first
    expect(at_fault).to_have_text("> 7 |   require: [turn]")
    for scheme in ("light", "dark"):
        # Without motion, since links change their colour over 0.15 s otherwise.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # a literal
        assert contrast(at_fault) >= 4.5, scheme
        for link in headings.get_by_role("link").all():
            assert contrast(link, headings) >= 4.5, scheme

    page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a TypedDict of the library's own
    expect(at_fault).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") is True
    assert hosts == {service.url.removeprefix("http://")}


def contrast(element: Locator, ground: Locator | None = None) -> float:
    """Return the contrast of a text on a background: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio."""
    colours = (
        element.evaluate("element => getComputedStyle(element).color"),
        (ground or element).evaluate("element => getComputedStyle(element).backgroundColor"),
    )
    darker, lighter = sorted(_luminance(colour) for colour in colours)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
