"""The page of a DAG and what surrounds it: permitted, escaped, bounded, whole over prune and return."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from kiok.metadata.admin import provenance
from kiok.metadata.admin.code import MAX_CHARACTERS, MAX_COLOURED_CHARACTERS
from kiok.metadata.graph.limits import MAX_TASKS
from kiok.metadata.models import Dag, DagRun, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

EVIL = '"><script>alert(1)</script>'
UID = "team/a.yaml"


@pytest.fixture
def browser(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada", password="x"))
    return client


def page_of(uid: str = UID, **query: Any) -> tuple[str, dict[str, Any]]:
    return f"/admin/metadata/dag/{quote(uid)}/change/", query


def text(browser: Client, address: str, query: dict[str, Any] | None = None) -> str:
    answer = browser.get(address, query or {})
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


def words(shown: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", shown)).split())


def spec(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"id": "a", "name": "a", "tasks": list(tasks)}


def task(id: str, *requires: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "type": "shell", "requires": list(requires), "script": "x", **fields}


def make_dag(uid: str = UID, **fields: Any) -> Dag:
    now = timezone.now()
    given = {
        **{
            "dag_id": "a",
            "name": "a",
            "origin": "git",
            "spec": spec(task("t")),
            "spec_hash": "0",
            "version": 1,
        },
        **{"repository": uid.partition("/")[0], "source_path": uid.partition("/")[2]},
    }
    return Dag.objects.create(uid=uid, created_at=now, updated_at=now, **{**given, **fields})


def make_version(number: int, uid: str = UID, **fields: Any) -> DagVersion:
    given = {"spec": spec(task("t", script=f"echo {number}")), "source": f"script: echo {number}\n"}
    return DagVersion.objects.create(
        uid=uid, version=number, spec_hash=str(number), created_at=timezone.now(), **{**given, **fields}
    )


def make_run(version: int, state: str, seconds: float | None = None, uid: str = UID) -> DagRun:
    start = timezone.now() - timedelta(hours=1)
    end = start + timedelta(seconds=seconds) if seconds is not None else None
    return DagRun.objects.create(
        uid=uid, version=version, trigger="manual", state=state, started_at=start, finished_at=end
    )


def test_the_graph_is_drawn_by_the_server_and_each_box_leads_to_its_row(browser: Client) -> None:
    make_dag(
        spec=spec(task("extract"), task("load", "extract", type="python"), task("odd", "load", type="x y"))
    )
    shown = text(browser, *page_of())
    for number, label in ((1, "extract, shell task"), (2, "load, python task"), (3, "odd, x y task")):
        assert re.search(rf'href="#task-{number}"[^>]*aria-label="{label}"', shown)
        assert f'<tr id="task-{number}">' in shown
    assert shown.count('class="kiok-edge"') == 2
    assert "kiok-type-other" in shown
    assert "style=" not in shown.split('class="kiok-graph"')[1].split("</svg>")[0]


def test_hostile_names_are_text_in_graph_table_code_and_changes(browser: Client) -> None:
    fields = {"spec": spec(task(EVIL, EVIL, type=EVIL, config={EVIL: EVIL}), task("b", EVIL)), "source": EVIL}
    make_dag(name=EVIL, schedule=EVIL, **fields)
    make_version(1)
    version = make_version(2, **fields)
    DagRun.objects.create(uid=UID, version=2, trigger=EVIL)
    for address in (page_of()[0], f"/admin/metadata/dagversion/{version.pk}/change/"):
        shown = text(browser, address)
        assert "<script>alert" not in shown
        assert '"><script' not in shown
        assert "alert(1)" in shown


def test_characters_that_turn_code_around_are_shown_as_such(browser: Client) -> None:
    make_dag(source="a = 1 # \u202e evil", source_path="a.py")
    shown = text(browser, *page_of())
    assert "\u202e" not in shown
    assert r"\u202e" in shown


def test_a_huge_graph_is_not_drawn_but_said_to_be_too_large(browser: Client) -> None:
    many = [task(f"t{n}", *[f"t{m}" for m in range(max(0, n - 30), n)]) for n in range(10_000)]
    make_dag(spec=spec(*many), source="- x: [1, 2]\n" * 100_000)
    shown = text(browser, *page_of())
    assert "too large to draw: 10000 tasks" in shown
    assert "kiok-node" not in shown
    assert "and 9000 more tasks; see the spec below" in shown
    assert "and about" in shown


def test_a_graph_is_drawn_up_to_the_limit_and_its_implied_lines_are_counted(browser: Client) -> None:
    tasks = [task(f"t{n}", *[f"t{m}" for m in range(max(0, n - 4), n)]) for n in range(MAX_TASKS)]
    make_dag(spec=spec(*tasks))
    shown = text(browser, *page_of())
    assert shown.count('<a class="kiok-node') == MAX_TASKS
    assert shown.count('class="kiok-edge"') == MAX_TASKS - 1
    assert (
        f"{sum(min(n, 4) for n in range(1000)) - 999} dependencies implied by longer paths are not drawn"
        in words(shown)
    )


@pytest.mark.parametrize(
    ("path", "source", "coloured"),
    [
        ("a.yaml", "dag: # it\n  id: a\n", "comment"),
        ("a.py", "def f():\n    return 'x'\n", "keyword"),
        ("a.txt", "def f(): pass\n", ""),
        ("a.py", "x = 'y'\n" * (MAX_COLOURED_CHARACTERS // 8 + 1), ""),
    ],
)
def test_source_is_coloured_by_its_language_and_numbered(
    browser: Client, path: str, source: str, coloured: str
) -> None:
    make_dag(source=source, source_path=path)
    block = text(browser, *page_of()).split('id="dag-source"')[1].split("</pre>")[0]
    assert ("kiok-code-" in block) == bool(coloured)
    if coloured:
        assert f'<span class="kiok-code-{coloured}">' in block
    assert 'id="L1" href="#L1" data-line="1"' in block
    assert f'data-line="{source.count(chr(10)) + 1}"' in block
    plain = html.unescape(re.sub(r"<[^>]*>", "", block.split("<pre", 1)[1].split(">", 1)[1]))
    assert plain == source


def test_a_source_without_end_is_cut_and_a_jar_says_that_it_has_none(browser: Client) -> None:
    make_dag(source="x" * (MAX_CHARACTERS + 500))
    assert "and about 500 more characters" in text(browser, *page_of())
    make_dag("team/b.jar", source=None)
    assert "No source is stored: a jar contains none." in text(browser, *page_of("team/b.jar"))


def test_versions_are_compared_newest_against_the_one_before_or_as_chosen(browser: Client) -> None:
    make_dag(version=3)
    for number in (1, 2, 3):
        make_version(number, commit_sha=f"{number}" * 40)
    shown = text(browser, *page_of())
    assert "Changes from version 2 to version 3" in words(shown)
    assert "Version 2, commit 2222222222" in shown
    assert "<mark>2</mark>" in shown.split("<del>")[1].split("</del>")[0]
    chosen = text(browser, *page_of(before="1", after="3"))
    assert "Changes from version 1 to version 3" in words(chosen)
    assert "<mark>1</mark>" in chosen.split("<del>")[1].split("</del>")[0]


@pytest.mark.parametrize("wanted", ["", "x", "-1", "99", "9" * 30, "0", "٣"])
def test_a_choice_of_versions_that_is_none_breaks_nothing(browser: Client, wanted: str) -> None:
    make_dag()
    make_version(1)
    make_version(2)
    text(browser, *page_of(before=wanted, after=wanted))


def test_a_versions_own_page_shows_what_changed_since_the_one_before(browser: Client) -> None:
    first, third = make_version(1), make_version(3)
    assert "This is the oldest version that is kept" in text(
        browser, f"/admin/metadata/dagversion/{first.pk}/change/"
    )
    shown = text(browser, f"/admin/metadata/dagversion/{third.pk}/change/")
    assert f'<a href="/admin/metadata/dagversion/{first.pk}/change/">version 1</a>' in shown
    assert "<del>" in shown
    assert shown.count("kiok-diff") == 2
    assert 'aria-label="t, shell task"' in shown


def test_runs_are_told_with_their_version_and_a_picture_and_where_the_version_changed(
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
    shown = text(browser, *page_of())
    runs = shown.split('id="dag-runs"')[1]
    assert "The last 4 runs: 1 running, 2 success, 1 failed." in runs
    assert runs.count("changed, was 1") == 1
    assert runs.count('class="kiok-new-version"') == 1
    bars = re.findall(r'<rect class="kiok-bar-(\w+)" [^>]*height="(\d+)"><title>([^<]*)', runs)
    assert [bar[0] for bar in bars] == ["success", "failed", "success", "running"]
    by_seconds = {100: 0, 25: 2, 4: 1, 0: 3}
    heights = [int(bars[place][1]) for place in by_seconds.values()]
    assert heights == sorted(set(heights), reverse=True)
    assert "version 1: failed, 4.0 s" in bars[1][2]


def test_the_history_goes_on_while_a_dag_is_gone_and_when_it_returns(
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
    listed = text(browser, "/admin/metadata/dagversion/")
    assert f'href="{page_of()[0]}"' in listed

    work_repo.publish({"a.yaml": yaml_dag("a", "echo again")})
    sync()
    make_run(3, "FAILED", 1)
    back = text(browser, *page_of())
    assert "is not registered" not in back
    assert "Changes from version 2 to version 3" in words(back)
    assert "The last 2 runs: 1 success, 1 failed." in back
    assert "changed, was 2" in back


@pytest.mark.parametrize("uid", ["nobody/a.yaml", "x" * 5_000])
def test_what_never_was_leads_back_to_the_start(browser: Client, uid: str) -> None:
    answer = browser.get(f"/admin/metadata/dag/{quote(uid)}/change/")
    assert answer.status_code in (302, 404)


def test_who_may_not_view_versions_or_runs_sees_none_of_them(transactional_db: None) -> None:
    make_dag()
    make_version(1)
    make_version(2)
    make_run(1, "SUCCESS", 1)
    make_version(1, uid="gone/b.yaml")
    user = User.objects.create_user("bob", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_dag", "view_all_repositories")))
    client = Client()
    client.force_login(user)
    shown = text(client, *page_of())
    assert "dag-graph" in shown
    assert "dag-versions" not in shown
    assert "dag-runs" not in shown
    assert client.get(page_of("gone/b.yaml")[0]).status_code == 302


def test_a_group_sees_neither_the_dags_nor_the_history_of_anothers_repositories(
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


def test_a_schedule_is_told_in_words_with_the_next_times(browser: Client) -> None:
    make_dag(schedule="5 * * * *")
    shown = text(browser, *page_of()).split("field-next_fire_times")[1].split("</ol>")[0]
    assert "At 5 minutes past the hour" in shown
    times = re.findall(r'<li><time datetime="([^"]+)">', shown)
    assert len(times) == 5
    assert times == sorted(times)
    assert all(time.endswith(":05:00+00:00") for time in times)
    make_dag("team/never.yaml", schedule="0 0 30 2 */2")
    assert "it never fires" in text(browser, *page_of("team/never.yaml"))


def test_the_path_leads_to_the_file_at_its_commit_where_the_git_service_is_known(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dag(commit_sha="c" * 40)
    version = make_version(1, commit_sha="d" * 40)
    monkeypatch.setattr(provenance, "_source_url", None)
    provenance.link_sources(lambda name, commit, path: f"https://git.example/{name}/{commit}/{path}?a=1&b=2")
    assert f'<a href="https://git.example/team/{"c" * 40}/a.yaml?a=1&amp;b=2">a.yaml</a>' in text(
        browser, *page_of()
    )
    shown = text(browser, f"/admin/metadata/dagversion/{version.pk}/change/")
    assert f"https://git.example/team/{'d' * 40}/a.yaml" in shown
    provenance.link_sources(lambda name, commit, path: "")
    assert "git.example" not in text(browser, *page_of())


def test_a_dags_page_costs_the_same_queries_for_few_and_for_many_versions_and_runs(browser: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(browser, *page_of())
        return len(captured)

    make_dag()
    for number in (1, 2):
        make_version(number)
        make_run(number, "SUCCESS", 1)
    queries()  # fills Django's cache of content types
    few = queries()
    for number in range(3, 60):
        make_version(number)
        make_run(number, "SUCCESS", 1)
    assert queries() == few


def test_the_list_is_filtered_by_repository_schedule_origin_and_freshness(browser: Client) -> None:
    make_dag("one/a.yaml", schedule="5 * * * *")
    make_dag("two/b.yaml", stale_since=timezone.now(), stale_reason="x")
    make_dag("/c", repository="", source_path="", origin="manual")
    make_version(1, uid="old/d.yaml")

    def found(query: dict[str, str], model: str = "dag") -> set[str]:
        shown = text(browser, f"/admin/metadata/{model}/", query)
        return {uid for uid in ("one/a.yaml", "two/b.yaml", "/c", "old/d.yaml") if f">{uid}</a>" in shown}

    assert found({"repository": "one"}) == {"one/a.yaml"}
    assert found({"repository": "-"}) == {"/c"}
    assert found({"scheduled": "yes"}) == {"one/a.yaml"}
    assert found({"scheduled": "no", "origin__exact": "git"}) == {"two/b.yaml"}
    assert found({"stale": "yes"}) == {"two/b.yaml"}
    assert found({"repository": "old"}, "dagversion") == {"old/d.yaml"}
    assert found({"repository": "", "scheduled": "x", "stale": "?"}) == {"one/a.yaml", "two/b.yaml", "/c"}
    kept = text(browser, "/admin/metadata/dag/", {"scheduled": "yes", "q": EVIL})
    assert '<input type="hidden" name="scheduled" value="yes">' in kept
    assert "<script>alert" not in kept
