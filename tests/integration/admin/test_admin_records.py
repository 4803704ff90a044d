"""Syncs, files, DAGs, versions and runs in the admin: complete, read-only, with a constant number of queries."""

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

from gitsync.models import SourceFile, SyncRun
from kiok.metadata.models import Dag, DagRun, DagVersion, TaskRun
from tests.integration.conftest import Sync, yaml_dag
from tests.support.dag_pages import EVIL
from tests.support.record_pages import make_dag, make_rows, text, words
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


BROKEN = "dag:\n  id: a\ntasks:\n- id: x\n  require: [y]\n"


@pytest.mark.parametrize(
    "address",
    [
        "/admin/gitsync/syncrun/",
        "/admin/gitsync/sourcefile/",
        "/admin/metadata/dag/",
        "/admin/metadata/dagversion/",
        "/admin/metadata/dagrun/",
    ],
)
def test_a_list_costs_the_same_queries_for_3_and_for_30_rows(browser: Client, address: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(browser, address)
        return len(captured)

    make_rows(range(3))
    few = queries()
    make_rows(range(3, 30))
    assert queries() == few


@pytest.mark.parametrize(
    "model",
    ["gitsync/syncrun", "gitsync/sourcefile", "metadata/dag", "metadata/dagversion", "metadata/dagrun"],
)
def test_records_cannot_be_added_changed_or_removed_even_by_a_superuser(browser: Client, model: str) -> None:
    make_rows(range(1))
    rows: dict[str, Any] = {
        "gitsync/syncrun": SyncRun,
        "gitsync/sourcefile": SourceFile,
        "metadata/dag": Dag,
        "metadata/dagversion": DagVersion,
        "metadata/dagrun": DagRun,
    }
    key = quote(rows[model].objects.get().pk)

    shown = text(browser, f"/admin/{model}/{key}/change/")

    assert 'name="_save"' not in shown
    assert browser.post(f"/admin/{model}/{key}/change/", {"state": "x"}).status_code == 403
    assert browser.post(f"/admin/{model}/{key}/delete/", {"post": "yes"}).status_code == 403
    assert browser.get(f"/admin/{model}/add/").status_code == 403
    assert "delete_selected" not in text(browser, f"/admin/{model}/")


def test_a_sync_shows_what_changed_what_failed_and_how_long_each_step_took(
    browser: Client, work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    (work_repo.work / "b.yaml").unlink()
    commit = work_repo.publish({"a.yaml": BROKEN})
    sync()
    run = SyncRun.objects.latest("id")

    shown = text(browser, f"/admin/gitsync/syncrun/{run.pk}/change/")

    assert commit in shown
    assert f'<a href="/admin/metadata/dag/{quote("team/a.yaml")}/change/">team/a.yaml</a>' in shown
    assert '<a href="/admin/metadata/dagversion/?uid__exact=team%2Fb.yaml">team/b.yaml</a>' in shown
    assert "a.yaml:5" in shown
    steps = shown.split("Time per step</h2>")[1]
    assert steps.index(">fetch<") < steps.index(">compile<") < steps.index(">apply<")
    assert f"Sync {run.pk} of team" in shown
    assert "1 pruned, 1 stale" in text(browser, "/admin/gitsync/syncrun/")


def test_a_failed_file_shows_every_problem_with_its_place(
    browser: Client, work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": BROKEN})
    sync()
    file = SourceFile.objects.get()
    file.diagnostics[0]["output"] = "what it printed\nin two lines"
    file.save()

    shown = text(browser, f"/admin/gitsync/sourcefile/{file.pk}/change/")

    for diagnostic in file.diagnostics:
        assert f"a.yaml:{diagnostic['line']}" in shown
    assert "requires" in shown
    assert "what it printed\nin two lines</pre>" in shown
    listed = text(browser, "/admin/gitsync/sourcefile/?state__exact=failed")
    assert f"{file.diagnostics[0]['line']}:" in listed.split('class="field-problem"')[1].split("</td>")[0]
    assert "a.yaml" not in text(browser, "/admin/gitsync/sourcefile/?state__exact=ignored")


def test_files_without_dags_show_their_reason_in_the_list_and_on_the_page(
    browser: Client, work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.publish({"ci.yml": "services: {}\n", ".kiokignore": "x.yaml\n", "x.yaml": ""})
    sync()
    for path, reason in (("ci.yml", "it has no key"), ("x.yaml", "ignored: .kiokignore")):
        file = SourceFile.objects.get(path=path)
        assert reason in text(browser, f"/admin/gitsync/sourcefile/?state__exact={file.state}")
        assert reason in text(browser, f"/admin/gitsync/sourcefile/{file.pk}/change/")


def test_a_dag_shows_its_tasks_source_spec_versions_and_where_it_came_from(
    browser: Client, work_repo: WorkRepo, sync: Sync
) -> None:
    first = work_repo.publish({"dags/a.yaml": yaml_dag("a")})
    sync()
    second = work_repo.publish({"dags/a.yaml": yaml_dag("a", "echo changed")})
    sync()

    page = f"/admin/metadata/dag/{quote('team/dags/a.yaml')}/change/"
    shown = "".join(text(browser, page, {"tab": tab}) for tab in ("tasks", "source", "versions", "details"))

    assert '<th scope="row">a</th><td>shell</td>' in shown
    assert "dag:\n  id: a\n" in words(shown)
    assert "&quot;script&quot;: &quot;echo changed&quot;" in words(shown)
    assert first[:10] in shown
    assert second in shown
    assert '<a href="/admin/gitsync/repository/named/team/">team</a>' in shown


def test_a_dags_runs_go_on_over_prune_and_return(browser: Client, work_repo: WorkRepo, sync: Sync) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    before = DagRun.objects.create(uid="team/a.yaml", version=1, trigger="manual", state="FAILED")
    (work_repo.work / "a.yaml").unlink()
    work_repo.publish()
    sync()
    gone = text(browser, f"/admin/metadata/dagrun/{before.pk}/change/")
    assert "team/a.yaml (not registered)" in words(gone)

    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    after = DagRun.objects.create(uid="team/a.yaml", version=2, trigger="schedule", state="SUCCESS")

    shown = text(browser, f"/admin/metadata/dag/{quote('team/a.yaml')}/change/", {"tab": "runs"})
    for run in (before, after):
        assert f"/admin/metadata/dagrun/{run.pk}/change/" in shown
    row = text(browser, "/admin/metadata/dag/?q=team/a.yaml")
    assert "kiok-good" in row.split("field-last_run")[1]


def test_a_stale_dag_is_marked_with_its_reason_and_can_be_filtered(
    browser: Client, work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    work_repo.publish({"a.yaml": BROKEN})
    sync()

    stale = text(browser, "/admin/metadata/dag/?stale=yes")
    assert "team/a.yaml" in stale
    assert "team/b.yaml" not in stale
    assert "kiok-warn" in stale
    current = text(browser, "/admin/metadata/dag/?stale=no")
    assert "team/b.yaml" in current
    assert "team/a.yaml" not in current


def test_a_spec_is_shown_in_the_order_of_its_wire_form(
    browser: Client, work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    shown = words(text(browser, f"/admin/metadata/dag/{quote('team/a.yaml')}/change/", {"tab": "details"}))
    places = [shown.index(f"&quot;{key}&quot;: ") for key in ("name", "schedule", "tasks", "type", "script")]
    assert places == sorted(places)


def test_one_odd_row_breaks_no_list(browser: Client) -> None:
    make_dag("odd/a.yaml", spec={"tasks": None})
    make_dag("odd/b.yaml", spec={"tasks": "x"})
    make_dag("odd/c.yaml", spec={})
    shown = text(browser, "/admin/metadata/dag/")
    assert [uid for uid in ("odd/a.yaml", "odd/b.yaml", "odd/c.yaml") if quote(uid) not in shown] == []


def test_a_run_shows_its_tasks(browser: Client) -> None:
    make_dag("x/a.yaml")
    run = DagRun.objects.create(uid="x/a.yaml", version=1, trigger="manual", state="FAILED")
    TaskRun.objects.create(
        dag_run=run, uid=run.uid, task_id="load", state="FAILED", exit_code=7, log="it went wrong"
    )

    shown = text(browser, f"/admin/metadata/dagrun/{run.pk}/change/")

    assert "load" in shown
    assert "it went wrong" in shown
    assert "<td>7</td>" in shown
    assert "<textarea" not in shown


def test_the_tasks_of_a_run_are_failed_first_filtered_by_state_and_paged(browser: Client) -> None:
    make_dag("x/a.yaml")
    run = DagRun.objects.create(uid="x/a.yaml", version=1, trigger="manual", state="RUNNING")
    begun = timezone.now() - timedelta(minutes=5)
    TaskRun.objects.bulk_create(
        TaskRun(dag_run=run, uid=run.uid, task_id=f"t{n:03}", state=state, started_at=begun)
        for n in range(500)
        for state in ["FAILED" if n in (7, 450) else "RUNNING" if n == 460 else "SUCCESS"]
    )
    page = f"/admin/metadata/dagrun/{run.pk}/change/"

    shown = text(browser, page)

    assert re.findall(r'<th scope="row">(t\d+)</th>', shown)[:4] == ["t007", "t450", "t460", "t000"]
    assert "5 min 0 s so far" in words(shown)
    assert "Page 1 of 5" in words(shown)
    failed = text(browser, page, {"state": "FAILED"})
    assert re.findall(r'<th scope="row">(t\d+)</th>', failed) == ["t007", "t450"]
    last = text(browser, page, {"state": "SUCCESS", "page": "5"})
    assert re.findall(r'<th scope="row">(t\d+)</th>', last)[-1] == "t499"
    assert "?state=SUCCESS&amp;page=4" in last
    assert re.findall(r'<th scope="row">(t\d+)</th>', text(browser, page, {"state": EVIL, "page": EVIL}))


def test_a_page_of_a_run_needs_the_same_queries_for_few_and_many_tasks(browser: Client) -> None:
    make_dag("x/a.yaml")
    run = DagRun.objects.create(uid="x/a.yaml", version=1, trigger="manual", state="RUNNING")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(browser, f"/admin/metadata/dagrun/{run.pk}/change/")
        return len(captured)

    TaskRun.objects.create(dag_run=run, uid=run.uid, task_id="t")
    queries()  # fills Django's cache of content types
    few = queries()
    TaskRun.objects.bulk_create(TaskRun(dag_run=run, uid=run.uid, task_id=f"t{n}") for n in range(500))
    assert queries() == few
