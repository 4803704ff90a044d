"""The page of a DAG in a real browser: a graph that can be read, zoomed, moved and walked."""

from __future__ import annotations

import random
import re

import pytest
from django.contrib.admin.utils import quote
from playwright.sync_api import Browser, Page, expect

from tests.browser.service import Service
from tests.browser.test_admin import RESULT_MS, add_repository, log_in, open_tab
from tests.support.servers.repositories import WorkRepo

TASKS = 500
# The least height of letters that are read without effort.
LEGIBLE_PX = 11

SMALL = """dag:
  id: small
  schedule: "5 * * * *"
tasks:
- id: extract
  script: echo extract
- id: clean_up_everything_that_was_left_of_the_day_before
  type: http
  config: {url: "https://example.org/clean"}
  requires: [extract]
- id: load  # the last
  script: echo load
  requires: [extract, clean_up_everything_that_was_left_of_the_day_before]
  timeout: 5m
"""


def large() -> str:
    """Layers of ten tasks, each of which requires one to three of the layer before."""
    chance = random.Random(7)
    lines = ["dag:", "  id: large", "tasks:"]
    for task in range(TASKS):
        before = range(task // 10 * 10 - 10, task // 10 * 10) if task >= 10 else ()
        required = (
            ", ".join(f"step_{one}" for one in sorted(chance.sample(before, chance.randint(1, 3))))
            if before
            else ""
        )
        lines.append(
            f"- {{id: step_{task}, type: {chance.choice(('shell', 'python'))}, script: x, requires: [{required}]}}"
        )
    return "\n".join(lines) + "\n"


def scale(page: Page) -> float:
    return float(page.evaluate("document.querySelector('.kiok-canvas').getScreenCTM().a"))


def place(page: Page) -> tuple[float, float]:
    found = page.evaluate(
        "(() => { const m = document.querySelector('.kiok-canvas').getScreenCTM(); return [m.e, m.f]; })()"
    )
    return found[0], found[1]


def expect_scale(page: Page, words: str) -> None:
    """The line next to the buttons shows the scale once it is reached."""
    expect(page.locator("[data-graph=scale]")).to_have_text(re.compile(words))


def test_a_graph_can_be_zoomed_moved_and_navigated(
    page: Page, service: Service, work_repo: WorkRepo, browser: Browser
) -> None:
    work_repo.publish({"small.yaml": SMALL, "large.yaml": large()})
    log_in(page, service)
    add_repository(page, "team", work_repo.file_url)
    expect(page.locator("#sync-status [data-sync-part=line]")).to_contain_text("In sync", timeout=RESULT_MS)

    the_small_one(page)
    the_large_one(page)
    versions_side_by_side(page, work_repo)
    at_phone_width(page)
    without_javascript(page, service, browser)


def open_dag(page: Page, uid: str) -> None:
    page.goto(f"/admin/metadata/dag/{quote(uid)}/change/")


def the_small_one(page: Page) -> None:
    open_dag(page, "team/small.yaml")
    graph = page.get_by_role("region", name="Picture of the graph")
    nodes = graph.get_by_role("listitem")
    expect(nodes).to_have_count(3)
    load = graph.get_by_role("link", name="load, shell task")
    expect(load).to_be_visible()
    expect(graph.get_by_role("link", name=re.compile("^clean_up_.*before, http task"))).to_contain_text("…")
    expect(graph.locator(".kiok-edges path")).to_have_count(3)

    # The words that go with it: fire times, coloured source that reads as written, lines that can be linked to.
    open_tab(page, "Details")
    expect(page.locator(".field-next_fire_times")).to_contain_text("At 5 minutes past the hour")
    expect(page.locator(".field-next_fire_times time").first).to_have_attribute(
        "datetime", re.compile(r":05:00")
    )
    open_tab(page, "Source")
    source = page.get_by_role("region", name="Source as authored").locator("pre")
    assert source.evaluate("pre => pre.textContent") == SMALL
    expect(source.locator(".kiok-code-comment")).to_have_text("# the last")
    page.goto(f"{page.url.partition('#')[0]}#L4")
    expect(page.locator("#L4:target")).to_have_count(1)

    # A task leads to its row.
    open_tab(page, "Graph")
    graph.scroll_into_view_if_needed()
    load.click()
    expect(page.locator("tr:target th")).to_have_text("load")

    # By keyboard alone: into the graph, from task to task, and to the row.
    open_tab(page, "Graph")
    graph.focus()
    page.keyboard.press("Tab")
    focused = page.locator("a.kiok-node:focus")
    expect(focused).to_have_count(1)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_accessible_name("extract, shell task")
    expect(page.locator(".kiok-edge-lit")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("tr:target th")).to_contain_text("clean_up")


def the_large_one(page: Page) -> None:
    open_dag(page, "team/large.yaml")
    frame = page.locator(".kiok-graph")
    expect(frame.locator("a.kiok-node")).to_have_count(TASKS)
    box = frame.bounding_box()
    assert box is not None
    assert box["width"] > 0.85 * page.locator("#content").bounding_box()["width"]  # type: ignore[index]
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(NAMES_BEYOND_THEIR_BOX) == []
    letters = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.kiok-name')).fontSize)")
    assert letters * scale(page) >= LEGIBLE_PX
    assert frame.locator("a.kiok-node").first.is_visible()

    page.get_by_role("button", name="100 %").click()
    expect_scale(page, "^100 %$")
    assert scale(page) == pytest.approx(1)
    page.get_by_role("button", name="Zoom in").click()
    expect_scale(page, "^135 %$")
    page.get_by_role("button", name="Zoom out").click()
    expect_scale(page, "^100 %$")
    page.get_by_role("button", name="Fit").click()
    expect_scale(page, r"^\d\d? %$")
    assert page.evaluate(ALL_IN_FRAME) is True

    # The same by keys.
    frame.focus()
    page.keyboard.press("1")
    expect_scale(page, "^100 %$")
    page.keyboard.press("+")
    expect_scale(page, "^135 %$")
    page.keyboard.press("-")
    expect_scale(page, "^100 %$")
    before = place(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "x => document.querySelector('.kiok-canvas').getScreenCTM().e < x - 70", arg=before[0]
    )
    page.keyboard.press("0")
    expect_scale(page, r"^\d\d? %$")
    assert page.evaluate(ALL_IN_FRAME) is True

    # By wheel and by dragging; a drag that begins on a task is no click on it.
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    fitted = scale(page)
    page.mouse.wheel(0, -300)
    page.wait_for_function(
        "s => document.querySelector('.kiok-canvas').getScreenCTM().a > s * 1.05", arg=fitted
    )
    before, address = place(page), page.url
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=5)
    page.mouse.up()
    page.wait_for_function(
        "x => document.querySelector('.kiok-canvas').getScreenCTM().e > x + 50", arg=before[0]
    )
    assert page.url == address

    # A task that has the focus is brought into view.
    frame.focus()
    page.keyboard.press("1")
    expect_scale(page, "^100 %$")
    page.keyboard.press("Tab")
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(FOCUS_IN_FRAME)


OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll('a.kiok-node use')].map((box) => box.getBoundingClientRect());
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(
    (b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom));
}"""

NAMES_BEYOND_THEIR_BOX = """() => [...document.querySelectorAll('a.kiok-node')].filter((node) =>
  node.querySelector('.kiok-name').getBoundingClientRect().right
    > node.querySelector('use').getBoundingClientRect().right).map((node) => node.textContent)"""

ALL_IN_FRAME = """() => {
  const frame = document.querySelector('.kiok-graph').getBoundingClientRect();
  return [...document.querySelectorAll('a.kiok-node use')].map((box) => box.getBoundingClientRect()).every((box) =>
    box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom);
}"""

FOCUS_IN_FRAME = """() => {
  const frame = document.querySelector('.kiok-graph').getBoundingClientRect();
  const box = document.activeElement.querySelector('use').getBoundingClientRect();
  return box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom;
}"""


def versions_side_by_side(page: Page, work_repo: WorkRepo) -> None:
    for timeout in ("6m", "7m"):
        work_repo.publish({"small.yaml": SMALL.replace("5m", timeout)})
        page.goto("/admin/gitsync/repository/named/team/")
        page.get_by_role("button", name="Sync now", exact=True).click()
        expect(page.locator("#sync-status [data-sync-part=line]")).to_contain_text(
            "1 updated", timeout=RESULT_MS
        )
    open_dag(page, "team/small.yaml")
    open_tab(page, "Versions")
    changes = page.get_by_role("region", name="Versions")
    expect(changes.get_by_role("heading", name="from version 2 to version 3")).to_be_visible()
    expect(changes.locator("del mark").last).to_have_text("6m")
    expect(changes.locator("ins mark").last).to_have_text("7m")
    page.get_by_label("From version").select_option("1")
    page.get_by_label("to version", exact=True).select_option("3")
    page.get_by_role("button", name="Compare").click()
    expect(changes.get_by_role("heading", name="from version 1 to version 3")).to_be_visible()
    expect(changes.locator("del mark").last).to_have_text("5m")
    changes.get_by_role("link", name="2", exact=True).click()
    changed = page.get_by_role("region", name="Changes")
    expect(changed).to_contain_text("Since version 1")
    expect(changed.locator("ins mark").last).to_have_text("6m")


def at_phone_width(page: Page) -> None:
    open_dag(page, "team/large.yaml")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate(TOO_PALE) == []
    page.set_viewport_size({"width": 390, "height": 800})
    page.reload()
    expect(page.get_by_role("button", name="Fit")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") is True
    assert scale(page) * 13 >= LEGIBLE_PX
    page.set_viewport_size({"width": 1280, "height": 800})


# Every colour of dag.css on its background, by WCAG's formula. https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
TOO_PALE = """() => {
  const style = getComputedStyle(document.documentElement);
  const rgb = (name) => {
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = style.getPropertyValue(name);
    const found = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number);
    probe.remove();
    return found;
  };
  const light = (name) => {
    const [r, g, b] = rgb(name).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const code = ['comment', 'keyword', 'string', 'number', 'key', 'name', 'builtin', 'decorator'];
  const types = ['shell', 'python', 'http', 'livy', 'trino', 'ontul', 'python-callable', 'java', 'other'];
  const pairs = [
    ...code.map((name) => [`--kiok-code-${name}`, '--darkened-bg', 4.5]),
    ...types.map((name) => ['--kiok-letter', `--kiok-${name}`, 4.5]),
    ['--kiok-box-text', '--kiok-box', 4.5],
    ['--kiok-ins', '--kiok-ins-bg', 4.5], ['--kiok-ins', '--kiok-ins-mark', 4.5],
    ['--kiok-del', '--kiok-del-bg', 4.5], ['--kiok-del', '--kiok-del-mark', 4.5],
    ['--kiok-letter', '--kiok-lit', 4.5],
    ['--body-quiet-color', '--darkened-bg', 4.5], ['--body-quiet-color', '--body-bg', 4.5],
    ['--kiok-line', '--darkened-bg', 3], ['--kiok-lit', '--darkened-bg', 3], ['--kiok-box-line', '--kiok-box', 3],
    ...['success', 'failed', 'running', 'pending', 'cancelled'].map((name) => [`--kiok-${name}`, '--body-bg', 3]),
  ];
  return pairs.map(([a, b, least]) => [a, b, contrast(a, b), least]).filter(([, , found, least]) => !(found >= least));
}"""


def without_javascript(page: Page, service: Service, browser: Browser) -> None:
    cookies = page.context.cookies()
    plain = browser.new_context(base_url=service.url, java_script_enabled=False)
    plain.add_cookies([{"name": one["name"], "value": one["value"], "url": service.url} for one in cookies])
    page = plain.new_page()
    open_dag(page, "team/small.yaml")
    graph = page.locator(".kiok-graph")
    expect(graph.locator("a.kiok-node")).to_have_count(3)
    expect(page.get_by_role("button", name="Fit")).to_be_hidden()
    graph.locator("a.kiok-node").last.click()
    expect(page.locator("tr:target th")).to_have_text("load")
    plain.close()
