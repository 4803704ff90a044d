"""A real browser on the real service."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.service import Service
from tests.support.waiting import PATIENCE_SECONDS

PATIENCE_MS = PATIENCE_SECONDS * 1000
expect.set_options(timeout=PATIENCE_MS)

CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Start one service for all tests that need no service of their own: starting it takes longer than most tests."""
    with Service(tmp_path_factory.mktemp("running") / "service") as running:
        yield running


@pytest.fixture
def service(running: Service) -> Iterator[Service]:
    """Return the service as just started: it has only its first admin."""
    yield running
    running.forget()


def _complaint(message: ConsoleMessage) -> list[str]:
    """Return the complaint of a line of the console, if it is one. A site need not have a favicon."""
    address = message.location.get("url", "")
    is_ours = message.type == "error" and not address.endswith("/favicon.ico")
    return [f"{message.text} ({address})"] if is_ours else []


def complaints_of(page: Page) -> list[str]:
    """Return a list that collects the errors of the page's console from now on."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda output: complaints.extend(_complaint(output)))
    return complaints


@pytest.fixture(scope="module")
def filled_service(running: Service) -> Iterator[tuple[Service, dict[str, object]]]:
    """The service with rows of every kind, for all tests of a module; and a key of each kind, by the model's label."""
    yield running, json.loads(running.python("tests.support.admin_rows").splitlines()[-1])
    running.forget()


@pytest.fixture(scope="module")
def platform_service(running: Service) -> Iterator[Service]:
    """The service with the rows of a data platform (`tests.support.platform_rows`), for all tests of a module."""
    running.python("tests.support.platform_rows")
    yield running
    running.forget()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    chromium = shutil.which("chromium")
    assert chromium, "the browser tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """Return the browser as just started, without a session, page or cookie."""
    yield chromium
    for context in chromium.contexts:
        context.close()


@pytest.fixture
def page(service: Service, browser: Browser) -> Iterator[Page]:
    """Return a page of the service; errors in its console fail the test."""
    page = browser.new_page(base_url=service.url)
    page.set_default_timeout(PATIENCE_MS)
    complaints = complaints_of(page)
    yield page
    assert complaints == []


@pytest.fixture
def page_without_javascript(service: Service, browser: Browser) -> Page:
    return browser.new_page(base_url=service.url, java_script_enabled=False)
