"""A repository's page in a real browser: errors while typing, dry run, pause and resume."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.service import Service
from tests.browser.test_admin import BROKEN, HELLO, RESULT_MS, WORLD, log_in
from tests.support.servers.repositories import WorkRepo

PHONE = {"width": 375, "height": 700}


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_repository_is_typed_in_tried_out_paused_and_resumed(
    page: Page, service: Service, work_repo: WorkRepo
) -> None:
    work_repo.publish({"gone.yaml": WORLD.replace("world", "gone"), "hello.yaml": HELLO, "world.yaml": WORLD})
    log_in(page, service)
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))

    # An error shows at its field when the field loses focus, screen readers announce it, and a correction removes it.
    page.goto("/admin/gitsync/repository/add/")
    errors = page.locator("[data-form-check-url]")
    url = page.get_by_label("Url")
    page.get_by_label("Name").fill("Team A")
    url.fill("https://ada:hunter2secret@example.org/dags.git")
    page.keyboard.press("Tab")
    expect(page.locator(".field-url .errorlist")).to_contain_text("contains a password")
    expect(page.locator(".field-name .errorlist")).to_contain_text("Use 1 to 63")
    expect(page.locator(".field-credential .errorlist")).to_have_count(0)
    expect(url).to_have_attribute("aria-invalid", "true")
    expect(errors).to_contain_text("Url: the url contains a password")
    url.fill(work_repo.file_url)
    expect(page.locator(".field-url .errorlist")).to_be_hidden()
    expect(url).not_to_have_attribute("aria-invalid", "true")
    page.get_by_label("Name").fill("team")
    expect(page.locator(".field-name .errorlist")).to_be_hidden()
    expect(errors).to_have_text("")
    page.locator("#id_verify").select_option("commit")
    expect(page.locator(".field-verify_keys .errorlist")).to_contain_text("Choose the connection")
    page.locator("#id_verify").select_option("off")
    expect(page.locator(".field-verify_keys .errorlist")).to_be_hidden()
    page.get_by_role("button", name="Save", exact=True).click()
    line = page.locator("#sync-status [data-sync-part=line]")
    expect(line).to_contain_text("In sync", timeout=RESULT_MS)

    # A dry run is shown without a reload, with the change of each spec, and changes nothing.
    (work_repo.work / "gone.yaml").unlink()
    work_repo.publish({"hello.yaml": HELLO.replace("echo hello", "echo <i>bye</i>"), "world.yaml": BROKEN})
    with page.expect_navigation():
        page.get_by_role("button", name="Dry run").click()
    page.evaluate("window.markOfThisLoading = true")
    tried = page.get_by_role("region", name="Dry run")
    output = "1 DAG would be updated, 1 DAG would be pruned, 1 DAG would be kept as last compiled"
    expect(tried).to_contain_text(output, timeout=RESULT_MS)
    expect(tried).to_contain_text("Nothing was written")
    expect(tried.get_by_role("heading", name="1 DAG would be pruned")).to_be_visible()
    expect(tried).to_contain_text("world.yaml:7")
    assert page.evaluate("window.markOfThisLoading") is True
    tried.get_by_text("Changes in team/hello.yaml").click()
    expect(tried.get_by_role("table")).to_contain_text("echo <i>bye</i>")
    expect(tried.get_by_role("table")).to_contain_text("echo hello")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a TypedDict of the library's own
    assert fits(page)
    expect(page.locator("#sync-status")).to_contain_text("3 created")

    # Paused by the keyboard, for a reason that others see.
    page.get_by_text("Pause …").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("release weekend")
    page.keyboard.press("Enter")
    paused = page.get_by_role("region", name="Paused")
    expect(paused).to_contain_text("release weekend")
    expect(page.get_by_role("button", name="Sync now", exact=True)).to_be_disabled()
    expect(page.get_by_role("button", name="Dry run")).to_be_enabled()
    assert fits(page)
    page.goto("/admin/gitsync/repository/?paused=yes")
    expect(page.locator(".field-state_badge")).to_contain_text("Paused by admin")
    page.locator("#result_list").get_by_role("link", name="team", exact=True).click()
    paused.get_by_role("button", name="Resume").click()
    expect(paused).to_have_count(0)
    expect(line).to_contain_text("Degraded", timeout=RESULT_MS)
    expect(page.locator("#sync-status")).to_contain_text("1 updated, 1 pruned, 1 stale")

    # A later sync that is requested elsewhere is shown too: an idle page continues to poll.
    page.evaluate("window.markOfThisLoading = true")
    work_repo.publish({"late.yaml": WORLD.replace("world", "late")})
    ask = "button => fetch(button.form.action, { method: 'POST', body: new FormData(button.form) })"
    page.get_by_role("button", name="Sync now", exact=True).evaluate(f"async {ask}.then(() => null)")
    expect(page.locator("#sync-status")).to_contain_text("1 created", timeout=RESULT_MS)
    assert page.evaluate("window.markOfThisLoading") is True
    assert hosts == {service.url.removeprefix("http://")}
