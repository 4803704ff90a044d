"""The screenshots of a data platform: the rows that the tests of lists measure too, `tests.support.platform_rows`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from playwright.sync_api import Locator, Page, expect

from tests.browser.service import Service
from tests.support.platform_specs import LARGE_DAG_TASKS, task_id_of

LARGE = "?q=customer_lifetime_value/load.yaml"  # a DAG of 500 tasks, and its runs
DAGS, RUNS, REPOSITORIES = (
    f"/admin/{name}/" for name in ("metadata/dag", "metadata/dagrun", "gitsync/repository")
)


class Camera(Protocol):
    """The camera of screenshots.py."""

    page: Page

    def take(
        self,
        name: str,
        address: str,
        *wanted: Callable[[Page], Locator],
        at: Callable[[Page], Locator] | None = None,
        ready: Callable[[Page], None] | None = None,
    ) -> None: ...


def fill(service: Service) -> None:
    """Replace all rows by those of the platform. The sessions go too, so log in again."""
    service.forget()
    service.python("tests.support.platform_rows")


def take_pictures(camera: Camera) -> None:
    """Take the screenshots of the lists, and of a DAG and a run of 500 tasks."""
    camera.take("dags", DAGS, listed(50))
    camera.take("runs", RUNS, listed(50))
    camera.take("repositories", REPOSITORIES, listed(10))
    camera.take("large-dag", first(camera.page, DAGS), last_task, at=graph, ready=full_size)
    camera.take("run", first(camera.page, RUNS), failed_task)


def listed(rows: int) -> Callable[[Page], Locator]:
    """Return the finder of the last row of a list of so many rows."""
    return lambda page: page.locator(f"#result_list tbody tr:nth-child({rows})")


def graph(page: Page) -> Locator:
    return page.locator("#dag-graph")


def full_size(page: Page) -> None:
    page.get_by_role("button", name="100 %", exact=True).click()
    expect(page.locator("[data-graph=scale]")).to_have_text("100 %")
    page.mouse.move(0, 0)  # else the task under the pointer is marked


def last_task(page: Page) -> Locator:
    """Return the last task of the graph of a large DAG."""
    return page.locator("svg text").filter(has_text=task_id_of(LARGE_DAG_TASKS - 1))


def failed_task(page: Page) -> Locator:
    """Return the first failed task of a run."""
    return page.locator("#content tbody tr").filter(has_text="Failed")


def first(page: Page, address: str) -> str:
    """Return the address of the first row of a list that is filtered by `LARGE`."""
    page.goto(address + LARGE)
    return str(page.locator("#result_list tbody th a").first.get_attribute("href")).partition("?")[0]
