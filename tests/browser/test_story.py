"""A repository's whole life in the admin, in a real browser on the real service: a push is all it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import complaints_of
from tests.browser.service import Service
from tests.browser.test_admin import HELLO, RESULT_MS, click_sync_now, expect_without_reload, log_in, open_tab
from tests.sandbox.javac import compile_jar
from tests.support.servers.https import HttpsServer
from tests.support.servers.repositories import WorkRepo

INTERVAL_MS = 1_500
# More than two intervals: every repository has been polled.
QUIET_MS = 4_000

REASON = "the warehouse moves house until Monday"

REGIONS = ("apac", "emea", "latam")
REGIONAL = """\
from kiok import Dag
from lib.regions import REGIONS

dag = Dag("regional", schedule="0 3 * * *")
begin = dag.task("begin", script="echo begin")
loads = [dag.task(f"load_{region}", task_type="python", requires=begin, script="pass") for region in REGIONS]
dag.http("tell", "https://chat.example/sales", requires=loads, timeout="TIMEOUT")
"""
WAREHOUSE = """\
dag:
  id: warehouse
  schedule: "30 2 * * *"
tasks:
- id: stage
  script: echo stage
- id: merge
  requires: [stage]
  script: echo merge
"""
BROKEN_WAREHOUSE = WAREHOUSE.replace("requires:", "require:")
# The line of the broken file that is at fault.
FAULT = 8
NIGHTLY_JAVA = """
import com.cloudcheflabs.kiok.sdk.Dag;
import com.cloudcheflabs.kiok.sdk.KiokDag;

public class Nightly implements KiokDag {
    @Override
    public Dag define() {
        Dag dag = new Dag("nightly").schedule("0 1 * * *");
        dag.task("count").shell("echo count");
        return dag;
    }
}
"""


@pytest.fixture
def service(tmp_path: Path, https_server: HttpsServer) -> Iterator[Service]:
    """Start a service that polls its repositories every 1.5 s and trusts the git server's certificate."""
    settings = {
        "KIOK_GITSYNC_SSL_CA_INFO": str(https_server.ca_file),
        "KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS": "localhost",
    }
    with Service(tmp_path / "service", interval_ms=INTERVAL_MS, settings=settings) as running:
        yield running


def test_pushes_show_without_a_reload_from_wrong_url_to_removal(
    page: Page, browser: Browser, service: Service, work_repo: WorkRepo, https_server: HttpsServer
) -> None:
    log_in(page, service)
    session = page.context.storage_state()
    overview = browser.new_page(base_url=service.url, storage_state=session)
    complaints = complaints_of(overview)
    story = Story(page, overview, work_repo, https_server)

    story.a_wrong_url_is_refused_or_fails_and_says_why()
    story.with_the_right_url_its_dags_appear()
    story.a_dag_shows_its_graph_tasks_and_source()
    story.a_broken_push_is_found_on_the_page_of_errors()
    story.the_mend_ends_the_error()
    story.a_changed_dag_shows_what_changed()
    story.while_paused_a_push_does_nothing()
    story.a_dry_run_names_the_dag_that_would_go()
    story.resumed_it_prunes_the_dag_and_keeps_its_history()
    story.it_is_removed_while_its_remote_is_down()

    assert overview.evaluate("window.markOfThisLoading") is True, "the overview was loaded again"
    assert complaints == []


class Story:
    """An author's clone, an operator's `page`, and the `overview` in another tab, which is loaded once.

    Each method is a step, and checks at its end that the overview shows the change without a reload.
    """

    def __init__(self, page: Page, overview: Page, author: WorkRepo, remote: HttpsServer) -> None:
        self.page, self.overview, self.author, self.remote = page, overview, author, remote
        self.good_commit = ""

    def a_wrong_url_is_refused_or_fails_and_says_why(self) -> None:
        self.overview.goto("/admin/gitsync/overview/")
        self.overview.evaluate("window.markOfThisLoading = true")
        jar = compile_jar({"Nightly.java": NIGHTLY_JAVA})
        self.good_commit = self.author.publish(
            {
                "dags/hello.yaml": HELLO,
                "dags/warehouse.yaml": WAREHOUSE,
                "dags/regional.py": REGIONAL.replace("TIMEOUT", "90s"),
                "dags/nightly.jar": jar,
                "lib/regions.py": f"REGIONS = {REGIONS}\n",
            },
            "First DAGs",
        )
        self.page.goto("/admin/gitsync/repository/add/")
        expect(self.page.get_by_label("Branch or tag")).to_have_value("main")
        self.page.get_by_label("Name").fill("team")
        self.page.get_by_label("Subpath").fill("dags")
        self.save_with_url("nonsense")
        expect(self.page.locator(".field-url .errorlist")).to_contain_text("is not valid")

        self.save_with_url(self.remote.url("dag.git"))
        expect(self.line).to_contain_text("Failing", timeout=RESULT_MS)
        expect(self.line).to_contain_text("the server has no such repository")
        expect(self.status).to_contain_text("repository_not_found")
        expect(self.status).to_contain_text("Correct the url; check the account's permissions.")
        self.overview_shows("Failing", "The server has no such repository")

    def with_the_right_url_its_dags_appear(self) -> None:
        open_tab(self.page, "Settings")
        self.save_with_url(self.remote.url("dags.git"))
        self.overview_shows("In sync", self.good_commit[:10])
        expect(self.cell("DAGs")).to_have_text("4")
        expect(self.line).to_contain_text("In sync", timeout=RESULT_MS)
        expect(self.status.get_by_role("row").filter(has_text="4 created")).to_be_visible()
        click_sync_now(self.page)
        expect_without_reload(self.page, "Nothing new")
        open_tab(self.page, "DAGs")
        for name in ("nightly", "hello", "regional", "warehouse"):
            expect(self.page.get_by_role("link", name=name, exact=True)).to_be_visible()

    def a_dag_shows_its_graph_tasks_and_source(self) -> None:
        page = self.page
        page.get_by_role("link", name="regional", exact=True).click()
        graph = page.get_by_role("list", name="Tasks", exact=True)
        tasks = [f"load_{region}" for region in REGIONS] + ["begin", "tell"]
        expect(graph.get_by_role("listitem")).to_have_count(len(tasks))
        for task in tasks:
            expect(graph.get_by_role("link", name=f"{task}, ")).to_be_visible()
        box = graph.get_by_role("link", name="begin, ")
        before = width_of(box)
        page.get_by_role("button", name="Zoom in").click()
        page.wait_for_function(
            "([box, width]) => box.getBoundingClientRect().width > width", arg=[box.element_handle(), before]
        )
        box.press("Enter")
        row = (
            page.get_by_role("region", name="Table of tasks")
            .get_by_role("row")
            .filter(has_text="begin")
            .first
        )
        expect(row).to_be_in_viewport()
        open_tab(page, "Source")
        expect(page.locator("#content")).to_contain_text("from lib.regions import REGIONS")
        page.get_by_role("link", name="team", exact=True).first.click()
        expect(page).to_have_url(re.compile(r"/gitsync/repository/\d+/change/"))

    def a_broken_push_is_found_on_the_page_of_errors(self) -> None:
        self.author.publish({"dags/warehouse.yaml": BROKEN_WAREHOUSE}, "Break the warehouse")
        self.overview_shows("Degraded", "1 stale")
        self.page.goto("/admin/")
        self.page.get_by_role("link", name="Errors", exact=True).first.click()
        error = self.page.get_by_role("region", name="dags/warehouse.yaml in team")
        expect(error.locator("mark").first).to_have_text(re.compile(rf"^>\s+{FAULT} \|   require: \[stage\]"))
        expect(error).to_contain_text("Still serving")
        expect(error).to_contain_text("team/dags/warehouse.yaml of commit")
        expect(error).to_contain_text(self.good_commit[:10])
        error.get_by_role("link", name="team/dags/warehouse.yaml").click()
        expect(self.page.locator(".kiok-summary")).to_contain_text("Stale")
        open_tab(self.page, "Tasks")
        expect(self.page.get_by_role("region", name="Table of tasks")).to_contain_text("merge")
        self.open_repository()
        expect(self.status.get_by_role("region", name="Failed files")).to_contain_text(
            f"dags/warehouse.yaml:{FAULT}:"
        )

    def the_mend_ends_the_error(self) -> None:
        self.good_commit = self.author.publish({"dags/warehouse.yaml": WAREHOUSE}, "Fix the warehouse")
        self.overview_shows("In sync", self.good_commit[:10])
        expect(self.cell("DAGs")).to_have_text("4")
        self.page.goto("/admin/gitsync/errors/")
        expect(self.page.locator("#content")).to_contain_text("No failed files.")

    def a_changed_dag_shows_what_changed(self) -> None:
        self.good_commit = self.author.publish(
            {"dags/regional.py": REGIONAL.replace("TIMEOUT", "45s")}, "Wait no longer than 45 s"
        )
        self.overview_shows("In sync", self.good_commit[:10])
        self.page.goto("/admin/metadata/dag/")
        self.page.locator("#result_list").get_by_role("link", name="regional", exact=True).click()
        open_tab(self.page, "Versions")
        changes = self.page.get_by_role("region", name="Versions", exact=True)
        expect(changes.locator("del mark").filter(has_text="90000")).to_be_visible()
        expect(changes.locator("ins mark").filter(has_text="45000")).to_be_visible()

    def while_paused_a_push_does_nothing(self) -> None:
        page = self.page
        self.open_repository()
        page.locator("summary").filter(has_text="Pause").click()
        page.get_by_label("Reason").fill(REASON)
        page.get_by_role("button", name="Pause", exact=True).click()
        expect(page.get_by_role("region", name="Paused")).to_contain_text(REASON)
        self.overview_shows("Paused", REASON)
        page.goto("/admin/gitsync/repository/")
        expect(page.locator(".field-state_badge")).to_contain_text("Paused")

        self.author.git("rm", "-q", "dags/warehouse.yaml")
        self.author.publish(message="Remove the warehouse")
        requested = len(self.remote.requests)
        page.wait_for_timeout(QUIET_MS)
        assert self.remote.requests[requested:] == [], "a paused repository was polled"
        expect(self.cell("Last good commit")).to_contain_text(self.good_commit[:10])

    def a_dry_run_names_the_dag_that_would_go(self) -> None:
        page = self.page
        self.open_repository()
        page.get_by_role("button", name="Dry run").click()
        plan = page.get_by_role("region", name="Dry run")
        expect(plan).to_contain_text("1 DAG would be pruned; 3 are unchanged.", timeout=RESULT_MS)
        expect(plan).to_contain_text("Nothing was written.")
        plan.get_by_role("link", name="team/dags/warehouse.yaml").click()
        open_tab(page, "Tasks")
        expect(page.get_by_role("region", name="Table of tasks")).to_contain_text("merge")
        expect(self.cell("DAGs")).to_have_text("4")

    def resumed_it_prunes_the_dag_and_keeps_its_history(self) -> None:
        page = self.page
        self.open_repository()
        page.get_by_role("button", name="Resume").click()
        expect(page.locator(".messagelist")).to_contain_text("Resumed team. It is checked next.")
        self.overview_shows("In sync", self.author.head()[:10])
        expect(self.cell("DAGs")).to_have_text("3")
        expect(self.status.get_by_role("row").filter(has_text="1 pruned, 3 unchanged")).to_be_visible(
            timeout=RESULT_MS
        )
        page.goto("/admin/metadata/dagversion/?q=warehouse")
        row = page.get_by_role("row").filter(has_text="team · dags/warehouse.yaml")
        expect(row).to_have_count(1)
        row.get_by_role("link").first.click()
        open_tab(page, "Tasks")
        expect(page.locator("#content")).to_contain_text("merge")

    def it_is_removed_while_its_remote_is_down(self) -> None:
        page = self.page
        self.remote.stop()
        self.overview_shows("Failing")
        self.open_repository()
        open_tab(page, "Settings")
        page.get_by_role("link", name="Delete").click()
        expect(page.locator("#content")).to_contain_text("This also deletes its 3 DAGs")
        expect(page.locator("#content")).to_contain_text("The remote is neither contacted nor changed")
        page.get_by_role("button", name="Yes, I’m sure").click()
        expect(page.locator(".messagelist")).to_contain_text(
            "Deleted team and its 3 DAGs. Versions and run history are kept."
        )
        expect(self.row).to_have_count(0, timeout=RESULT_MS)
        page.goto("/admin/metadata/dagversion/")
        expect(page.get_by_role("row").filter(has_text="team · dags/")).to_have_count(5)

    # Elements that the steps read.

    @property
    def status(self) -> Locator:
        """Return the text of the repository's page."""
        return self.page.locator("#sync-status")

    @property
    def line(self) -> Locator:
        return self.status.locator("[data-sync-part=line]")

    @property
    def row(self) -> Locator:
        """The repository's row on the overview."""
        return self.overview.get_by_role("row").filter(
            has=self.overview.get_by_role("link", name="team", exact=True)
        )

    def cell(self, column: str) -> Locator:
        """Return the cell of that row in a column."""
        columns = self.overview.locator("#overview-repositories ~ div thead th").all_text_contents()
        return self.row.locator("th, td").nth(columns.index(column))

    def overview_shows(self, state: str, *words: str) -> None:
        """Assert that the overview shows that state, and these words in the row."""
        expect(self.cell("State")).to_have_text(state, timeout=RESULT_MS)
        for word in words:
            expect(self.row).to_contain_text(word, timeout=RESULT_MS)

    def save_with_url(self, url: str) -> None:
        self.page.get_by_label("Url").fill(url)
        self.page.get_by_role("button", name="Save", exact=True).click()

    def open_repository(self) -> None:
        self.page.goto("/admin/gitsync/repository/named/team/")


def width_of(box: Locator) -> float:
    found = box.bounding_box()
    assert found
    return found["width"]
