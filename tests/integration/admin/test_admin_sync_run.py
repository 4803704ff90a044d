"""Syncs in the admin: the list, and the page of one, live while it runs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gitsync.admin import sync_page
from gitsync.admin.sync_page import GONE
from gitsync.models import Repository, SourceFile, SyncRun, SyncState, Trigger
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.metadata.models import DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.admin_pages import page
from tests.support.record_pages import client_of
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/gitsync/syncrun/"
BROKEN = "dag:\n  id: a\ntasks:\n- id: x\n  require: [y]\n"
EVIL = "<script>alert(1)</script>"


def text(browser: Client, address: str, **query: Any) -> str:
    answer = browser.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def live(browser: Client, run: SyncRun) -> dict[str, Any]:
    found: dict[str, Any] = browser.get(f"{LIST}{run.pk}/status/").json()
    return found


def started(repository: Repository, **fields: Any) -> SyncRun:
    given = {"lease_number": 1, "started_at": timezone.now(), **fields}
    return SyncRun.objects.create(repository=repository, **given)


def claimed(repository: Repository, number: int = 1) -> None:
    expires = timezone.now() + timedelta(minutes=1)
    Repository.objects.filter(pk=repository.pk).update(
        lease_holder="w", lease_number=number, lease_expires_at=expires
    )


def test_a_sync_shows_its_trigger_the_end_of_each_dag_and_links(
    browser: Client, work_repo: WorkRepo, repository: Repository
) -> None:
    first = work_repo.publish({f"{name}.yaml": yaml_dag(name) for name in "abcd"})
    sync_repository(repository.pk, SyncOptions())
    (work_repo.work / "c.yaml").unlink()
    second = work_repo.publish({"a.yaml": yaml_dag("a", "echo 2"), "b.yaml": BROKEN, "e.yaml": yaml_dag("e")})
    sync_repository(repository.pk, SyncOptions(trigger=Trigger.ADMIN, requested_by="ada"))
    run = SyncRun.objects.latest("id")

    shown = text(browser, page(run))

    assert "<dd>ada (admin)</dd>" in shown
    assert f"<dt>From commit</dt><dd><code>{first}</code></dd>" in shown.replace("\n", "")
    assert f"<dt>To commit</dt><dd><code>{second}</code></dd>" in shown.replace("\n", "")
    assert f'<a href="/admin/gitsync/repository/{repository.pk}/change/">team</a>' in shown
    version = DagVersion.objects.get(uid="team/a.yaml", version=2)
    updated = shown.split("<h3>1 updated</h3>")[1].split("</ul>")[0]
    assert f'href="/admin/metadata/dag/{quote("team/a.yaml")}/change/">team/a.yaml</a>' in updated
    assert f'<a href="/admin/metadata/dagversion/{version.pk}/change/">version 2: changes</a>' in updated
    created = shown.split("<h3>1 created</h3>")[1].split("</ul>")[0]
    assert ">version 1</a>" in created
    pruned = shown.split("<h3>1 pruned</h3>")[1].split("</ul>")[0]
    assert '<a href="/admin/metadata/dagversion/?uid__exact=team%2Fc.yaml">team/c.yaml</a>' in pruned
    assert "<h3>1 stale</h3>" in shown
    file = SourceFile.objects.get(path="b.yaml")
    assert f'<a href="/admin/gitsync/sourcefile/{file.pk}/change/"><code>b.yaml:5</code></a>: ' in shown
    assert "<p>1 unchanged.</p>" in shown
    assert "apply: committed</pre>" in shown
    assert 'data-settled="true"' in shown
    assert live(browser, run)["settled"] is True


def test_a_running_sync_shows_how_far_it_is_and_its_log_until_it_is_over(
    browser: Client, repository: Repository
) -> None:
    run = started(repository, step="compile", files_done=3, files_total=12, log=f"+0.01 fetch: {EVIL}")
    claimed(repository)

    now = live(browser, run)

    assert now["settled"] is False
    assert now["parts"]["line"].endswith("Step compile.")
    assert "compile 3 of 12 files</span>" in now["parts"]["progress"]
    assert now["parts"]["log"] == "+0.01 fetch: &lt;script&gt;alert(1)&lt;/script&gt;"
    shown = text(browser, page(run))
    assert 'data-settled="false"' in shown
    for part in now["parts"].values():
        assert part.strip() in shown
    assert "compile 3 of 12 files" in text(browser, LIST)

    claimed(repository, number=2)
    assert GONE in live(browser, run)["parts"]["line"]
    SyncRun.objects.update(state=SyncState.FAILED, step="compile", message=EVIL, reason="timeout")
    over = live(browser, run)
    assert over["settled"] is True
    assert over["parts"]["progress"] == ""
    assert "Failed</span> &lt;script&gt;" in over["parts"]["line"]


def test_time_per_step_is_a_table_and_a_timeline(browser: Client, repository: Repository) -> None:
    timings = {"compile": 3.0, "apply": 0.75, "fetch": 1.25, "plan": 0.0, EVIL: 0.0}
    run = started(repository, state=SyncState.FAILED, step="apply", timings=timings)

    shown = live(browser, run)["parts"]["steps"]

    assert EVIL not in shown
    rows = re.findall(
        r'<th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>.*?x="([\d.]+)" width="([\d.]+)"', shown
    )
    assert [row[:3] for row in rows[:4]] == [
        ("fetch", "1.2 s", "25 %"),
        ("compile", "3.0 s", "60 %"),
        ("plan", "0 ms", "0 %"),
        ("apply (failed)", "750 ms", "15 %"),
    ]
    assert [(float(x), float(width)) for *_, x, width in rows[:4]] == [
        (0, 25),
        (25, 60),
        (85, sync_page.LEAST_WIDTH),
        (85, 15),
    ]
    assert all(float(x) + float(width) <= 100 for *_, x, width in rows)
    assert shown.count("kiok-bar-failed") == 1
    assert " style=" not in text(browser, page(run))


def test_a_page_costs_the_same_queries_for_few_and_many_changes(
    browser: Client, repository: Repository
) -> None:
    def queries(number: int) -> int:
        uids = [f"team/{n}.yaml" for n in range(number)]
        now = timezone.now()
        run = started(
            repository,
            state=SyncState.PARTIAL,
            finished_at=now,
            changes={"created": uids, "updated": [], "pruned": [], "stale": []},
            failed_files=[{"path": f"{n}.yaml", "line": None, "message": "m"} for n in range(number)],
        )
        with CaptureQueriesContext(connection) as captured:
            shown = text(browser, page(run))
        assert "… and" in shown if number > 500 else "… and" not in shown
        return len(captured)

    queries(1)  # Django remembers the types of things
    assert queries(1) == queries(600)


def test_links_are_those_that_the_viewer_may_follow(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": BROKEN})
    sync()
    shown = text(client_of("view_syncrun", "view_all_repositories"), page(SyncRun.objects.get()))
    assert "<li>team/a.yaml</li>" in shown.replace("\n", "")
    assert "<code>b.yaml:5</code>: " in shown
    for model in ("metadata/dag", "gitsync/sourcefile", "gitsync/repository"):
        assert f"/admin/{model}" not in shown


def test_syncs_of_an_invisible_repository_are_not_found(repository: Repository) -> None:
    run = started(repository)
    client = client_of("view_syncrun")
    assert client.get(f"{LIST}{run.pk}/status/").status_code == 404
    assert client.get(page(run)).status_code == 302  # Django's answer for what is not there
    assert ">team<" not in text(client, LIST)


def test_the_status_needs_the_permission_to_view_syncs(repository: Repository) -> None:
    run = started(repository)
    assert (
        client_of("view_repository", "view_all_repositories").get(f"{LIST}{run.pk}/status/").status_code
        == 403
    )
    assert Client().get(f"{LIST}{run.pk}/status/").status_code == 302


def test_syncs_are_searched_and_filtered(browser: Client, repository: Repository) -> None:
    other = Repository.objects.create(name="other", url="https://example.org/x.git")
    long_ago = timezone.now() - timedelta(days=40)
    by_hand = started(repository, trigger=Trigger.ADMIN, requested_by="grace", full=True, started_at=long_ago)
    pushed = started(other, trigger=Trigger.WEBHOOK, state=SyncState.FAILED, to_commit="c0ffee" * 6)

    def found(**query: Any) -> set[int]:
        shown = text(browser, LIST, **query)
        return {
            int(pk)
            for pk in re.findall(
                rf'<th class="field-sync"[^>]*><div[^>]*><a href="{LIST}(\d+)/change/', shown
            )
        }

    assert found() == {by_hand.pk, pushed.pk}
    assert found(q="grace") == found(q="team") == {by_hand.pk}
    assert found(q="c0ffee") == {pushed.pk}
    assert found(state__exact="failed") == found(trigger__exact="webhook") == {pushed.pk}
    assert found(full__exact="1") == {by_hand.pk}
    assert found(repository__id__exact=str(other.pk)) == {pushed.pk}
    recently = (timezone.now() - timedelta(days=7)).isoformat()
    assert found(started_at__gte=recently) == {pushed.pk}


def test_commits_and_files_lead_to_the_git_service(browser: Client) -> None:
    before, after = "a" * 40, "b" * 40
    row = Repository.objects.create(
        name="dags",
        url="https://github.com/acme/dags.git",
        last_good_commit=after,
        last_good_at=timezone.now(),
    )
    run = started(
        row,
        state=SyncState.PARTIAL,
        from_commit=before,
        to_commit=after,
        failed_files=[{"path": "x/a b.yaml", "line": 3, "message": "m"}],
    )
    service = "https://github.com/acme/dags"
    shown = text(browser, page(run))
    assert f'href="{service}/commit/{before}"' in shown
    assert f'href="{service}/commit/{after}"' in shown
    assert f'<a href="{service}/compare/{before}...{after}">what changed</a>' in shown
    assert f'href="{service}/blob/{after}/x/a%20b.yaml#L3"' in shown
    assert f'href="{service}/compare/{before}...{after}"' in text(browser, LIST)
    assert f'href="{service}/commit/{after}"' in text(browser, "/admin/gitsync/overview/")
