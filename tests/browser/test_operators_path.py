"""Follow docs/quickstart.md step by step, in its own words, in a real browser on the real service."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.path_operator import PASSWORD, Operator
from tests.browser.path_steps import Step, steps
from tests.browser.service import Service
from tests.browser.test_admin import HELLO, RESULT_MS, WORLD, log_in, open_tab
from tests.support.documents import ROOT
from tests.support.servers.https import HttpsServer
from tests.support.servers.repositories import WorkRepo

# How each step is gone, by its title.
WAYS: dict[str, Callable[[Operator, Step], None]] = {}


def way(title: str) -> Callable[[Callable[[Operator, Step], None]], Callable[[Operator, Step], None]]:
    def register(function: Callable[[Operator, Step], None]) -> Callable[[Operator, Step], None]:
        WAYS[title] = function
        return function

    return register


@pytest.fixture
def service(tmp_path: Path, https_server: HttpsServer) -> Iterator[Service]:
    """Start a service that trusts the git server's certificate and syncs only on request."""
    settings = {
        "KIOK_GITSYNC_SSL_CA_INFO": str(https_server.ca_file),
        "KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS": "localhost",
    }
    with Service(tmp_path / "service", settings=settings) as running:
        yield running


def test_every_step_of_the_path_is_done_in_that_order() -> None:
    assert [step.title for step in steps()] == list(WAYS)


def test_the_path_leads_from_nothing_to_a_team_with_a_webhook_and_a_token(
    page: Page, browser: Browser, service: Service, https_server: HttpsServer, tmp_path: Path
) -> None:
    author = WorkRepo(tmp_path / "served" / "team")
    author.publish({"dags/hello.yaml": HELLO})
    https_server.accounts = {"deploy": PASSWORD}
    operator = Operator(page, browser, service, https_server, author)
    for step in steps():
        WAYS[step.title](operator, step)
        assert not step.unused, f"{step.title}: nobody looked at {step.unused}"


@way("Start the service")
def start(operator: Operator, step: Step) -> None:
    command, target = step("make run").split()
    assert command == "make"
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert step("first admin") in operator.service.log
    assert operator.service.url in operator.service.log
    log_in(operator.page, operator.service)
    operator.open(step("Overview"))
    workers = operator.page.locator("dt").filter(has_text=step("Workers")).locator("+ dd")
    expect(workers).to_contain_text(step("1 alive"), timeout=RESULT_MS)


@way("Store the credential")
def keep_the_credential(operator: Operator, step: Step) -> None:
    operator.add(step("Settings"), step("Connections"), action=step("Add"))
    expect(operator.page.get_by_label(step("Set properties"))).to_be_visible()
    operator.add_connection(step, "team-git", "Git credential", step.block)
    assert step("Save")
    operator.page.get_by_role("link", name="team-git", exact=True).first.click()
    expect(operator.content).to_contain_text(step("hosts, password, username"))
    expect(operator.page.get_by_label("Set properties")).to_have_value("")
    assert step("hosts") in step.block
    assert PASSWORD not in operator.page.content()


@way("Add the repository")
def add_the_repository(operator: Operator, step: Step) -> None:
    page = operator.page
    operator.add(step("Repositories"), action=step("Add"))
    page.get_by_label("Name").fill(step("team"))
    page.get_by_label("Url").fill("nonsense")
    page.get_by_label("Subpath").fill(step("dags"))
    page.locator("#id_credential").select_option(step("team-git"))
    operator.press(step("Save"))
    expect(page.locator(".field-url .errorlist")).to_contain_text("is not valid")
    page.get_by_label("Url").fill(operator.here(step("https://git.example.com/team/dags.git")))
    operator.press("Save")
    expect(operator.status).to_be_visible()


@way("Test the connection")
def try_the_connection(operator: Operator, step: Step) -> None:
    operator.press(step("Test connection"))
    line = operator.page.locator("#remote-check [data-sync-part=line]")
    expect(line).to_contain_text(step("Reachable"), timeout=RESULT_MS)


@way("See the first sync")
def see_the_first_sync(operator: Operator, step: Step) -> None:
    line = operator.status.locator("[data-sync-part=line]")
    expect(line).to_contain_text(step("In sync"), timeout=RESULT_MS)
    open_tab(operator.page, step("DAGs"))
    row = operator.page.locator("#result_list tbody tr")
    expect(row).to_contain_text(step("dags/hello.yaml"))
    expect(row.get_by_role("link", name=step("hello"), exact=True)).to_be_visible()


@way("Have pushes delivered")
def have_pushes_delivered(operator: Operator, step: Step) -> None:
    page = operator.page
    assert step("openssl rand -hex 32").endswith(" 32")
    operator.secret = secrets.token_hex(32)
    page.goto("/admin/connections/connection/add/")
    operator.add_connection(step, "team-hook", "Secret", step("secret=<the secret>"))
    operator.open_repository()
    open_tab(page, step("Settings"))
    page.get_by_label(step("Webhook secret")).select_option("team-hook")
    operator.press("Save")
    hook = operator.status.get_by_role("region", name=step("Webhook"), exact=True)
    expect(hook).to_contain_text(step("/hooks/team/"))
    assert step("https://<this service>/hooks/team/")
    operator.push({"dags/world.yaml": WORLD})
    operator.open("Overview")
    expect(operator.row).to_contain_text(operator.author.head()[:10], timeout=RESULT_MS)
    operator.open_repository()
    newest = operator.status.get_by_role("region", name="Last syncs").get_by_role("row").nth(1)
    expect(newest).to_contain_text("1 created")
    expect(newest).to_contain_text(step("webhook"))
    expect(hook.get_by_role("row").filter(has_text="push")).to_contain_text(step("202"))


@way("Read a failure and fix it")
def read_a_failure(operator: Operator, step: Step) -> None:
    path = step("dags/report.yaml")
    operator.push({path: step.block})
    operator.open("Overview")
    expect(operator.row).to_contain_text(step("Degraded"), timeout=RESULT_MS)
    operator.open(step("Errors"))
    error = operator.page.get_by_role("region", name=f"{path} in team")
    expect(error.locator("mark").first).to_contain_text(step("require: [collect]"))
    expect(error.get_by_role("listitem").first).to_contain_text(step("requires"))
    operator.push({path: step.block.replace("require:", "requires:")})
    operator.open("Overview")
    expect(operator.row.locator("td").first).to_have_text("In sync", timeout=RESULT_MS)
    operator.open("Errors")
    expect(operator.content).to_contain_text(step("No failed files."))


@way("Pause")
def pause(operator: Operator, step: Step) -> None:
    page = operator.page
    operator.open_repository()
    page.locator("summary").filter(has_text=step("Pause …")).click()
    page.get_by_label("Reason").fill(step("the warehouse moves house"))
    operator.press(step("Pause"))
    paused = page.get_by_role("region", name="Paused")
    expect(paused).to_contain_text(f"By {operator.service.username}")
    expect(paused).to_contain_text("the warehouse moves house")
    operator.open("Overview")
    expect(operator.row).to_contain_text(step("Paused"))
    operator.author.git("rm", "-q", step("dags/report.yaml"))
    operator.push()
    assert operator.answers[-1]["outcome"] == "paused"
    operator.open_repository()
    hook = operator.status.get_by_role("region", name="Webhook", exact=True)
    expect(hook.get_by_role("row").nth(1)).to_contain_text(step("The repository is paused"))


@way("Try it out")
def try_it_out(operator: Operator, step: Step) -> None:
    operator.press(step("Dry run"))
    plan = operator.page.get_by_role("region", name="Dry run")
    expect(plan).to_contain_text(step("1 DAG would be pruned"), timeout=RESULT_MS)
    expect(plan).to_contain_text(step("Nothing was written."))
    plan.get_by_role("link", name=step("team/dags/report.yaml")).click()
    open_tab(operator.page, "Source")
    expect(operator.content).to_contain_text("./collect.sh")


@way("Resume")
def resume(operator: Operator, step: Step) -> None:
    operator.open_repository()
    operator.press(step("Resume"))
    newest = operator.status.get_by_role("region", name="Last syncs").get_by_role("row").nth(1)
    expect(newest).to_contain_text(step("1 pruned"), timeout=RESULT_MS)
    operator.open(step("DAGs"), step("DAG versions"))
    expect(operator.page.get_by_role("row").filter(has_text="team · dags/report.yaml")).to_have_count(1)


@way("Let the team in")
def let_the_team_in(operator: Operator, step: Step) -> None:
    page = operator.page
    add_a_repository_of_others(operator)
    operator.add(step("Settings"), step("Groups"), action=step("Add"))
    page.get_by_label("Name").fill(step("data-team"))
    repositories = page.locator("div.field-owned_repositories")
    expect(repositories).to_contain_text(step("Repositories"))
    repositories.get_by_role("listbox").select_option(label=step("team"))
    operator.press("Save")
    expect(page.get_by_text("was added successfully")).to_be_visible()

    operator.add("Settings", step("Users"), action=step("Add"))
    page.get_by_label("Username").fill(step("ada"))
    page.locator("#id_password1").fill(PASSWORD)
    page.locator("#id_password2").fill(PASSWORD)
    page.get_by_label(step("Editor")).check()
    choose(page, "groups", ["data-team"])
    operator.press("Save")
    expect(page.get_by_text("was added successfully")).to_be_visible()

    of_ada = operator.browser.new_page(base_url=operator.service.url)
    of_ada.goto("/admin/")
    of_ada.get_by_label("Username").fill("ada")
    of_ada.get_by_label("Password").fill(PASSWORD)
    of_ada.get_by_role("button", name="Log in").click()
    rows = of_ada.locator("[data-row]")
    expect(rows).to_have_count(1)
    expect(rows.get_by_role("link", name=step("team"), exact=True)).to_be_visible()
    of_ada.goto("/admin/gitsync/repository/named/team/")
    expect(of_ada.get_by_role("button", name="Sync now", exact=True)).to_be_visible()
    of_ada.close()


def choose(page: Page, field: str, endings: list[str]) -> None:
    """In Django's pair of lists, those whose names end so."""
    offered = page.locator(f"#id_{field}_from")
    names = offered.locator("option").all_text_contents()
    chosen = [name for name in names if name.split(" | ")[-1] in endings]
    assert len(chosen) == len(endings), (chosen, endings)
    offered.select_option(label=chosen)
    page.locator(f"#id_{field}_add").click()
    expect(page.locator(f"#id_{field}_to option")).to_have_count(len(endings))


def add_a_repository_of_others(operator: Operator) -> None:
    """Add a repository without groups."""
    operator.add("Repositories", action="Add")
    operator.page.get_by_label("Name").fill("others")
    operator.page.get_by_label("Url").fill(operator.here("https://git.example.com/others/dags.git"))
    operator.press("Save")
    expect(operator.status).to_be_visible()


@way("Give a program a token")
def give_a_program_a_token(operator: Operator, step: Step) -> None:
    page = operator.page
    operator.add(step("Settings"), step("API tokens"), action=step("Add"))
    page.get_by_label("Name").fill(step("pipeline"))
    page.get_by_label(step("start syncs and dry runs, pause and resume")).check()
    operator.press(step("Save"))
    token = page.locator("#new-token").input_value()
    assert step("TOKEN") in step.block
    answer = called(operator.here(step.block).replace("$TOKEN", token))
    wanted = json.loads("{" + step('"ok": true') + "}")
    assert wanted.items() <= json.loads(answer)["result"].items()
    page.goto("/admin/gitsync/apitoken/")
    assert token not in page.content()


def called(command: str) -> str:
    """Return the output of curl, which supports only these options here."""
    program, *words = shlex.split(command.replace("\\\n", ""))
    assert program == "curl"
    method, headers, url, body = "GET", {}, "", None
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-d":
                body = words.pop(0).encode()
            case word:
                url = word
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=600) as answer:
        return str(answer.read().decode())


@way("See who did what")
def see_who_did_what(operator: Operator, step: Step) -> None:
    operator.open_repository()
    operator.page.get_by_role("link", name=step("History")).click()
    row = operator.page.get_by_role("row").filter(has_text=step("Paused: the warehouse moves house"))
    expect(row).to_contain_text(operator.service.username)
