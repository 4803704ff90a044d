"""Versions and runs on the admin page of a DAG."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from kiok.metadata.models import Dag, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.dag_pages import UID, make_dag, make_run, make_version, page_of, text, words
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def test_versions_are_compared_newest_against_the_one_before_or_as_chosen(browser: Client) -> None:
    make_dag(version=3)
    for number in (1, 2, 3):
        make_version(number, commit_sha=f"{number}" * 40)
    shown = text(browser, *page_of(tab="versions"))
    assert "Changes from version 2 to version 3" in words(shown)
    assert "Version 2, commit 2222222222" in shown
    assert "<mark>2</mark>" in shown.split("<del>")[1].split("</del>")[0]
    chosen = text(browser, *page_of(tab="versions", before="1", after="3"))
    assert "Changes from version 1 to version 3" in words(chosen)
    assert "<mark>1</mark>" in chosen.split("<del>")[1].split("</del>")[0]


@pytest.mark.parametrize("wanted", ["", "x", "-1", "99", "9" * 30, "0", "٣"])
def test_a_choice_of_versions_that_is_none_breaks_nothing(browser: Client, wanted: str) -> None:
    make_dag()
    make_version(1)
    make_version(2)
    text(browser, *page_of(tab="versions", before=wanted, after=wanted))


def test_a_versions_own_page_shows_what_changed_since_the_one_before(browser: Client) -> None:
    first, third = make_version(1), make_version(3)
    assert "This is the oldest version that is kept" in text(
        browser, f"/admin/metadata/dagversion/{first.pk}/change/"
    )
    shown = text(browser, f"/admin/metadata/dagversion/{third.pk}/change/")
    assert f'<a href="/admin/metadata/dagversion/{first.pk}/change/">version 1</a>' in shown
    assert "<del>" in shown
    assert shown.count("kiok-diff") == 2
    graph = text(browser, f"/admin/metadata/dagversion/{third.pk}/change/", {"tab": "graph"})
    assert "<title>t, shell task</title>" in graph


def test_runs_are_shown_with_version_picture_and_version_changes(
    browser: Client,
) -> None:
    make_dag(version=2)
    for version, state, seconds in (
        (1, "SUCCESS", 100),
        (1, "FAILED", 4),
        (2, "SUCCESS", 25),
        (2, "RUNNING", None),
    ):
        make_run(version, state, seconds)
    shown = text(browser, *page_of(tab="runs"))
    runs = shown.split('id="dag-runs"')[1]
    assert "The last 4 runs: 1 running, 2 success, 1 failed." in runs
    assert runs.count("Changed, was 1") == 1
    assert runs.count('class="kiok-new-version"') == 1
    bars = re.findall(r'<rect class="kiok-bar-(\w+)" [^>]*height="(\d+)"><title>([^<]*)', runs)
    assert [bar[0] for bar in bars] == ["success", "failed", "success", "running"]
    by_seconds = {100: 0, 25: 2, 4: 1, 0: 3}
    heights = [int(bars[place][1]) for place in by_seconds.values()]
    assert heights == sorted(set(heights), reverse=True)
    assert "version 1: failed, 4.0 s" in bars[1][2]


def test_history_continues_after_a_dag_is_pruned_and_when_it_returns(
    browser: Client, work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    work_repo.publish({"a.yaml": yaml_dag("a", "echo changed")})
    sync()
    make_run(2, "SUCCESS", 1)
    (work_repo.work / "a.yaml").unlink()
    work_repo.publish()
    sync()
    assert not Dag.objects.filter(uid=UID).exists()

    gone = text(browser, *page_of())
    assert "is not registered" in gone
    assert "Changes from version 1 to version 2" in words(gone)
    assert "echo changed" in words(gone)
    assert "One run: 1 success" in gone
    version = DagVersion.objects.get(uid=UID, version=2)
    for url, linked in (
        ("/admin/metadata/dagversion/", f"/admin/metadata/dagversion/{version.pk}/change/"),
        (f"/admin/metadata/dagversion/{version.pk}/change/", page_of()[0]),
    ):
        assert f'href="{linked}' in text(browser, url)

    work_repo.publish({"a.yaml": yaml_dag("a", "echo again")})
    sync()
    make_run(3, "FAILED", 1)
    back = text(browser, *page_of(tab="versions"))
    assert "is not registered" not in back
    assert "Changes from version 2 to version 3" in words(back)
    back = text(browser, *page_of(tab="runs"))
    assert "The last 2 runs: 1 success, 1 failed." in back
    assert "Changed, was 2" in back


def test_versions_and_runs_need_their_view_permissions(transactional_db: None) -> None:
    make_dag()
    make_version(1)
    make_version(2)
    make_run(1, "SUCCESS", 1)
    make_version(1, uid="gone/b.yaml")
    user = User.objects.create_user("bob", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_dag", "view_all_repositories")))
    client = Client()
    client.force_login(user)
    for tab in ("graph", "versions", "runs"):
        shown = text(client, *page_of(tab=tab))
        assert "dag-graph" in shown
        assert "?tab=tasks" in shown
        for hidden in ("dag-versions", "dag-runs", "?tab=versions", "?tab=runs"):
            assert hidden not in shown
    assert client.get(page_of("gone/b.yaml")[0]).status_code == 302


def test_a_group_sees_no_dags_or_history_of_other_repositories(
    transactional_db: None,
) -> None:
    make_dag("theirs/a.yaml")
    make_dag("/free.yaml", repository="", source_path="")
    version = make_version(1, uid="theirs/a.yaml")
    make_version(1, uid="theirs/gone.yaml")
    make_run(1, "SUCCESS", 1, uid="theirs/gone.yaml")
    user = User.objects.create_user("bob", password="x", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=("view_dag", "view_dagversion", "view_dagrun"))
    )
    client = Client()
    client.force_login(user)
    for model in ("dag", "dagversion", "dagrun"):
        assert "theirs" not in text(client, f"/admin/metadata/{model}/")
    for uid in ("theirs/a.yaml", "theirs/gone.yaml"):
        assert client.get(page_of(uid)[0]).status_code == 302
    assert client.get(f"/admin/metadata/dagversion/{version.pk}/change/").status_code == 302
