"""The overview: how every repository stands by word and colour, and what changes while one looks."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gitsync.admin.overview import PAGE_SIZE
from gitsync.admin.sync_status import NO_WORKER
from gitsync.models import FileState, Leadership, Repository, RepositoryState, SourceFile
from tests.integration.conftest import Sync, yaml_dag
from tests.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

OVERVIEW = "/admin/gitsync/repository/overview/"
STATUS = f"{OVERVIEW}status/"
ERRORS = "/admin/gitsync/sourcefile/errors/"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def browser(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada", password="x"))
    return client


def text(browser: Client, address: str = OVERVIEW, **query: Any) -> str:
    answer = browser.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def cells(browser: Client, **query: Any) -> dict[str, str]:
    found: dict[str, str] = browser.get(STATUS, query).json()["cells"]
    return found


def in_page(shown: str) -> dict[str, str]:
    """The cells of the page's table and the totals, by key."""
    table = dict(re.findall(r'<td data-cell="([^"]+)">(.*?)</td>', shown))
    totals = re.findall(r'<div data-cell="totals">(.*?)</div>', shown, re.DOTALL)
    return {"totals": totals[0], **table}


def add(name: str, **fields: Any) -> Repository:
    return Repository.objects.create(name=name, url="https://example.org/x.git", **fields)


def test_each_state_is_told_by_word_and_colour_in_its_row_and_in_the_totals(browser: Client) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    held = {"lease_holder": "worker", "lease_expires_at": soon}
    expected = {
        add("never"): ("idle", "never synced"),
        add("good", state=RepositoryState.IN_SYNC): ("good", "in sync"),
        add("partly", state=RepositoryState.DEGRADED): ("warn", "in sync, with failed files"),
        add("bad", state=RepositoryState.FAILING, reason="timeout", message=EVIL): ("bad", "failing"),
        add("busy", state=RepositoryState.FAILING, **held): ("busy", "syncing"),
        add("off", state=RepositoryState.IN_SYNC, enabled=False, **held): ("idle", "switched off"),
    }

    shown = cells(browser)

    for row, (colour, word) in expected.items():
        assert shown[f"{row.pk}.state"] == f'<span class="kiok-badge kiok-{colour}">{word}</span>'
        assert f'<span class="kiok-badge kiok-{colour}">1 {word}</span>' in shown["totals"]
    assert "<dd>6 " in shown["totals"]
    off = Repository.objects.get(name="off")
    assert shown[f"{off.pk}.next"] == "never, it is switched off"
    page = text(browser)
    assert in_page(page) == shown
    assert EVIL not in page
    assert EVIL not in "".join(shown.values())


def test_a_sync_changes_the_cells_that_are_asked_for(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    key = f"{repository.pk}."
    before = cells(browser)
    assert before[f"{key}good"] == "–"
    commit = work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    work_repo.publish({"a.yaml": "dag:\n  id: a\ntasks: 3\n"})
    sync()

    after = cells(browser)

    assert after.keys() == before.keys()
    assert "in sync, with failed files" in after[f"{key}state"]
    assert "files_failed" in after[f"{key}reason"]
    assert work_repo.head()[:10] in after[f"{key}good"]
    assert commit[:10] not in after[f"{key}good"]
    assert "just now" in after[f"{key}good"]
    assert after[f"{key}dags"] == '2 <span class="kiok-badge kiok-warn">1 stale</span>'
    assert f'<a href="{ERRORS}?repository=team"><span class="kiok-badge kiok-bad">1' in after[f"{key}failed"]
    assert "2 <span" in after["totals"].split("<dt>DAGs</dt>")[1]


def test_it_says_whether_anybody_leads(browser: Client) -> None:
    assert NO_WORKER in cells(browser)["totals"]
    lease = {"holder": "host:1:worker", "expires_at": timezone.now() + timedelta(minutes=1)}
    Leadership.objects.update_or_create(pk=1, defaults=lease)
    assert '<span class="kiok-badge kiok-good">alive</span> host:1:worker' in cells(browser)["totals"]
    Leadership.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert NO_WORKER in cells(browser)["totals"]


@pytest.mark.parametrize("address", [OVERVIEW, STATUS])
def test_it_costs_the_same_queries_for_3_and_for_60_repositories(browser: Client, address: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(browser, address)
        return len(captured)

    def fill(numbers: range) -> None:
        for number in numbers:
            SourceFile.objects.create(repository=add(f"r{number}"), path="a.yaml", state=FileState.FAILED)

    fill(range(3))
    few = queries()
    fill(range(3, 60))
    assert queries() == few


def test_many_repositories_come_by_pages_each_with_its_own_cells(browser: Client) -> None:
    for number in range(PAGE_SIZE + 2):
        add(f"r{number:03}")
    assert f'data-overview-url="{STATUS}?page=2"' in text(browser, page="2")
    assert len(cells(browser, page="1")) == 1 + 6 * PAGE_SIZE
    assert cells(browser, page="2").keys() == in_page(text(browser, page="2")).keys()
    assert len(cells(browser, page="2")) == 1 + 6 * 2


def client_of(*codenames: str) -> Client:
    user = User.objects.create_user("vera", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def test_whoever_may_not_view_repositories_has_no_overview(repository: Repository) -> None:
    client = client_of("view_sourcefile", "view_dag", "view_syncrun")
    assert client.get(OVERVIEW).status_code == 403
    assert client.get(STATUS).status_code == 403
    assert OVERVIEW not in client.get("/admin/").content.decode()
    assert Client().get(STATUS).status_code == 302


def test_whoever_may_view_repositories_alone_has_no_links_to_errors(repository: Repository) -> None:
    SourceFile.objects.create(repository=repository, path="a.yaml", state=FileState.FAILED)
    shown = text(client_of("view_repository", "view_all_repositories"))
    assert '<span class="kiok-badge kiok-bad">1</span>' in shown
    assert ERRORS not in shown


def test_the_overview_comes_first_in_its_section_of_the_index(browser: Client) -> None:
    shown = browser.get("/admin/gitsync/").content.decode()
    places = [shown.index(f'href="{address}"') for address in (OVERVIEW, "/admin/gitsync/repository/")]
    assert places == sorted(places)
    for tag in text(browser).split("<script")[1:]:
        assert 'src="/' in tag.split(">")[0]
