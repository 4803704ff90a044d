"""Three paths without a manual: a private repository in an empty installation, a failure on call, an editor's fix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.service import Service
from tests.browser.test_admin import BROKEN, HELLO, RESULT_MS, WORLD, add_repository, log_in, reload_until
from tests.browser.test_operators_path import choose
from tests.support.servers.receiver import MailServer
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer
from tests.support.waiting import wait_until

PUBLIC_URL = "https://kiok.example.com"
PASSWORD = "a long passphrase"  # of a user of this test
FAULT = 7  # the line of BROKEN with a wrong key


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailServer]:
    with MailServer(tmp_path / "mail") as running:
        yield running


@pytest.fixture
def service(tmp_path: Path, mail: MailServer) -> Iterator[Service]:
    """Start a service that sends e-mail and syncs only on request."""
    settings = {
        "KIOK_WEB_PUBLIC_URL": PUBLIC_URL,
        "KIOK_GITSYNC_SSL_CA_INFO": str(mail.ca_file),
        "KIOK_MAIL_HOST": "localhost",
        "KIOK_MAIL_PORT": str(mail.port),
        "KIOK_MAIL_FROM": "kiok@example.com",
    }
    with Service(tmp_path / "service", settings=settings) as running:
        yield running


def test_an_operator_a_person_on_call_and_an_editor_find_their_way(
    page: Page,
    browser: Browser,
    service: Service,
    mail: MailServer,
    work_repo: WorkRepo,
    ssh_server: SshServer,
) -> None:
    work_repo.publish({"hello.yaml": HELLO, "world.yaml": WORLD})
    log_in(page, service)
    an_operator_adds_a_private_repository(page, work_repo, ssh_server)
    the_operator_lets_the_team_in_and_has_failures_mailed(page, work_repo)
    a_mail_leads_to_the_line_and_its_author_in_two_clicks(page, mail, work_repo)
    an_editor_fixes_it_and_sees_only_the_team(browser, service, work_repo)


def an_operator_adds_a_private_repository(page: Page, work_repo: WorkRepo, ssh_server: SshServer) -> None:
    """Follow the first steps, which tick themselves off."""
    steps = page.get_by_role("region", name="First steps").get_by_role("listitem")
    expect(steps).to_have_count(3)
    steps.get_by_role("link", name="Add a credential").click()
    page.locator("#id_id").fill("deploy")
    expect(page.locator("#id_type")).to_have_value("git")
    page.get_by_label("Set properties").fill(f"privateKey={ssh_server.client_key()}")
    save(page)
    overview(page)
    expect(steps.first).to_contain_text("Done")

    steps.get_by_role("link", name="Add a repository").click()
    page.get_by_label("Name").fill("team")
    page.get_by_label("Url").fill(ssh_server.url(work_repo.bare))
    page.locator("#id_credential").select_option("deploy")
    save(page)
    tested = page.locator("#remote-check")
    page.get_by_role("button", name="Test connection").click()
    expect(tested).to_contain_text(ssh_server.fingerprint, timeout=RESULT_MS)
    page.get_by_role("button", name="Accept this host key").click()
    expect(tested).to_contain_text("Reachable", timeout=RESULT_MS)
    reload_until(page, "In sync")
    overview(page)
    expect(page.locator("[data-row]")).to_contain_text("In sync")
    expect(steps).to_have_count(0)


def the_operator_lets_the_team_in_and_has_failures_mailed(page: Page, work_repo: WorkRepo) -> None:
    add_repository(page, "others", work_repo.file_url)
    page.goto("/admin/auth/group/add/")
    page.get_by_label("Name").fill("data-team")
    page.locator("div.field-owned_repositories").get_by_role("listbox").select_option(label="team")
    save(page)
    page.goto("/admin/auth/user/add/")
    page.get_by_label("Username").fill("ada")
    page.locator("#id_password1").fill(PASSWORD)
    page.locator("#id_password2").fill(PASSWORD)
    page.get_by_label("Editor").check()
    choose(page, "groups", ["data-team"])
    save(page)
    page.goto("/admin/notifications/notificationchannel/add/")
    page.get_by_label("Name").fill("on call")
    page.locator("#id_kind").select_option("email")
    page.locator("#id_addresses").fill("on-call@example.com")
    page.locator("#id_repositories").select_option(label="team")
    save(page)


def a_mail_leads_to_the_line_and_its_author_in_two_clicks(
    page: Page, mail: MailServer, work_repo: WorkRepo
) -> None:
    commit = work_repo.publish({"world.yaml": BROKEN}, "Stop the world")
    overview(page)
    page.get_by_role("button", name="Sync team", exact=True).click()
    wait_until(lambda: mail.messages, "the mail has arrived")
    message = message_from_bytes(mail.messages[0][2].encode(), policy=default)
    assert message["Subject"] == "[kiok] team is degraded: 1 file fails to compile"
    text = message.get_content()
    assert f"world.yaml:{FAULT}" in text
    (link,) = re.findall(rf"{re.escape(PUBLIC_URL)}(/admin/\S+)", text)

    page.goto(link)  # the first click
    status = page.locator("#sync-status")
    newest = status.get_by_role("region", name="Last syncs").get_by_role("row").nth(1)
    expect(newest).to_contain_text(f"{commit[:10]}")
    expect(newest).to_contain_text("Stop the world")
    expect(newest).to_contain_text("Ada")
    status.get_by_role("region", name="Failed files").get_by_role("link").first.click()
    expect(page.locator("mark").first).to_have_text(re.compile(rf"^>\s+{FAULT} \|   require: \[turn\]"))


def an_editor_fixes_it_and_sees_only_the_team(
    browser: Browser, service: Service, work_repo: WorkRepo
) -> None:
    page = browser.new_page(base_url=service.url)
    page.goto("/admin/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    row = page.locator("[data-row]")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Degraded")
    page.get_by_role("link", name="Errors", exact=True).first.click()
    expect(page.get_by_role("region", name=re.compile("^world.yaml in"))).to_have_count(1)
    fixed = BROKEN.replace("require:", "script: echo stop\n  requires:")
    work_repo.publish({"world.yaml": fixed}, "Let it turn")
    overview(page)
    page.get_by_role("button", name="Sync team", exact=True).click()
    line = page.locator("#sync-status [data-sync-part=line]")
    expect(line).to_contain_text("In sync 1 updated", timeout=RESULT_MS)
    expect(page.get_by_role("link", name="Settings", exact=True).last).to_be_visible()
    page.goto("/admin/metadata/dag/")
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    expect(page.locator("#result_list")).not_to_contain_text("others")
    page.goto("/admin/gitsync/search/?q=others")
    expect(page.locator("#content")).not_to_contain_text("others/")
    page.close()


def overview(page: Page) -> None:
    page.get_by_role("link", name="Overview", exact=True).first.click()


def save(page: Page) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist")).to_have_count(0)
