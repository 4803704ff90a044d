"""The overview: the state of every repository by word and colour, and updates of the open page."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gitsync.admin.overview import COLUMNS, PAGE_SIZE
from gitsync.models import FileState, Repository, RepositoryState, SourceFile, SyncRun, SyncState
from gitsync.monitoring import health
from kiok.cluster.models import LeaderLease
from kiok.connections.models import Connection
from kiok.text import in_sentence
from tests.integration.conftest import Sync, yaml_dag
from tests.support.dag_pages import make_dag, make_version
from tests.support.record_pages import client_of
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

OVERVIEW = "/admin/gitsync/overview/"
STATUS = f"{OVERVIEW}status/"
ERRORS = "/admin/gitsync/errors/"
EVIL = "<script>alert(1)</script>"


def text(browser: Client, address: str = OVERVIEW, **query: Any) -> str:
    answer = browser.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def status(browser: Client, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = browser.get(STATUS, query).json()
    return found


def cells(browser: Client, **query: Any) -> dict[str, dict[str, str]]:
    """By the repository's name, then by the column's."""
    rows = status(browser, **query)["rows"]
    return {re.findall(r">(.*?)</a>", row[0])[0]: dict(zip(COLUMNS, row, strict=True)) for _, row in rows}


def totals(browser: Client) -> str:
    found: str = status(browser)["parts"]["totals"]
    return found


def rows_in_page(shown: str) -> list[Any]:
    """The rows of the page's table as the status has them."""
    rows = re.findall(r'<tr data-row="(\d+)">(.*?)</tr>', shown, re.DOTALL)
    return [[int(key), re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for key, row in rows]


def add(name: str, **fields: Any) -> Repository:
    return Repository.objects.create(name=name, url="https://example.org/x.git", **fields)


def test_each_state_has_a_word_and_a_colour_in_its_row_and_the_totals(browser: Client) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    held = {"lease_holder": "worker", "lease_expires_at": soon}
    expected = {
        add("never"): ("idle", "Never synced"),
        add("good", state=RepositoryState.IN_SYNC): ("good", "In sync"),
        add("partly", state=RepositoryState.DEGRADED): ("warn", "Degraded"),
        add("bad", state=RepositoryState.FAILING, reason="timeout", message=EVIL): ("bad", "Failing"),
        add("busy", state=RepositoryState.FAILING, **held): ("busy", "Syncing"),
        add("off", state=RepositoryState.IN_SYNC, enabled=False, **held): ("idle", "Disabled"),
        add("held", paused_at=timezone.now(), pause_reason=EVIL): ("warn", "Paused"),
    }

    shown = status(browser)
    by_name = cells(browser)

    for row, (colour, word) in expected.items():
        assert by_name[row.name]["State"] == f'<span class="kiok-badge kiok-{colour}">{word}</span>'
        assert (
            f'<span class="kiok-badge kiok-{colour}">1 {in_sentence(word)}</span></a>'
            in shown["parts"]["totals"]
        )
    assert "<dd>7 <a" in shown["parts"]["totals"]
    assert shown["parts"]["summary"] == (
        "7 repositories: 1 failing, 1 degraded, 1 syncing, 1 in sync, 1 never synced, 1 paused, 1 disabled."
    )
    assert by_name["off"]["Next check"] == "never (disabled)"
    page = text(browser)
    assert rows_in_page(page) == shown["rows"]
    for part in ("summary", "totals"):
        assert shown["parts"][part].strip() in page
    assert EVIL not in page
    assert EVIL not in json.dumps(shown)
    assert html.escape(EVIL) in by_name["held"]["Cause"]


def test_a_sync_changes_the_cells_that_the_page_requests(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    before = cells(browser)["team"]
    assert before["Last good commit"] == "–"
    commit = work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    work_repo.publish({"a.yaml": "dag:\n  id: a\ntasks: 3\n"})
    sync()

    after = cells(browser)["team"]

    assert "Degraded" in after["State"]
    assert "1 file failed; 1 DAG keeps its last good version" in after["Cause"]
    assert work_repo.head()[:10] in after["Last good commit"]
    assert commit[:10] not in after["Last good commit"]
    assert "just now" in after["Last good commit"]
    assert after["DAGs"] == '2 <span class="kiok-badge kiok-warn">1 stale</span>'
    assert f'<a href="{ERRORS}?repository=team"><span class="kiok-badge kiok-bad">1' in after["Failed files"]
    assert "2 <span" in totals(browser).split("<dt>DAGs</dt>")[1]


def syncing(name: str, **run: Any) -> SyncRun:
    """A repository with a sync under way."""
    held = {"lease_holder": "w", "lease_number": 2, "lease_expires_at": timezone.now() + timedelta(minutes=5)}
    row = add(name, **held)
    return SyncRun.objects.create(repository=row, lease_number=2, started_at=timezone.now(), **run)


@pytest.mark.parametrize(
    ("run", "percent", "words"),
    [
        ({}, 0, "starting"),
        ({"step": "fetch"}, 0, "fetch"),
        ({"step": "compile"}, 25, "compile"),
        (
            {"step": "compile", "files_done": 340, "files_total": 1000},
            45,
            "compile 340 of 1\u202f000 files",
        ),
        ({"step": "compile", "files_done": 1, "files_total": 1}, 85, "compile 1 of 1 file"),
        ({"step": "apply", "files_done": 9, "files_total": 9}, 90, "apply"),
        ({"step": "tomorrow"}, 0, "starting"),
    ],
)
def test_a_running_sync_has_a_progress_bar_with_a_text(
    browser: Client, run: dict[str, Any], percent: int, words: str
) -> None:
    syncing("busy", **run)
    shown = cells(browser)["busy"]["State"]
    assert f'value="{percent}" aria-label="Sync of busy">{words}</progress> {words}</span>' in shown
    assert status(browser)["busy"] is True


def test_a_finished_sync_or_one_of_a_dead_worker_has_no_bar(browser: Client) -> None:
    over, gone = syncing("over", state=SyncState.FAILED), syncing("gone", step="compile")
    Repository.objects.filter(pk=gone.repository_id).update(lease_expires_at=timezone.now())
    assert "<progress" not in json.dumps(status(browser))
    Repository.objects.filter(pk=over.repository_id).update(lease_holder="")
    assert status(browser)["busy"] is False


def test_the_overview_can_be_searched_and_filtered_by_state(browser: Client) -> None:
    add("payments", state=RepositoryState.FAILING)
    add("orders", state=RepositoryState.IN_SYNC)
    Repository.objects.create(name="other", url="https://git.example.net/pay.git", state="failing")

    assert list(cells(browser, q="PAY")) == ["other", "payments"]
    assert list(cells(browser, q="example.org", state="failing")) == ["payments"]
    assert list(cells(browser, state="in_sync")) == ["orders"]
    assert list(cells(browser, state="nonsense")) == ["other", "payments", "orders"]
    assert status(browser, q="pay")["parts"]["summary"].startswith("3 repositories: 2 failing")
    shown = text(browser, q="pay", state="failing")
    assert f'data-overview-url="{STATUS}?q=pay&amp;state=failing&amp;page=1"' in shown
    assert 'value="pay"' in shown
    assert '<option value="failing" selected>' in shown
    assert '<a href="?state=failing"><span class="kiok-badge kiok-bad">2 failing' in shown
    assert "No repository matches." in text(browser, q="<nothing>")
    Repository.objects.all().delete()
    assert "No repositories yet." in text(browser)


def test_a_browser_that_has_the_newest_state_gets_304_without_a_body(browser: Client) -> None:
    add("team")
    first = browser.get(STATUS)
    again = browser.get(STATUS, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    Repository.objects.update(state=RepositoryState.FAILING)
    changed = browser.get(STATUS, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_the_overview_shows_the_state_of_the_installation(browser: Client) -> None:
    shown = totals(browser)
    for fact in health.facts():
        assert f"<dt>{fact.name}</dt>" in shown
        assert html.escape(fact.word) in shown
    assert {"Leader", "Workers", "Sandbox", "Database"} <= set(re.findall("<dt>(.*?)</dt>", shown))


def test_the_overview_shows_whether_there_is_a_leader(browser: Client) -> None:
    assert '<dt>Leader</dt><dd><span class="kiok-badge kiok-bad">None</span>' in totals(browser)
    lease = {"holder": "host:1:worker", "expires_at": timezone.now() + timedelta(minutes=1)}
    LeaderLease.objects.update_or_create(pk=1, defaults=lease)
    assert '<span class="kiok-badge kiok-good">Alive</span> host:1:worker' in totals(browser)
    LeaderLease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert '<dt>Leader</dt><dd><span class="kiok-badge kiok-bad">None</span>' in totals(browser)


@pytest.mark.parametrize("address", [OVERVIEW, STATUS])
def test_the_overview_needs_the_same_queries_for_3_and_60_repositories(browser: Client, address: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(browser, address)
        return len(captured)

    def fill(numbers: range) -> None:
        for number in numbers:
            run = syncing(f"r{number}", step="compile")
            SourceFile.objects.create(repository=run.repository, path="a.yaml", state=FileState.FAILED)

    fill(range(3))
    few = queries()
    fill(range(3, 60))
    assert queries() == few


def test_many_repositories_are_paginated_each_with_its_own_cells(browser: Client) -> None:
    for number in range(PAGE_SIZE + 2):
        add(f"r{number:03}")
    shown = text(browser, page="2")
    assert f'data-overview-url="{STATUS}?page=2"' in shown
    assert len(cells(browser, page="1")) == PAGE_SIZE
    assert list(cells(browser, page="2")) == [f"r{PAGE_SIZE:03}", f"r{PAGE_SIZE + 1:03}"]
    assert status(browser, page="2")["rows"] == rows_in_page(shown)
    assert 'href="?q=r&amp;page=2"' in text(browser, q="r")


def test_the_overview_needs_the_permission_to_view_repositories(repository: Repository) -> None:
    client = client_of("view_sourcefile", "view_dag", "view_syncrun")
    assert client.get(OVERVIEW).status_code == 403
    assert client.get(STATUS).status_code == 403
    assert OVERVIEW not in client.get("/admin/", follow=True).content.decode()
    assert Client().get(STATUS).status_code == 302


def test_links_to_errors_need_the_permission_to_view_files(repository: Repository) -> None:
    SourceFile.objects.create(repository=repository, path="a.yaml", state=FileState.FAILED)
    shown = text(client_of("view_repository", "view_all_repositories"))
    assert '<span class="kiok-badge kiok-bad">1</span>' in shown
    assert ERRORS not in shown


def test_the_overview_runs_no_inline_script(browser: Client) -> None:
    for tag in text(browser).split("<script")[1:]:
        assert 'src="/' in tag.split(">")[0]


def test_the_labels_on_a_phone_are_those_of_the_columns() -> None:
    style = Path(str(finders.find("gitsync/overview.css"))).read_text(encoding="utf-8")
    labels = re.findall(r'td:nth-child\((\d)\)::before \{ content: "(.+?) "', style)
    assert [label for _, label in labels] == [*COLUMNS[3:-1]]  # the last one has buttons
    assert [int(place) for place, _ in labels] == [*range(4, len(COLUMNS))]


def test_the_worst_repositories_come_first_with_their_cause(browser: Client) -> None:
    add("a-good", state=RepositoryState.IN_SYNC)
    add("b-paused", paused_at=timezone.now(), pause_reason="frozen")
    add("c-partly", state=RepositoryState.DEGRADED)
    message = "git ls-remote from https://example.org/x.git: Failed to connect: Connection refused"
    failing = add(
        "d-bad",
        state=RepositoryState.FAILING,
        reason="network",
        message=message,
        last_good_commit="c" * 40,
    )
    make_dag("d-bad/a.yaml")
    make_dag("d-bad/b.yaml")

    shown = cells(browser)

    assert list(shown) == ["d-bad", "c-partly", "a-good", "b-paused"]
    cause = re.sub(r"<[^>]*>", " ", shown["d-bad"]["Cause"])
    wanted = f"Connection refused (example.org:443) 2 DAGs still served at {'c' * 10}"
    assert cause.split() == wanted.split()
    assert f'<span title="{message}">' in shown["d-bad"]["Cause"]
    button = f'form="overview-sync" formaction="/admin/gitsync/repository/{failing.pk}/sync/"'
    assert button in shown["d-bad"]["Action"]
    assert shown["b-paused"]["Action"] == ""


def test_first_steps_are_ticked_off_and_end_with_the_first_dag(browser: Client) -> None:
    def done() -> list[bool]:
        steps = status(browser)["parts"]["steps"]
        return ["Done" in step for step in steps.split("<li")[1:]]

    assert done() == [False, False, False]
    Connection.objects.create(id="key", type="git")
    assert done() == [True, False, False]
    add("team")
    assert done() == [True, True, False]
    dag = make_dag("team/a.yaml")
    assert status(browser)["parts"]["steps"] == ""
    # An installation that has lost its DAGs is not a new one.
    make_version(1, uid=dag.uid)
    dag.delete()
    assert status(browser)["parts"]["steps"] == ""
    assert '<a class="button kiok-add" href="/admin/gitsync/repository/add/">' in text(browser)


def test_a_user_who_may_only_view_gets_no_buttons_and_no_first_steps(transactional_db: None) -> None:
    client = client_of("view_repository", "view_all_repositories")
    assert status(client)["parts"]["steps"] == ""
    assert "kiok-add" not in text(client)
    add("team")
    assert cells(client)["team"]["Action"] == ""
