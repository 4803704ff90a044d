"""The lists of the admin: filters in one form, totals, the order of DAGs, and cells of two lines."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gitsync.models import Delivery, Repository, SourceFile, SyncRun
from kiok.metadata.admin.schedule_kinds import KINDS, of_kind
from kiok.metadata.models import Dag
from tests.support.access_rows import logged_in, user_of
from tests.support.dag_pages import EVIL, make_dag, make_run, text, words

pytestmark = pytest.mark.django_db(transaction=True)

DAGS = "/admin/metadata/dag/"


def test_dags_in_trouble_come_first(browser: Client) -> None:
    now = timezone.now()
    for name in "abcd":
        make_dag(f"team/{name}.yaml")
    make_run(1, "SUCCESS", 1, "team/a.yaml")
    make_run(1, "SUCCESS", 1, "team/b.yaml")
    make_run(1, "FAILED", 1, "team/b.yaml")
    Dag.objects.filter(uid="team/d.yaml").update(stale_since=now - timedelta(hours=3), stale_reason=EVIL)

    shown = text(browser, DAGS)

    places = [shown.index(quote(f"team/{name}.yaml")) for name in "dbac"]
    assert places == sorted(places)
    assert "since" in shown
    assert "3\xa0hours ago" in shown
    assert "<script>alert" not in shown
    by_uid = text(browser, DAGS, {"o": "-0"})
    places = [by_uid.index(quote(f"team/{name}.yaml")) for name in "dcba"]
    assert places == sorted(places)


def test_totals_link_to_the_dags_that_they_count(browser: Client) -> None:
    for name in "abc":
        make_dag(f"team/{name}.yaml")
    make_run(1, "FAILED", 1, "team/b.yaml")
    Dag.objects.filter(uid="team/c.yaml").update(stale_since=timezone.now(), stale_reason="x")

    totals = text(browser, DAGS).split('class="kiok-totals"')[1].split("</ul>")[0]

    found = re.findall(r'<a href="([^"]*)".*?>(\d+) ([^<]+)</span>', totals)
    assert found == [
        ("?", "3", "DAGs"),
        ("?stale=yes", "1", "stale"),
        ("?stale=no", "2", "current"),
        ("?last_run=FAILED", "1", "with a failed last run"),
    ]
    for query, number, _ in found:
        assert text(browser, DAGS + query).count('<th class="field-dag"') == int(number), query


def test_totals_count_only_dags_that_the_user_sees(browser: Client) -> None:
    group = Group.objects.create(name="team")
    Repository.objects.create(name="team", url="https://git.example/team.git").groups.add(group)
    make_dag("team/a.yaml")
    make_dag("other/a.yaml")
    assert "2 DAGs</span>" in text(browser, DAGS)
    assert "1 DAG</span>" in text(logged_in(user_of(group)), DAGS)


def test_a_list_of_dags_needs_the_same_queries_for_any_number(browser: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(browser, DAGS, {"last_run": "FAILED", "scheduled": "daily"})
        return len(captured)

    for number in range(30):
        make_dag(f"team/{number}.yaml", schedule="0 6 * * *")
        make_run(1, "FAILED", 1, f"team/{number}.yaml")
        if number == 1:
            few = queries()
    assert queries() == few


def test_dags_are_filtered_by_the_kind_of_their_schedule(browser: Client) -> None:
    schedules = {
        "minutes": "*/5 * * * *",
        "hourly": "5 * * * *",
        "daily": "0 6,18 * * *",
        "weekdays": "0 6 * * mon-fri",
        "weekly": "0 4 * * 1",
        "monthly": "0 3 1 * *",
        "other": "7-59/13 2 * 1,4,7,10 *",
        "no": None,
    }
    for kind, schedule in schedules.items():
        make_dag(f"team/{kind}.yaml", schedule=schedule)
    assert {kind.key for kind in KINDS} < schedules.keys()
    for kind in schedules:
        shown = text(browser, DAGS, {"scheduled": kind})
        assert [name for name in schedules if quote(f"team/{name}.yaml") in shown] == [kind]
        wanted = of_kind(kind)
        assert wanted is not None
        assert [dag.uid for dag in Dag.objects.filter(wanted)] == [f"team/{kind}.yaml"]
    assert "weekdays at 06:00 UTC" in words(text(browser, DAGS))


def test_empty_fields_of_the_form_filter_nothing(browser: Client) -> None:
    make_dag("team/a.yaml")
    Repository.objects.create(name="team", url="https://git.example/team.git")
    empty = {"q": "", "repository": "", "stale": "", "last_run": "", "scheduled": ""}
    assert quote("team/a.yaml") in text(browser, DAGS, empty)
    shown = text(browser, "/admin/gitsync/repository/", {"state__exact": "", "managed_by__exact": ""})
    assert ">team</span>" in shown
    assert ">team</span>" in text(browser, "/admin/gitsync/repository/", {"all": ""})


def test_many_repositories_are_a_text_field_for_the_full_name(browser: Client) -> None:
    for number in range(31):
        make_dag(f"r{number:02}/a.yaml")
    make_dag("mine.yaml", origin="manual", repository="")
    for model in ("dag", "dagversion", "dagrun"):
        shown = text(browser, f"/admin/metadata/{model}/", {"repository": "r07"})
        assert '<label for="list-repository">Repository (full name)</label>' in shown
        assert '<input type="search" name="repository" id="list-repository" value="r07"' in shown
        assert "r08" not in shown
    assert [
        name for name in ("r07", "r08") if f"{name}_2Fa.yaml" in text(browser, f"{DAGS}?repository=r07")
    ] == ["r07"]
    assert "mine.yaml" in text(browser, f"{DAGS}?repository=-")
    Dag.objects.filter(repository="r30").delete()
    shown = text(browser, DAGS)
    assert "Repository (full name)" in shown  # 30 repositories and "no repository"
    Dag.objects.filter(repository="r29").delete()
    offered = text(browser, DAGS).split('<select name="repository"')[1].split("</select>")[0]
    assert offered.count("<option") == 31
    assert '<option value="-">no repository</option>' in offered


def test_lists_count_their_rows_once_and_read_no_values_for_filters(browser: Client) -> None:
    repository = Repository.objects.create(name="team", url="https://git.example/a.git")
    for kind in ("yaml", "jar"):
        SourceFile.objects.create(repository=repository, path=f"a.{kind}", kind=kind, state="compiled")
    for service in ("github", "gitlab"):
        Delivery.objects.create(
            repository=repository, service=service, event=f"of-{service}", status=200, outcome="ping"
        )
    for model, query, shown, hidden in (
        ("sourcefile", {"kind": "jar"}, ">a.jar<", ">a.yaml<"),
        ("delivery", {"service": "gitlab"}, "of-gitlab", "of-github"),
        ("syncrun", {}, "", "nothing"),
    ):
        with CaptureQueriesContext(connection) as captured:
            page = text(browser, f"/admin/gitsync/{model}/", query)
        made = [query["sql"] for query in captured]
        assert sum("COUNT(*)" in sql for sql in made) == 1, model
        assert not [sql for sql in made if 'SELECT DISTINCT "' in sql], model
        assert shown in page
        assert hidden not in page


def test_the_search_finds_rows_by_repository_and_by_their_own_words(browser: Client) -> None:
    for name in ("billing", "payments"):
        repository = Repository.objects.create(name=name, url="https://git.example/a.git")
        for word in ("nightly load", "load nightly"):
            SourceFile.objects.create(repository=repository, path=f"{word}.yaml", state="compiled")
            Delivery.objects.create(
                repository=repository, event=word, delivery_id=f"{name}-{word}", status=200, outcome="ping"
            )
            SyncRun.objects.create(
                repository=repository, message=word, state="failed", lease_number=1, started_at=timezone.now()
            )

    for model, rows in (("sourcefile", SourceFile), ("delivery", Delivery), ("syncrun", SyncRun)):

        def found(search: str, model: str = model, rows: Any = rows) -> list[str]:
            with CaptureQueriesContext(connection) as captured:
                shown = text(browser, f"/admin/gitsync/{model}/", {"q": search})
            [count] = [query["sql"] for query in captured if "COUNT(*)" in query["sql"]]
            assert "JOIN" not in count
            listed = [
                row for row in rows.objects.all() if f"/admin/gitsync/{model}/{row.pk}/change/" in shown
            ]
            texts = {"sourcefile": "path", "delivery": "event", "syncrun": "message"}
            return sorted(f"{row.repository.name}: {getattr(row, texts[model])[:12]}" for row in listed)

        assert found("BILL") == ["billing: load nightly", "billing: nightly load"], model
        assert found("bill Load") == found("bill"), model
        assert found('pay "Nightly load"') == ["payments: nightly load"], model
        assert found("bill pay") == [], model


def test_every_filter_of_every_list_is_in_its_form(browser: Client) -> None:
    Group.objects.create(name="team")
    for name in ("a", "b"):
        make_dag(f"{name}/a.yaml")
        Repository.objects.create(name=name, url="https://git.example/a.git", reason="timeout")
    for model, names in {
        "metadata/dag": {"repository", "stale", "last_run", "scheduled"},
        "metadata/dagrun": {"repository", "state__exact", "created_at_within"},
        "gitsync/syncrun": {"repository__id__exact", "state__exact", "trigger__exact", "full__exact"},
        "gitsync/repository": {
            "state__exact",
            "paused",
            "enabled__exact",
            "group",
            "managed_by__exact",
            "reason",
        },
        "auth/user": {"is_staff__exact", "is_superuser__exact", "is_active__exact", "groups__id__exact"},
    }.items():
        form = text(browser, f"/admin/{model}/").split('id="changelist-search"')[1].split("</form>")[0]
        assert names <= set(re.findall(r'<select name="([^"]+)"', form)), model
        assert 'type="search" name="q"' in form


def test_cells_have_the_label_of_their_column_and_long_text_as_title(browser: Client) -> None:
    User.objects.create(username="grace", email=f"{EVIL[:40]}@example.com")
    shown = text(browser, "/admin/auth/user/")
    cell = re.search(
        r'<td class="field-email" data-label="Email address"><div class="kiok-cell" title="([^"]*)">', shown
    )
    assert cell
    assert cell[1].startswith("&quot;&gt;&lt;script&gt;alert(1)")
    assert "<script>alert" not in shown


def test_the_name_of_a_row_is_its_link_without_the_second_line(browser: Client) -> None:
    make_dag("team/a.yaml", name="Totals <b>")
    row = text(browser, DAGS).split('<th class="field-dag"')[1].split("</th>")[0]
    link = re.search(r"<a [^>]*>(.*?)</a>", row)
    assert link
    assert words(link[1]) == "Totals <b>"
    assert "team · a.yaml" in words(row)
    assert row.count("<span") == row.count("</span>")
