"""Every list of the admin fits the screen: no column cut off, rows of two lines, cards on a phone, in light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.service import Service
from tests.browser.test_accessibility import log_in
from tests.support import admin_pages
from tests.support.waiting import PATIENCE_SECONDS

WIDTHS = (1280, 1920)
PHONE_WIDTH = 390
MAX_ROW_HEIGHT = 56  # pixels: two lines of text and the padding of a cell
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# The lists that have rows; the others are lists of the task queue and the audit log.
FILLED = {
    *("metadata_dag", "metadata_dagrun", "metadata_dagversion", "gitsync_syncrun", "gitsync_sourcefile"),
    *(
        "gitsync_repository",
        "gitsync_delivery",
        "notifications_notificationchannel",
        "connections_connection",
    ),
    *("gitsync_apitoken", "auth_user", "auth_group"),
}

# The faults of a list at a desk. Text may be cut inside a cell only if its whole text is a title.
AT_A_DESK = """maxHeight => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`the page scrolls sideways: ${root.scrollWidth}`);
  const box = document.querySelector(".results");
  if (!box) return faults;
  if (box.scrollWidth > box.clientWidth) faults.push(`the table scrolls sideways: ${box.scrollWidth} of ${box.clientWidth}`);
  const right = Math.min(box.getBoundingClientRect().right, root.clientWidth) + 1;
  const cutAt = at => at.scrollWidth > at.clientWidth + 1 || at.scrollHeight > at.clientHeight + 2;
  const hides = at => ["hidden", "auto", "scroll"].includes(getComputedStyle(at).overflowX);
  const isHidden = (at, cell) => at !== cell && (hides(at.parentElement) || isHidden(at.parentElement, cell));
  for (const head of box.querySelectorAll("thead th")) {
    if (head.getBoundingClientRect().right > right) faults.push(`column cut off: ${head.innerText}`);
    const text = head.querySelector(".text");
    if (text && text.scrollWidth > text.clientWidth + 1) faults.push(`label cut off: ${head.innerText}`);
  }
  for (const row of box.querySelectorAll("tbody tr")) {
    const height = row.getBoundingClientRect().height;
    if (height > maxHeight) faults.push(`row of ${height} px: ${row.innerText.slice(0, 100)}`);
    for (const cell of row.children) {
      if (cell.getBoundingClientRect().right > right) faults.push(`cell cut off: ${cell.className}`);
      for (const inner of [cell, ...cell.querySelectorAll("*")]) {
        const title = inner.closest("[title]") ?? inner.querySelector("[title]");
        const html = inner.outerHTML.slice(0, 150);
        if (hides(inner) && cutAt(inner) && !(title && cell.contains(title))) faults.push(`text cut: ${html}`);
        if (inner.getBoundingClientRect().right > cell.getBoundingClientRect().right + 1 && !isHidden(inner, cell))
          faults.push(`reaches into the next column: ${html}`);
      }
    }
  }
  return faults;
}"""

ON_A_PHONE = """() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`the page scrolls sideways: ${root.scrollWidth}`);
  const box = document.querySelector(".results");
  if (!box) return faults;
  if (box.scrollWidth > box.clientWidth) faults.push(`the table scrolls sideways: ${box.scrollWidth}`);
  for (const row of box.querySelectorAll("tbody tr")) {
    if (getComputedStyle(row).display === "table-row") faults.push("a row is no card");
    for (const cell of row.children) {
      const { left, right, width } = cell.getBoundingClientRect();
      if (left < 0 || right > root.clientWidth) faults.push(`cell beyond the screen: ${cell.className}`);
      const label = getComputedStyle(cell, "::before").content;
      if (cell.tagName === "TD" && width && !cell.matches(".action-checkbox") && (label === "none" || label === '""'))
        faults.push(`cell without a label: ${cell.className}`);
    }
  }
  return faults;
}"""


# The faults of any page: sideways scrolling, elements beyond the right edge outside a box that scrolls, tables that are
# narrower than their section, and controls of forms beyond the padding of their row.
ON_ANY_PAGE = """() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`the page scrolls sideways: ${root.scrollWidth}`);
  const scrolls = at =>
    at && at.id !== "content" && (["auto", "scroll"].includes(getComputedStyle(at).overflowX) || scrolls(at.parentElement));
  for (const at of document.querySelectorAll("#content :not(#result_list *, .kiok-graph *)")) {
    const { right, width } = at.getBoundingClientRect();
    if (width && right > root.clientWidth + 1 && !scrolls(at.parentElement))
      faults.push(`beyond the screen by ${right - root.clientWidth} px: ${at.outerHTML.slice(0, 150)}`);
  }
  for (const table of document.querySelectorAll("#content table:not(#result_list)")) {
    const [own, box] = [table, table.parentElement].map(at => at.getBoundingClientRect().width);
    if (own < box - 1) faults.push(`table of ${own} px in ${box} px: ${table.outerHTML.slice(0, 150)}`);
  }
  for (const control of document.querySelectorAll("#content .form-row :is(input, select, textarea)")) {
    const row = control.closest(".form-row");
    const inner = row.getBoundingClientRect().right - parseFloat(getComputedStyle(row).paddingRight);
    const { right, width } = control.getBoundingClientRect();
    if (width && right > inner + 1) faults.push(`control beyond its row by ${right - inner} px: ${control.name}`);
  }
  return faults;
}"""
# The tabs of a row's page, by the name of the list.
TABS = {
    "metadata_dag": ("tasks", "runs", "versions", "source", "details"),
    "metadata_dagversion": ("graph", "tasks", "source", "details"),
    "metadata_dagrun": ("details",),
    "gitsync_repository": ("settings",),
}
LARGE = "?q=customer_lifetime_value/load.yaml"  # a DAG of 500 tasks
OTHER_PAGES = (
    *("/admin/gitsync/overview/", "/admin/gitsync/errors/", "/admin/gitsync/system/"),
    *(
        "/admin/gitsync/search/?q=orders",
        "/admin/gitsync/repository/add/",
        "/admin/connections/connection/add/",
    ),
    *("/admin/metadata/dag/?repository=billing", "/admin/auth/user/add/", "/admin/auth/group/add/"),
    *("/admin/notifications/notificationchannel/add/", "/admin/gitsync/apitoken/add/"),
)


@pytest.fixture
def page(platform_service: Service, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(base_url=platform_service.url)
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    page = context.new_page()
    log_in(page, platform_service)
    yield page
    context.close()


def lists() -> Iterator[admin_pages.Page]:
    return (
        page for page in admin_pages.pages(lambda _model: None, {"name": "x", "uid": "x"}) if page.is_list
    )


def test_every_list_fits_the_screen(page: Page) -> None:
    faults: list[str] = []
    filled = set()
    for shown in lists():
        page.set_viewport_size({"width": WIDTHS[0], "height": 800})
        page.goto(shown.address)
        if page.locator("#result_list tbody tr").count() > 3:
            filled.add(shown.name.removesuffix("_changelist"))
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                found = page.evaluate(AT_A_DESK, MAX_ROW_HEIGHT)
                faults += [f"{shown.name} at {width} px, {scheme}: {fault}" for fault in found[:5]]
            page.set_viewport_size({"width": PHONE_WIDTH, "height": 844})
            found = page.evaluate(ON_A_PHONE)
            faults += [f"{shown.name} at {PHONE_WIDTH} px, {scheme}: {fault}" for fault in found[:5]]
    assert not faults, "\n".join(faults)
    assert filled >= FILLED


def test_every_other_page_fits_the_screen(page: Page) -> None:
    """The page of a row of each list, with its tabs, and the pages that are no lists."""
    faults: list[str] = []
    for address in [*OTHER_PAGES, *rows_of_lists(page)]:
        page.goto(address)
        for width in (*WIDTHS, PHONE_WIDTH):
            page.set_viewport_size({"width": width, "height": 844})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                found = page.evaluate(ON_ANY_PAGE)
                faults += [f"{address} at {width} px, {scheme}: {fault}" for fault in found[:5]]
    assert not faults, "\n".join(faults)


def rows_of_lists(page: Page) -> list[str]:
    """Return the addresses of the first row's page of each list, and of its tabs; of DAGs and runs, a large one."""
    found: list[str] = []
    for shown in lists():
        name = shown.name.removesuffix("_changelist")
        page.goto(shown.address + (LARGE if name in ("metadata_dag", "metadata_dagrun") else ""))
        link = page.locator("#result_list tbody th a").first
        if link.count():
            address = str(link.get_attribute("href")).partition("?")[0]
            found += [address, *(f"{address}?tab={tab}" for tab in TABS.get(name, ()))]
    assert len(found) > 20
    return found
