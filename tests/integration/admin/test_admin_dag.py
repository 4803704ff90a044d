"""The admin page of a DAG, and the list of DAGs."""

from __future__ import annotations

import html
import re

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from kiok.metadata.admin import provenance
from kiok.metadata.admin.code import MAX_CHARACTERS, MAX_COLOURED_CHARACTERS
from kiok.metadata.admin.dag import TABS as DAG_TABS
from kiok.metadata.admin.version import TABS as VERSION_TABS
from kiok.metadata.graph.limits import MAX_TASKS
from kiok.metadata.models import DagRun
from tests.support.dag_pages import (
    EVIL,
    UID,
    make_dag,
    make_run,
    make_version,
    page_of,
    spec,
    task,
    text,
    words,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_graph_is_drawn_by_the_server_and_each_box_leads_to_its_row(browser: Client) -> None:
    make_dag(
        spec=spec(task("extract"), task("load", "extract", type="python"), task("odd", "load", type="x y"))
    )
    shown = text(browser, *page_of())
    rows = text(browser, *page_of(tab="tasks"))
    for number, label in ((1, "extract, shell task"), (2, "load, python task"), (3, "odd, x y task")):
        assert re.search(rf'href="\?tab=tasks#task-{number}"[^>]*><title>{label}</title>', shown)
        assert f'<tr id="task-{number}">' in rows
    assert shown.count("data-source=") == 2
    assert "kiok-type-other" in shown
    assert "style=" not in shown.split('class="kiok-graph"')[1].split("</svg>")[0]


def test_hostile_names_are_text_in_graph_table_code_and_changes(browser: Client) -> None:
    fields = {"spec": spec(task(EVIL, EVIL, type=EVIL, config={EVIL: EVIL}), task("b", EVIL)), "source": EVIL}
    make_dag(name=EVIL, schedule=EVIL, **fields)
    make_version(1)
    version = make_version(2, **fields)
    DagRun.objects.create(uid=UID, version=2, trigger=EVIL)
    for address, tabs in (
        (page_of()[0], DAG_TABS),
        (f"/admin/metadata/dagversion/{version.pk}/change/", VERSION_TABS),
    ):
        for tab in tabs:
            shown = text(browser, address, {"tab": tab})
            assert "<script>alert" not in shown
            assert '"><script' not in shown
            assert "alert(1)" in shown or tab == "versions"


def test_bidirectional_control_characters_in_code_are_shown(browser: Client) -> None:
    make_dag(source="a = 1 # \u202e evil", source_path="a.py")
    shown = text(browser, *page_of(tab="source"))
    assert "\u202e" not in shown
    assert r"\u202e" in shown


def test_a_huge_graph_is_replaced_by_a_message(browser: Client) -> None:
    many = [task(f"t{n}", *[f"t{m}" for m in range(max(0, n - 30), n)]) for n in range(10_000)]
    make_dag(spec=spec(*many), source="- x: [1, 2]\n" * 100_000)
    shown = text(browser, *page_of())
    assert "too large to draw: 10000 tasks" in shown
    assert "kiok-node" not in shown
    tasks = text(browser, *page_of(tab="tasks"))
    assert 'and 9000 more tasks; see <a href="?tab=details">the spec</a>' in tasks
    assert "and about" in text(browser, *page_of(tab="source"))
    assert "more characters. The API returns the whole spec" in text(browser, *page_of(tab="details"))


def test_a_graph_is_drawn_up_to_the_limit_and_implied_lines_are_counted(browser: Client) -> None:
    tasks = [task(f"t{n}", *[f"t{m}" for m in range(max(0, n - 4), n)]) for n in range(MAX_TASKS)]
    make_dag(spec=spec(*tasks))
    shown = text(browser, *page_of())
    assert shown.count('<a class="kiok-node') == MAX_TASKS
    assert shown.count("data-source=") == MAX_TASKS - 1
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
    block = text(browser, *page_of(tab="source")).split('id="dag-source"')[1].split("</pre>")[0]
    assert ("kiok-code-" in block) == bool(coloured)
    if coloured:
        assert f'<span class="kiok-code-{coloured}">' in block
    assert 'id="L1" href="#L1"' in block
    assert block.count('id="L') == source.count("\n") + 1
    plain = html.unescape(re.sub(r"<[^>]*>", "", block.split("<pre", 1)[1].split(">", 1)[1]))
    assert plain == source


def test_a_long_source_is_cut_and_a_jar_has_a_message_instead(browser: Client) -> None:
    make_dag(source="x" * (MAX_CHARACTERS + 500))
    assert "and about 500 more characters" in text(browser, *page_of(tab="source"))
    make_dag("team/b.jar", source=None)
    assert "No source is stored: a jar contains none." in text(browser, *page_of("team/b.jar", tab="source"))


@pytest.mark.parametrize("uid", ["nobody/a.yaml", "x" * 5_000])
def test_an_unknown_dag_is_redirected_or_not_found(browser: Client, uid: str) -> None:
    answer = browser.get(f"/admin/metadata/dag/{quote(uid)}/change/")
    assert answer.status_code in (302, 404)


def test_a_schedule_is_described_with_its_next_times(browser: Client) -> None:
    make_dag(schedule="5 * * * *")
    shown = text(browser, *page_of(tab="details")).split("field-next_fire_times")[1].split("</ol>")[0]
    assert "At 5 minutes past the hour" in shown
    times = re.findall(r'<li><time datetime="([^"]+)">', shown)
    assert len(times) == 5
    assert times == sorted(times)
    assert all(time.endswith(":05:00+00:00") for time in times)
    make_dag("team/never.yaml", schedule="0 0 30 2 */2")
    assert "it never fires" in text(browser, *page_of("team/never.yaml", tab="details"))


def test_the_path_links_to_the_file_at_its_commit_of_a_known_service(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dag(commit_sha="c" * 40)
    version = make_version(1, commit_sha="d" * 40)
    monkeypatch.setattr(provenance, "_source_url", None)
    provenance.link_sources(lambda name, commit, path: f"https://git.example/{name}/{commit}/{path}?a=1&b=2")
    assert f'<a href="https://git.example/team/{"c" * 40}/a.yaml?a=1&amp;b=2">a.yaml</a>' in text(
        browser, *page_of(tab="details")
    )
    shown = text(browser, f"/admin/metadata/dagversion/{version.pk}/change/", {"tab": "details"})
    assert f"https://git.example/team/{'d' * 40}/a.yaml" in shown
    provenance.link_sources(lambda name, commit, path: "")
    assert "git.example" not in text(browser, *page_of(tab="details"))


def test_a_dag_page_needs_the_same_queries_for_few_and_many_versions(browser: Client) -> None:
    def queries() -> list[int]:
        numbers = []
        for tab in DAG_TABS:
            with CaptureQueriesContext(connection) as captured:
                text(browser, *page_of(tab=tab))
            numbers.append(len(captured))
        return numbers

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
        uids = ("one/a.yaml", "two/b.yaml", "/c", "old/d.yaml")
        return {uid for uid in uids if f'title="{uid}"' in shown or f"/dag/{quote(uid)}/change/" in shown}

    assert found({"repository": "one"}) == {"one/a.yaml"}
    assert found({"repository": "-"}) == {"/c"}
    assert found({"scheduled": "yes"}) == {"one/a.yaml"}
    assert found({"scheduled": "no", "origin__exact": "git"}) == {"two/b.yaml"}
    assert found({"stale": "yes"}) == {"two/b.yaml"}
    assert found({"repository": "old"}, "dagversion") == {"old/d.yaml"}
    assert found({"repository": "", "scheduled": "x", "stale": "?"}) == {"one/a.yaml", "two/b.yaml", "/c"}
    kept = text(browser, "/admin/metadata/dag/", {"scheduled": "yes", "origin__exact": "git", "q": EVIL})
    assert '<option value="yes" selected>' in kept
    assert '<input type="hidden" name="origin__exact" value="git">' in kept
    assert "<script>alert" not in kept
