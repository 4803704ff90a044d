"""`make screenshots`: take the screenshots of README and the guides, light and dark, of the real service in a real browser.

    screenshots.py [FOLDER]        the output folder, docs/screenshots by default

It adds the repositories of a few teams in the admin, pushes to them and breaks some, so the pages show what the service made
of them. Only runs are written directly into the database, since executors are not part of Git Sync. Then it takes those of
long lists and large pages from the rows of a data platform, which the tests measure too. If a page does not show the
expected content, the script exits with status 1. Names of this machine are replaced before a screenshot is taken.
"""

from __future__ import annotations

import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Error, Locator, Page, expect, sync_playwright
from rich.markup import escape
from stage import ROOT, console, shown, step

sys.path.insert(0, str(ROOT))

import pictured_platform as platform
import pictured_teams as teams

from tests.browser.conftest import CHROMIUM_ARGUMENTS
from tests.browser.service import Service
from tests.support.servers.https import Fault, HttpsServer
from tests.support.servers.receiver import WebhookServer

FOLDER = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "docs" / "screenshots"
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
WIDTH, HEIGHT = 1280, 800
PHONE = (390, 844)
MAX_BYTES = 200_000
PATIENCE_MS = 40_000

RUNS = """
from datetime import timedelta
from django.utils import timezone
from kiok.metadata.models import Dag, DagRun
now, dag = timezone.now(), Dag.objects.get(uid={uid!r})
for age in range(14, 0, -1):
    begun = now - timedelta(hours=24 * age - 20)
    state = "FAILED" if age in (4, 9) else "SUCCESS"
    end = begun + timedelta(seconds=340 + 97 * age % 180)
    run = DagRun.objects.create(uid=dag.uid, version=1 + (age < 6), trigger="schedule", state=state,
        started_at=begun, finished_at=end)
    DagRun.objects.filter(pk=run.pk).update(created_at=begun)
"""

CONNECTIONS = """
from kiok.connections.models import Connection
for id in ("trino", "spark"):
    Connection(id=id, usable_by_all=True).set_properties({"url": f"https://{id}.example.com", "user": "kiok"})
"""

REPLACE = """words => {
  const replaced = text => words.reduce((done, [from, to]) => done.replace(new RegExp(from, "g"), to), text);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = replaced(texts.currentNode.data);
  document.querySelectorAll("input[type=text], input[type=url], textarea").forEach(field => {
    field.value = replaced(field.value);
  });
}"""
SHOWN = """() => document.body.innerText + [...document.querySelectorAll("input, textarea")].map(f => f.value).join(" ")"""


@dataclass(frozen=True)
class Machine:
    """The names of this machine that a page could show, and their replacements."""

    git_port: int
    hook_port: int

    @property
    def host(self) -> str:
        """The pattern of the host name as a word: a short one also occurs within a token of a form."""
        return rf"\b{re.escape(socket.gethostname()[:60])}\b"

    def words(self) -> list[tuple[str, str]]:
        return [
            (rf"https://localhost:{self.git_port}", "https://git.example.com"),
            (rf"https://localhost:{self.hook_port}", "https://chat.example.com"),
            (rf"localhost:{self.git_port}", "git.example.com:443"),
            (rf"localhost:{self.hook_port}", "chat.example.com"),
            (self.host, "kiok-1"),
        ]

    def check(self, text: str) -> None:
        others = (f":{self.git_port}", f":{self.hook_port}", tempfile.gettempdir(), str(ROOT))
        for name in (self.host, *map(re.escape, others)):
            if found := re.search(name, text):
                around = text[max(0, found.start() - 60) :][:160]
                raise AssertionError(f"the screenshot would show {found[0]!r} of this machine: {around!r}")


class Camera:
    """A browser page that takes screenshots of the service."""

    def __init__(self, page: Page, machine: Machine) -> None:
        self.page = page
        self._machine = machine
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)

    def take(
        self,
        name: str,
        address: str,
        *wanted: Callable[[Page], Locator],
        at: Callable[[Page], Locator] | None = None,
        size: tuple[int, int] = (WIDTH, HEIGHT),
        ready: Callable[[Page], None] | None = None,
    ) -> None:
        """Take both screenshots of the page at `address`, once all `wanted` elements are visible. `at` is their top.

        `ready` does the final steps on the page.
        """
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        for scheme in SCHEMES:
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.page.goto(address)
            for look in wanted:
                expect(look(self.page).first).to_be_visible()
            if ready is not None:
                ready(self.page)
            if at is not None:
                at(self.page).first.evaluate("element => element.scrollIntoView({ block: 'start' })")
            self.page.evaluate(REPLACE, self._machine.words())
            self._machine.check(str(self.page.evaluate(SHOWN)))
            path = FOLDER / f"{name}-{scheme}.png"
            self.page.screenshot(path=path, animations="disabled")
            size_bytes = path.stat().st_size
            if size_bytes > MAX_BYTES:
                raise AssertionError(
                    f"{shown(path)} has {size_bytes} bytes, but at most {MAX_BYTES} are allowed in the repository"
                )
            console.print(f"   {shown(path)} [dim]{size_bytes // 1000} kB[/]")


class Desk:
    """The actions of an operator in the admin before the screenshots are taken."""

    def __init__(self, page: Page, service: Service, remote: HttpsServer) -> None:
        self.page, self._service, self._remote, self.receiver = page, service, remote, ""
        self.log_in()

    def log_in(self) -> None:
        self.page.goto("/admin/")
        self.page.get_by_label("Username").fill(self._service.username)
        self.page.get_by_label("Password").fill(self._service.password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url("**/overview/")

    def add(self, name: str) -> None:
        self.page.goto("/admin/gitsync/repository/add/")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Url").fill(self._remote.url(f"{name}.git"))
        self.page.get_by_label("Subpath").fill("dags")
        self.page.get_by_role("button", name="Save", exact=True).click()
        self.comes_to("In sync")

    def add_receiver(self, name: str, url: str) -> None:
        self.page.goto("/admin/notifications/notificationchannel/add/")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("URL").fill(url)
        self.page.get_by_label("Format").select_option("slack")
        self.page.get_by_label("All repositories").check()
        self.page.get_by_role("button", name="Save", exact=True).click()
        self.page.locator("#result_list").get_by_role("link", name=name, exact=True).click()
        self.page.get_by_role("button", name="Send a test notification").click()
        expect(self.page.get_by_role("region", name="Table of notifications")).to_contain_text("Sent")
        self.receiver = self.page.url

    def press(self, name: str, button: str) -> None:
        self.page.goto(page_of(name))
        self.page.get_by_role("button", name=button, exact=True).click()

    def comes_to(self, *words: str) -> None:
        for word in words:
            expect(self.page.locator("#sync-status [data-sync-part=line]")).to_contain_text(word)

    def pause(self, name: str, reason: str) -> None:
        self.page.goto(page_of(name))
        self.page.locator("summary").filter(has_text="Pause").click()
        self.page.get_by_label("Reason").fill(reason)
        self.page.get_by_role("button", name="Pause", exact=True).click()
        expect(self.page.get_by_role("region", name="Paused")).to_contain_text(reason)


def page_of(name: str) -> str:
    return f"/admin/gitsync/repository/named/{name}/"


def text(words: str | re.Pattern[str]) -> Callable[[Page], Locator]:
    return lambda page: page.locator("#content").get_by_text(words)


def css(selector: str) -> Callable[[Page], Locator]:
    return lambda page: page.locator(selector)


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kiok-screenshots-")))
        chat = stack.enter_context(WebhookServer(folder / "chat"))
        certificates = (folder / "chat" / "server.pem", folder / "chat" / "server.key")
        remote = stack.enter_context(
            HttpsServer(folder / "served", folder / "https", certificates=certificates)
        )
        repositories = teams.Teams(folder / "served")
        settings = {
            "KIOK_GITSYNC_SSL_CA_INFO": str(chat.ca_file),
            "KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS": "localhost",
            "KIOK_NOTICE_AFTER_FAILURES": "1",
        }
        step("Start the service and a browser")
        service = stack.enter_context(Service(folder / "service", settings=settings))
        chromium = shutil.which("chromium")
        if not chromium:
            raise AssertionError("Chromium is not installed: apt-get install chromium")
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        stack.callback(browser.close)
        page = browser.new_page(base_url=service.url, timezone_id="UTC", locale="en-GB")
        camera = Camera(page, Machine(remote.port, int(chat.url().split(":")[2].partition("/")[0])))
        desk = Desk(page, service, remote)

        step("Let five teams push")
        for name in repositories.names():
            desk.add(name)
        desk.add_receiver("on call", chat.url("hooks/on-call"))
        tell_the_teams_news(desk, repositories, remote)
        service.python("django", "shell", "-c", RUNS.format(uid=teams.NIGHTLY) + CONNECTIONS)

        step("Take the screenshots")
        FOLDER.mkdir(parents=True, exist_ok=True)
        take_pictures(camera, desk, repositories)

        step("Take those of a data platform")
        platform.fill(service)
        desk.log_in()
        platform.take_pictures(camera)


def tell_the_teams_news(desk: Desk, repositories: teams.Teams, remote: HttpsServer) -> None:
    """Change a DAG of one team, break a file of another, make a server fail, and pause a repository before a push."""
    repositories.change_the_nightly_load()
    desk.press("analytics", "Sync now")
    desk.comes_to("In sync 1 updated")
    repositories.break_the_invoices()
    desk.press("billing", "Sync now")
    desk.comes_to("1 stale")
    remote.faults["marketing.git"] = Fault.UNAVAILABLE
    desk.press("marketing", "Sync now")
    desk.comes_to("Failing", "the server failed")
    desk.pause("search", teams.REASON)
    repositories.rearrange_the_index()


def take_pictures(camera: Camera, desk: Desk, repositories: teams.Teams) -> None:
    dag = f"/admin/metadata/dag/{quoted(teams.NIGHTLY)}/change/"
    task, changed = css("svg text:has-text('tell_sales')"), css("#dag-versions ins mark")
    camera.take("dag", dag, task, at=css("#dag-graph"), ready=fit_graph)
    camera.take("versions", f"{dag}?tab=versions", changed, at=css("#dag-versions"))
    camera.take("errors", "/admin/gitsync/errors/", text("Still serving"), text("dunning.py in"))
    camera.take("repository", page_of("billing"), text("Failed files"), text("Last syncs"))
    camera.take(
        "notices", desk.receiver, css("td:has-text('billing')"), css("td:has-text('marketing')"), text("sent")
    )
    desk.press("search", "Dry run")
    plan = "1 DAG would be created, 1 DAG would be updated, 1 DAG would be pruned; 2 are unchanged."
    expect(desk.page.locator("#dry-run")).to_contain_text(plan)
    camera.take("dry-run", page_of("search"), text(plan), at=css("#dry-run"), ready=open_difference)

    repositories.add_many_slow_files()
    desk.press("platform", "Sync now")
    desk.comes_to("Syncing")
    syncing = text(re.compile(r"compile [1-9]\d\d of \d+ files"))
    for name, size in (("overview", (WIDTH, HEIGHT)), ("overview-phone", PHONE)):
        states = ("Failing", "Paused", "Degraded")
        camera.take(name, "/admin/gitsync/overview/", syncing, *map(text, states), size=size)
    desk.page.goto(page_of("platform"))
    desk.comes_to("300 created")
    desk.page.get_by_role("region", name="Last syncs").get_by_role("rowheader").first.get_by_role(
        "link"
    ).click()
    camera.take("sync", desk.page.url, text("300 created"), css("#sync-log"))


def fit_graph(page: Page) -> None:
    page.get_by_role("button", name="Fit", exact=True).click()
    expect(page.locator("[data-graph=scale]")).to_have_text(re.compile(r"\d+ %"))


def open_difference(page: Page) -> None:
    page.locator("summary").filter(has_text="Changes in").click()


def quoted(uid: str) -> str:
    """Return the key as Django's admin encodes it in an address."""
    return re.sub(r"[:/_#?;@&=+$,\"\[\]<>%\n\\]", lambda found: f"_{ord(found[0]):02X}", uid)


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, Error, OSError) as error:
        console.print(f"[red]failed[/]: {escape(str(error).partition('Aria snapshot')[0].strip())}")
        sys.exit(1)
