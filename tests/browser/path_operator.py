"""The operator who follows docs/quickstart.md at the admin, with a git service and an author."""

from __future__ import annotations

import json
import re
import secrets
import urllib.request
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.path_steps import Step
from tests.browser.service import Service
from tests.support.git_services import GITHUB
from tests.support.servers.https import HttpsServer
from tests.support.servers.repositories import WorkRepo

PASSWORD = "correct horse battery staple"


@dataclass
class Operator:
    """An operator at a page of the service, with a git server and an author's clone."""

    page: Page
    browser: Browser
    service: Service
    remote: HttpsServer
    author: WorkRepo
    secret: str = ""
    answers: list[dict[str, str]] = field(default_factory=list)

    def here(self, text: str) -> str:
        """A text of the document, with this service and this git server in place of the names it uses."""
        git = f"localhost:{self.remote.port}"
        text = text.replace("https://<this service>", self.service.url).replace("git.example.com", git)
        return text.replace("<the deploy token>", PASSWORD).replace("<the secret>", self.secret)

    @property
    def status(self) -> Locator:
        return self.page.locator("#sync-status")

    @property
    def row(self) -> Locator:
        """The repository's, on the overview."""
        return self.page.locator("[data-row]").filter(
            has=self.page.get_by_role("link", name="team", exact=True)
        )

    @property
    def content(self) -> Locator:
        return self.page.locator("#content")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def open(self, *names: str) -> None:
        """Open a page by the names of its links in the navigation: an area, then one of its pages."""
        self.page.goto("/admin/")
        for name in names:
            navigation = self.page.get_by_role("navigation")
            navigation.get_by_role("link", name=name, exact=True).first.click()

    def add(self, *names: str, action: str) -> None:
        """Open the form for a new row of that list."""
        self.open(*names)
        self.content.get_by_role("link", name=re.compile(f"^{action} ")).click()

    def add_connection(self, step: Step, identity: str, kind: str, properties: str) -> None:
        self.page.locator("#id_id").fill(step(identity))
        self.page.locator("#id_type").select_option(label=step(kind))
        self.page.get_by_label("Set properties").fill(self.here(properties))
        self.press("Save")
        expect(self.page.get_by_text("was added successfully")).to_be_visible()

    def open_repository(self) -> None:
        self.page.goto("/admin/gitsync/repository/named/team/")

    def push(self, files: dict[str, str | bytes] | None = None) -> None:
        """Publish as the author, and send the webhook, as a git service does."""
        self.author.publish(files)
        push = GITHUB.push("refs/heads/main")
        headers = GITHUB.headers(push.event, secrets.token_hex(8), push.body, self.secret)
        hook = urllib.request.Request(
            self.here("https://<this service>/hooks/team/"),
            push.body,
            {**headers, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(hook, timeout=600) as answer:
            self.answers.append(json.load(answer))
