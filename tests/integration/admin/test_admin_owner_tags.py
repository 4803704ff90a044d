"""Owner and tags in the list of DAGs and on the page of a DAG."""

from __future__ import annotations

import html
import re

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gitsync.models import Repository
from kiok.metadata.admin.filters import MANY
from tests.support.access_rows import logged_in, user_of
from tests.support.dag_pages import EVIL, make_dag, page_of, spec, task, text, words

pytestmark = pytest.mark.django_db(transaction=True)

DAGS = "/admin/metadata/dag/"


def listed(browser: Client, **query: str) -> list[str]:
    """Return the names of the DAGs in the list."""
    shown = text(browser, DAGS, query)
    return re.findall(r'<th class="field-dag".*?<span class="kiok-one" title="([^"]*)"', shown, re.DOTALL)


def control(shown: str, name: str) -> str:
    """Return the HTML of a control of the list's form, "" if there is none."""
    found = re.search(
        rf'<select name="{name}".*?</select>|<input type="search" name="{name}"[^>]*>', shown, re.DOTALL
    )
    return found[0] if found else ""


def options(shown: str, name: str) -> list[str]:
    return [html.unescape(value) for value in re.findall(r'<option value="([^"]*)"', control(shown, name))]


def test_dags_are_filtered_by_owner_and_by_tag(browser: Client) -> None:
    make_dag("team/a.yaml", name="a", owner="Ada", tags=["x", "y"])
    make_dag("team/b.yaml", name="b", owner="Ada", tags=["y"])
    make_dag("team/c.yaml", name="c", owner="<b>x</b>")
    make_dag("team/d.yaml", name="d", owner="")
    shown = text(browser, DAGS)
    assert options(shown, "owner") == ["", "<b>x</b>", "Ada", " -"]
    assert options(shown, "tag") == ["", "x", "y"]
    assert "<b>x</b>" not in shown
    assert listed(browser, owner="Ada") == ["a", "b"]
    assert listed(browser, owner="<b>x</b>") == ["c"]
    assert listed(browser, owner=" -") == ["d"]
    assert listed(browser, owner="ada") == []
    assert listed(browser, tag="y") == ["a", "b"]
    assert listed(browser, tag="x", owner="Ada") == ["a"]
    assert listed(browser, tag="z") == listed(browser, tag="x" * 64) == listed(browser, tag=EVIL) == []
    chosen = control(text(browser, DAGS, {"owner": "Bob"}), "owner")
    assert '<option value="Bob" selected>' in chosen, "the active choice is always listed"


def test_the_search_of_dags_finds_the_owner(browser: Client) -> None:
    make_dag("team/a.yaml", name="a", owner="Équipe Ventes")
    make_dag("team/b.yaml", name="b", owner="Ada")
    assert listed(browser, q="ventes") == ["a"]


def test_without_owners_and_tags_the_list_has_no_filters_for_them(browser: Client) -> None:
    make_dag()
    make_dag("team/b.yaml")
    shown = text(browser, DAGS)
    assert control(shown, "stale")
    assert not control(shown, "owner")
    assert not control(shown, "tag")


def test_many_owners_or_tags_are_text_fields(browser: Client) -> None:
    for number in range(MANY + 1):
        make_dag(f"team/{number}.yaml", name=f"d{number}", owner=f"Owner {number:02}", tags=[f"t{number}"])
        if number == MANY - 1:
            shown = text(browser, DAGS)
            assert len(options(shown, "owner")) == MANY + 2
            assert len(options(shown, "tag")) == MANY + 1
    shown = text(browser, DAGS, {"owner": "Owner 07"})
    assert options(shown, "owner") == options(shown, "tag") == []
    assert 'value="Owner 07"' in control(shown, "owner")
    assert "Owner (full name)" in shown
    assert listed(browser, owner="Owner 07") == ["d7"]
    assert listed(browser, tag="t8") == ["d8"]


def test_the_filters_offer_only_what_the_user_sees(browser: Client) -> None:
    group = Group.objects.create(name="team")
    Repository.objects.create(name="team", url="https://git.example/team.git").groups.add(group)
    make_dag("team/a.yaml", owner="Ada", tags=["ours"])
    make_dag("team/b.yaml", owner="Eve", tags=["ours-too"])
    make_dag("other/a.yaml", owner="Bob", tags=["theirs"])
    assert options(text(browser, DAGS), "owner") == ["", "Ada", "Bob", "Eve", " -"]
    shown = text(logged_in(user_of(group)), DAGS)
    assert options(shown, "owner") == ["", "Ada", "Eve", " -"]
    assert options(shown, "tag") == ["", "ours", "ours-too"]
    assert "Bob" not in shown


def test_the_filters_need_the_same_queries_for_any_number(browser: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(browser, DAGS, {"owner": "Owner 1", "tag": "t"})
        return len(captured)

    for number in range(30):
        make_dag(f"team/{number}.yaml", owner=f"Owner {number}", tags=["t", f"t{number}"])
        if number == 1:
            few = queries()
    assert queries() == few


def test_owner_and_tags_are_columns_and_hostile_ones_are_text(browser: Client) -> None:
    make_dag(owner=EVIL, tags=["x", "y:z"])
    shown = text(browser, DAGS)
    assert "<script>alert" not in shown
    owner, tags = (
        words(re.search(rf'<td class="field-{name}".*?</td>', shown, re.DOTALL)[0])  # type: ignore[index]
        for name in ("owner", "tag_words")
    )
    assert (owner, tags) == (EVIL, "x, y:z")


def test_the_page_of_a_dag_links_to_dags_of_the_same_owner_and_tag(browser: Client) -> None:
    make_dag(owner="A & B", tags=["x:y"], spec={**spec(task("t")), "owner": "A & B"})
    make_dag("team/b.yaml", owner=EVIL)
    make_dag("team/c.yaml")
    shown = text(browser, *page_of())
    assert '<a href="/admin/metadata/dag/?owner=A+%26+B">A &amp; B</a>' in shown
    assert '<a href="/admin/metadata/dag/?tag=x%3Ay">x:y</a>' in shown
    assert "(of the repository)" not in shown
    inherited = text(browser, *page_of("team/b.yaml"))
    assert "(of the repository)" in inherited
    assert "<script>alert" not in inherited
    assert "(of the repository)" not in text(browser, *page_of("team/c.yaml"))
