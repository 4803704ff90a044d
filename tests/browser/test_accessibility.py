"""Every page of the admin in a real browser, under the policy that is served: usable by everybody, and it keeps to itself.

The pages are found from the admin's own urls (tests/support/admin_pages.py), with rows of every kind in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.browser.service import Service
from tests.support import admin_pages
from tests.support.waiting import PATIENCE_SECONDS

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

AXE = """async ({ context, rules }) => {
  // Preloading makes style elements, which the policy rightly refuses.
  const options = { resultTypes: ["violations"], preload: false, ...(rules && { runOnly: rules }) };
  const { violations } = await axe.run(context, options);
  return violations.filter(found => found.impact !== "minor").flatMap(found => found.nodes.map(
    node => `${found.impact} ${found.id}: ${node.target.join(" ")}: ${node.html.slice(0, 200)}`
  ));
}"""

WHOLE_PAGE: dict[str, object] = {"exclude": []}
# The sidebar is the same on every page, and so is checked on the first page and the first list only.
WITHOUT_SIDEBAR: dict[str, object] = {"exclude": ["#nav-sidebar"]}
# The rules of axe that colours and the size of the screen decide. The others read the elements, which stay the same.
RULES_OF_STYLE = ["color-contrast", "link-in-text-block", "scrollable-region-focusable"]

# What reaches past the right edge outside of any region that scrolls by itself.
WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = [...document.querySelectorAll("main *, header *")]
    .filter(element => element.getBoundingClientRect().right > width + 1)
    .filter(element => {
      for (let up = element; up; up = up.parentElement) {
        if (up !== element && ["auto", "scroll", "hidden"].includes(getComputedStyle(up).overflowX)) return false;
      }
      return true;
    }).slice(0, 3).map(element => `wider than the page: ${element.outerHTML.slice(0, 200)}`);
  return wide.length ? wide : ["the page is wider than the screen"];
}"""

Filled = tuple[Service, dict[str, object]]


@pytest.fixture
def faults() -> list[str]:
    """The faults found; a test ends with none."""
    return []


@pytest.fixture
def context(filled_service: Filled, browser: Browser, faults: list[str]) -> Iterator[BrowserContext]:
    """A browser's session, logged in; what its pages complain of or ask of others is a fault."""
    service, _ = filled_service
    context = browser.new_context(base_url=service.url, viewport=DESKTOP)  # type: ignore[arg-type]  # as below
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    context.add_init_script(AXE_SCRIPT)  # once for all pages: it is half a megabyte
    log_in(context.new_page(), service)
    watch(context, service, faults)
    yield context
    context.close()


def log_in(page: Page, service: Service) -> None:
    page.goto("/admin/login/")
    page.get_by_label("Username").fill(service.username)
    page.get_by_label("Password").fill(service.password)
    with page.expect_navigation():
        page.get_by_role("button", name="Log in").click()


def watch(context: BrowserContext, service: Service, faults: list[str]) -> None:
    def ask(request: Request) -> None:
        if not request.url.startswith((f"{service.url}/", "data:", "blob:")):
            faults.append(f"asks another host: {request.url}")

    context.on("request", ask)
    context.on("weberror", lambda error: faults.append(f"script: {error.error}"))
    context.on(
        "console",
        lambda output: (
            faults.append(f"console: {output.text} ({output.location.get('url')})")
            if output.type == "error" and "status of 40" not in output.text
            else None
        ),
    )
    context.expose_function("tellViolation", lambda text: faults.append(f"policy: {text}"))
    context.add_init_script(
        """document.addEventListener("securitypolicyviolation", event => window.tellViolation(
          `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`))"""
    )


def all_pages(filled: Filled) -> list[admin_pages.Page]:
    _, keys = filled
    given = {"name": "r00001", "uid": keys["metadata.Dag"]}
    return list(admin_pages.pages(lambda model: keys[model._meta.label], given))


def kind_of(page: admin_pages.Page, status: int, text: str) -> str:
    """Return the kind of the page. Pages of one kind have one template and differ in their texts only."""
    if status != 200:
        return str(status)
    if page.name.endswith("_history"):
        return "history with entries" if 'id="change-history"' in text else "history without entries"
    return "app_list" if page.name == "app_list" else page.address


def distinct_pages(filled: Filled, page: Page) -> Iterator[admin_pages.Page]:
    """Yield the first page of each kind. JSON, scripts, redirects and pages for POST alone are not pages."""
    seen: set[str] = set()
    for found in all_pages(filled):
        answer = page.request.get(found.address, max_redirects=0)
        assert answer.status in (200, 302, 403, 404, 405), f"{found.address}: {answer.status}"
        if answer.status in (302, 405) or not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        kind = kind_of(found, answer.status, answer.text())
        if kind not in seen:
            seen.add(kind)
            yield found


def look(page: Page, context: Mapping[str, object] = WHOLE_PAGE) -> list[str]:
    """Return the faults of the page that is shown: in light at a desk, in dark on a phone."""
    everything = {"context": context, "rules": None}
    style = {"context": context, "rules": RULES_OF_STYLE}
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = [f"light: {fault}" for fault in page.evaluate(AXE, everything)]
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a TypedDict of the library's own
    found += [f"dark, phone: {fault}" for fault in [*page.evaluate(WIDE), *page.evaluate(AXE, style)]]
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    return [f"{page.url}: {fault}" for fault in found]


def test_no_page_has_a_fault_in_light_dark_or_on_a_phone(
    filled_service: Filled, context: BrowserContext, faults: list[str]
) -> None:
    page = context.new_page()
    seen: list[bool] = []
    for shown in distinct_pages(filled_service, page):
        page.goto(shown.address)
        faults += look(page, WITHOUT_SIDEBAR if shown.is_list in seen else WHOLE_PAGE)
        seen.append(shown.is_list)
    assert not faults, "\n".join(faults)
    assert len(seen) > 40


def test_pages_of_users_without_the_admin_say_what_to_do(
    filled_service: Filled, context: BrowserContext, faults: list[str]
) -> None:
    service, _ = filled_service
    page = context.new_page()
    for address, output in (
        ("/nowhere/", "Page not found"),
        ("/admin/gitsync/repository/99999/sync/status/", "Page not found"),
        ("/admin/gitsync/syncrun/add/", "Permission denied"),
    ):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status in (403, 404)
        expect(page.get_by_role("heading", level=1)).to_have_text(output)
        expect(page.get_by_role("link", name="Go to the front page")).to_be_visible()
        faults += look(page)
    with page.context.browser.new_context(base_url=service.url) as nobody:  # type: ignore[union-attr]
        nobody.add_init_script(AXE_SCRIPT)
        page = nobody.new_page()
        page.goto("/admin/")
        faults += look(page)
        page.get_by_label("Username").fill("nobody")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator(".errornote")).to_be_visible()
        faults += look(page)
        nobody.clear_cookies()
        page.get_by_label("Username").fill("nobody")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("This form has expired")
        faults += look(page)
    assert not faults, "\n".join(faults)


# Writes down what gets the focus, until something gets it again.
FOLLOW_FOCUS = """() => {
  const walk = window.walked = [];
  window.walkEnded = false;
  document.activeElement.blur();
  document.addEventListener("focusin", ({ target: at }) => {
    if (walk.length && (window.walkEnded ||= "visited" in at.dataset)) return;
    at.dataset.visited = "";
    const style = getComputedStyle(at);
    const box = at.getBoundingClientRect();
    const drawn = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0);
    walk.push({ html: at.outerHTML.slice(0, 160), href: at.getAttribute("href"), drawn,
                hasSize: box.width > 0 && box.height > 0, isInMain: Boolean(at.closest("main")) });
  });
}"""

MISSED = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
  .filter(element => element.checkVisibility() && !element.disabled && element.type !== "hidden" && element.tabIndex >= 0)
  .filter(element => !(element.type === "radio"))
  .filter(element => !("visited" in element.dataset)).map(element => element.outerHTML.slice(0, 160))"""


def test_every_control_is_reached_by_the_keyboard_with_its_focus_drawn(
    filled_service: Filled, context: BrowserContext, faults: list[str]
) -> None:
    _, keys = filled_service
    page = context.new_page()
    # What the overview replaces while it is walked would lose the marks of a visit: nothing new meanwhile.
    page.route("**/overview/status/*", lambda route: route.fulfill(status=304))
    page.route("**/sync/status/*", lambda _route: None)  # no answer
    for address in (
        "/admin/gitsync/overview/",
        "/admin/gitsync/repository/",
        f"/admin/gitsync/repository/{keys['gitsync.Repository']}/change/",
        "/admin/gitsync/errors/",
        "/admin/metadata/dag/",
        "/admin/connections/connection/",
    ):
        page.goto(address)
        page.evaluate(FOLLOW_FOCUS)
        for _step in range(40):
            for _press in range(10):
                page.keyboard.press("Tab")
            if page.evaluate("window.walkEnded"):
                break
        visited = page.evaluate("window.walked")
        assert visited[0]["href"] == "#content-start", address  # the way past the menu comes first
        faults += [f"{address}: focus is not drawn: {at['html']}" for at in visited if not at["drawn"]]
        faults += [f"{address}: no size: {at['html']}" for at in visited if not at["hasSize"]]
        faults += [f"{address}: not reached: {html}" for html in page.evaluate(MISSED)]
        order = [at["isInMain"] for at in visited]
        assert order == sorted(order), f"{address}: the focus leaves the content and comes back"
    page.goto("/admin/gitsync/repository/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("Boolean(document.activeElement.closest('main'))")
    assert not faults, "\n".join(faults)
