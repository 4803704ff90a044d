"""An operator's actions in the admin, in a real browser on the real service; the whole path is in test_story.py."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.service import Service
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

# Timeout for the work of a worker.
RESULT_MS = 180_000

HELLO = 'dag:\n  id: hello\n  schedule: "5 * * * *"\ntasks:\n- id: greet\n  script: echo hello\n'
WORLD = "dag:\n  id: world\ntasks:\n- id: turn\n  script: echo world\n"
BROKEN = "dag:\n  id: world\ntasks:\n- id: turn\n  script: echo world\n- id: stop\n  require: [turn]\n"


def log_in(page: Page, service: Service) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill(service.username)
    page.get_by_label("Password").fill(service.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Repositories", exact=True).first).to_be_visible()


def open_tab(page: Page, name: str) -> None:
    """Open a tab of the page of a row."""
    page.get_by_role("navigation", name="Parts of this page").get_by_role(
        "link", name=name, exact=True
    ).click()


def add_repository(page: Page, name: str, url: str, credential: str = "") -> None:
    page.goto("/admin/gitsync/repository/add/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Url").fill(url)
    if credential:
        page.locator("#id_credential").select_option(credential)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#sync-status")).to_be_visible()


def test_the_action_shows_the_results_of_all_selected(
    page: Page, service: Service, work_repo: WorkRepo
) -> None:
    work_repo.publish({"hello.yaml": HELLO})
    log_in(page, service)
    line = page.locator("#sync-status [data-sync-part=line]")
    for name in ("one", "two"):
        add_repository(page, name, work_repo.file_url)
        expect(line).to_contain_text("In sync", timeout=RESULT_MS)
    work_repo.publish({"world.yaml": WORLD})
    page.goto("/admin/gitsync/repository/")

    page.get_by_label("Select all objects on this page for an action").check()
    page.locator("select[name=action]").select_option("sync_now")
    with page.expect_navigation():
        page.get_by_role("button", name="Go").click()
    page.evaluate("window.markOfThisLoading = true")

    for name in ("one", "two"):
        row = line.get_by_role("listitem").filter(has=page.get_by_role("link", name=name, exact=True))
        expect(row).to_contain_text("In sync 1 created, 1 unchanged", timeout=RESULT_MS)
    assert page.evaluate("window.markOfThisLoading") is True


def test_selected_dags_sync_their_repository_and_show_its_result(
    page: Page, service: Service, work_repo: WorkRepo
) -> None:
    work_repo.publish({"hello.yaml": HELLO, "world.yaml": WORLD})
    log_in(page, service)
    add_repository(page, "team", work_repo.file_url)
    line = page.locator("#sync-status [data-sync-part=line]")
    expect(line).to_contain_text("In sync", timeout=RESULT_MS)
    work_repo.publish({"late.yaml": HELLO.replace("id: hello", "id: late")})
    page.goto("/admin/metadata/dag/")
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(2)

    for name in ("hello", "world"):
        rows.filter(has_text=name).get_by_role("checkbox").check()
    expect(page.get_by_text("2 of 2 selected")).to_be_visible()
    page.locator("select[name=action]").select_option(label="Sync the repositories of the selected DAGs")
    page.get_by_role("button", name="Go").click()

    expect(page.get_by_text("Queued a sync of 1 repository: team.")).to_be_visible()
    expect(line.get_by_role("listitem")).to_have_count(1)
    expect(line).to_contain_text("In sync 1 created, 2 unchanged", timeout=RESULT_MS)


def test_without_javascript_a_reload_shows_the_result(
    page_without_javascript: Page, service: Service, work_repo: WorkRepo
) -> None:
    page = page_without_javascript
    work_repo.publish({"hello.yaml": HELLO})
    log_in(page, service)
    add_repository(page, "team", work_repo.file_url)
    reload_until(page, "In sync")
    work_repo.publish({"world.yaml": WORLD})
    page.get_by_role("button", name="Sync now (full)").click()
    reload_until(page, "In sync 1 created, 1 unchanged")
    open_tab(page, "DAGs")
    expect(page.get_by_role("link", name="hello", exact=True)).to_be_visible()


def test_a_first_host_key_is_shown_accepted_by_a_click_and_then_it_syncs(
    page: Page, service: Service, work_repo: WorkRepo, ssh_server: SshServer
) -> None:
    work_repo.publish({"hello.yaml": HELLO})
    log_in(page, service)
    page.goto("/admin/connections/connection/add/")
    page.locator("#id_id").fill("deploy")
    page.locator("#id_type").select_option("git")
    page.get_by_label("Set properties").fill(f"privateKey={ssh_server.client_key()}")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    add_repository(page, "team", ssh_server.url(work_repo.bare), "deploy")
    tested = page.locator("#remote-check")
    expect(tested).to_have_count(0)

    page.get_by_role("button", name="Test connection").click()
    line = tested.locator("[data-sync-part=line]")
    expect(line).to_contain_text("host_key_unknown", timeout=RESULT_MS)
    expect(tested).to_contain_text(ssh_server.fingerprint)

    page.get_by_role("button", name="Accept this host key").click()
    expect(line).to_contain_text("Reachable", timeout=RESULT_MS)
    expect(tested).to_contain_text("is now in knownHosts of connection")
    expect(page.get_by_role("button", name="Accept this host key")).to_have_count(0)

    page.get_by_role("button", name="Test connection").click()
    expect(line).to_contain_text("has branch 'main'", timeout=RESULT_MS)
    expect(tested.get_by_text("1: main")).to_be_visible()

    # It is due with the acceptance, and syncs from now on.
    reload_until(page, "In sync")
    work_repo.publish({"world.yaml": WORLD})
    click_sync_now(page)
    expect_without_reload(page, "In sync 1 created, 1 unchanged")
    open_tab(page, "DAGs")
    expect(page.get_by_role("link", name="hello", exact=True)).to_be_visible()


def reload_until(page: Page, result: str) -> None:
    deadline = time.monotonic() + RESULT_MS / 1000
    while result not in page.locator("#sync-status [data-sync-part=line]").inner_text():
        assert time.monotonic() < deadline, page.locator("#sync-status").inner_text()
        time.sleep(0.5)
        page.reload()


def click_sync_now(page: Page) -> None:
    """Press the button, and mark the page that is loaded then."""
    with page.expect_navigation():
        page.get_by_role("button", name="Sync now", exact=True).click()
    page.evaluate("window.markOfThisLoading = true")


def expect_without_reload(page: Page, result: str) -> None:
    """Assert that the status line shows this result without a reload after the click."""
    expect(page.locator("#sync-status [data-sync-part=line]")).to_contain_text(result, timeout=RESULT_MS)
    assert page.evaluate("window.markOfThisLoading") is True


def test_ctrl_c_ends_every_process_of_the_service(tmp_path_factory: pytest.TempPathFactory) -> None:
    service = Service(tmp_path_factory.mktemp("stopped"))
    with service:
        # Web server and its worker, task queue with guard, workers, monitor, pusher, PostgreSQL: some come later.
        deadline = time.monotonic() + RESULT_MS / 1000
        while len(service.processes()) < 5:
            assert time.monotonic() < deadline, service.log
            time.sleep(0.2)
        status = service.stop()
    assert status == 0
    assert service.processes() == set()
