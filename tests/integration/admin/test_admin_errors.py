"""The page of errors: every file that fails with its lines, escaped, found again, at constant cost."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gitsync.admin.errors import PAGE_SIZE
from gitsync.models import FileState, Repository, SourceFile
from gitsync.repositories.failing_files import SHOWN_DAGS, SHOWN_PROBLEMS
from kiok.metadata.models import Dag
from tests.integration.conftest import Sync, yaml_dag
from tests.support.record_pages import client_of
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

ERRORS = "/admin/gitsync/errors/"
BROKEN = "dag:\n  id: a\ntasks:\n- id: x\n  require: [y]\n  script: echo <b>\n"
GOOD_PYTHON = "from kiok import Dag\nd = Dag('d')\nd.task('a', script='s')\n"
BAD_PYTHON = "from kiok import Dag\nprint('<i>before</i>')\n\nraise RuntimeError('boom')\n"
EVIL = "<script>alert(1)</script>"


def text(browser: Client, **query: Any) -> str:
    answer = browser.get(ERRORS, query)
    assert answer.status_code == 200
    return answer.content.decode()


def paths(shown: str) -> list[str]:
    """The files on the page, in their order."""
    return [unescape(path) for path in re.findall(r'<h2 id="error-\d+"><a href="[^"]+">([^<]+)</a>', shown)]


def marked(shown: str) -> list[str]:
    return [unescape(line) for line in re.findall(r"<mark>([^<]*)</mark>", shown)]


def make_failing(repository: str, path: str, *messages: str, age_minutes: int = 0) -> SourceFile:
    row, _ = Repository.objects.get_or_create(name=repository, defaults={"url": "https://example.org/x.git"})
    when = timezone.now() - timedelta(minutes=age_minutes)
    return SourceFile.objects.create(
        repository=row,
        path=path,
        state=FileState.FAILED,
        diagnostics=[
            {"message": message, "line": 1, "excerpt": {"first": 1, "lines": ["one"]}}
            for message in messages or ("wrong",)
        ],
        first_failed_at=when,
        last_failed_at=when,
        commit_sha="a" * 40,
    )


def make_stale(repository: str, path: str, dag_id: str = "a", commit: str = "b" * 40) -> Dag:
    now = timezone.now()
    return Dag.objects.create(
        uid=f"{repository}/{path}::{dag_id}",
        dag_id=dag_id,
        name=dag_id,
        origin="git",
        repository=repository,
        source_path=path,
        commit_sha=commit,
        spec={},
        spec_hash="0",
        version=1,
        stale_since=now,
        stale_reason="broken",
        created_at=now,
        updated_at=now,
    )


def test_a_broken_yaml_file_shows_line_and_served_dag_until_it_is_fixed(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    good = work_repo.publish({"dags/a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    sync()
    assert "No failed files." in text(browser)
    bad = work_repo.publish({"dags/a.yaml": BROKEN})
    sync()

    shown = text(browser)

    assert paths(shown) == ["dags/a.yaml"]
    file = SourceFile.objects.get(path="dags/a.yaml")
    line = file.diagnostics[0]["line"]
    expected = f"> {line} | {BROKEN.splitlines()[line - 1]}"
    assert expected in marked(shown)
    assert "  6 |   script: echo &lt;b&gt;" in shown
    assert f"dags/a.yaml:{line}:" in shown
    assert bad in shown
    page = f"/admin/metadata/dag/{quote('team/dags/a.yaml')}/change/"
    assert f'<a href="{page}">team/dags/a.yaml</a> of commit <code title="{good}">' in shown
    now = browser.get(f"/admin/gitsync/repository/{repository.pk}/change/").content.decode()
    assert f'<a href="{ERRORS}?repository=team">All 1 with source lines</a>' in now
    own = browser.get(f"/admin/gitsync/sourcefile/{file.pk}/change/").content.decode()
    assert expected in marked(own)

    # Another commit that leaves the file alone: it fails still, and is seen again though not compiled again.
    work_repo.publish({"b.yaml": yaml_dag("b", "echo changed")})
    sync()
    repository.refresh_from_db()
    before, file = file, SourceFile.objects.get(path="dags/a.yaml")
    assert (file.first_failed_at, file.last_failed_at) == (before.first_failed_at, before.last_failed_at)
    assert repository.last_good_at is not None
    shown = text(browser)
    assert repository.last_good_at.isoformat() in shown.split("Last seen")[1].split("</dd>")[0]
    assert expected in marked(shown)

    work_repo.publish({"dags/a.yaml": yaml_dag("a", "echo fixed")})
    sync()
    assert "No failed files." in text(browser)
    assert SourceFile.objects.get(path="dags/a.yaml").diagnostics == []


def test_a_broken_python_file_shows_line_and_output_until_it_is_deleted(
    browser: Client, work_repo: WorkRepo, sync: Sync
) -> None:
    work_repo.publish({"r.py": GOOD_PYTHON})
    sync()
    work_repo.publish({"r.py": BAD_PYTHON})
    sync()

    shown = text(browser)

    assert marked(shown) == ["> 4 | raise RuntimeError('boom')"]
    assert "  2 | print(&#x27;&lt;i&gt;before&lt;/i&gt;&#x27;)" in shown
    printed = shown.split("<details><summary>Output of the file</summary>")[1].split("</details>")[0]
    assert "&lt;i&gt;before&lt;/i&gt;" in printed
    assert "team/r.py::d</a> of commit" in shown

    work_repo.git("rm", "-q", "r.py")
    work_repo.publish()
    sync()
    assert "No failed files." in text(browser)


def test_hostile_text_is_shown_as_text_and_long_ones_are_folded(browser: Client) -> None:
    file = make_failing("team", f"{EVIL}.yaml")
    file.diagnostics = [
        {
            "message": f"{EVIL} " * 100,
            "path": EVIL,
            "line": 2,
            "dag": EVIL,
            "task": EVIL,
            "key": EVIL,
            "output": f"{EVIL}\n" * 100,
            "excerpt": {"first": 1, "lines": [EVIL, f"</mark></pre>{EVIL}", EVIL]},
        },
        {"message": "short"},
    ]
    file.save()
    make_stale("team", f"{EVIL}.yaml", EVIL, EVIL)

    shown = text(browser, q="alert(1)", repository="team")

    assert "<script>alert" not in shown
    assert paths(shown) == [f"{EVIL}.yaml"]
    assert marked(shown) == [f"> 2 | </mark></pre>{EVIL}"]
    assert shown.count("<details>") == 2
    assert shown.count("alert(1)") > 200
    assert "<summary>short" not in shown
    reflected = text(browser, q='"><script>alert(2)</script>', repository='"><script>alert(3)</script>')
    assert "<script>alert" not in reflected
    assert "No failed file matches." in reflected


def test_odd_rows_break_no_page(browser: Client) -> None:
    odd: tuple[Any, ...] = (
        [],
        {},
        "x",
        [None, 3, {"line": 1}],
        [{"message": "m", "excerpt": 3}],
        [{"message": "m", "line": "x", "excerpt": {"first": 1, "lines": [None]}}],
    )
    for number, diagnostics in enumerate(odd):
        file = make_failing("team", f"{number}.yaml")
        SourceFile.objects.filter(pk=file.pk).update(diagnostics=diagnostics, first_failed_at=None)
    assert len(paths(text(browser))) == len(odd)
    assert paths(text(browser, q="no such message")) == []


def test_errors_can_be_filtered_by_repository_and_searched(browser: Client) -> None:
    make_failing("one", "dags/load.yaml", "first", 'the key "Task" is 100% wrong \\ [x]', age_minutes=3)
    make_failing("one", "dags/save.yaml", "über alles", age_minutes=2)
    make_failing("two", "dags/load.py", "two\nlines", age_minutes=1)
    everything = ["dags/load.py", "dags/save.yaml", "dags/load.yaml"]
    assert paths(text(browser)) == everything

    assert paths(text(browser, repository="one")) == everything[1:]
    assert paths(text(browser, repository="on")) == []
    assert paths(text(browser, q="LOAD")) == [everything[0], everything[2]]
    assert paths(text(browser, q="load", repository="two")) == [everything[0]]
    for in_message in ('key "task" is', "100% WRONG \\ [x]", "100%"):
        assert paths(text(browser, q=in_message)) == ["dags/load.yaml"], in_message
    assert paths(text(browser, q="ÜBER")) == ["dags/save.yaml"]
    assert paths(text(browser, q="%")) == ["dags/load.yaml"]
    for nowhere in (".*", "excerpt", "one", "nlines", "_", "' OR 1=1", '" flag "q") || true'):
        assert paths(text(browser, q=nowhere)) == [], nowhere
    assert paths(text(browser, q="  ")) == everything
    choices = text(browser, repository="two")
    assert '<option value="one">one (2)</option>' in choices
    assert '<option value="two" selected>two (1)</option>' in choices


def test_errors_are_paginated_newest_first_and_keep_the_filter(browser: Client) -> None:
    total = PAGE_SIZE + 3
    for number in range(total):
        make_failing("team", f"{number:02}.yaml", "a&b", age_minutes=number)
    names = [f"{number:02}.yaml" for number in range(total)]

    first, second = text(browser, q="a&b"), text(browser, q="a&b", page="2")

    assert paths(first) == names[:PAGE_SIZE]
    assert paths(second) == names[PAGE_SIZE:]
    assert 'href="?q=a%26b&amp;page=2" rel="next"' in first
    assert 'href="?q=a%26b&amp;page=1" rel="prev"' in second
    for odd in ("0", "99", "x", "-1"):
        assert paths(text(browser, page=odd))


def test_a_page_costs_the_same_queries_for_3_and_for_60_files(browser: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(browser, q="wrong")
        return len(captured)

    def add(numbers: range) -> None:
        for number in numbers:
            make_failing(f"r{number}", "a.yaml", *["wrong"] * 8)
            for dag_id in range(8):
                make_stale(f"r{number}", "a.yaml", str(dag_id))

    add(range(3))
    few = queries()
    add(range(3, 60))
    assert queries() == few
    assert few <= 8


def test_only_the_first_problems_and_dags_of_a_file_are_shown(
    browser: Client,
) -> None:
    make_failing("team", "a.yaml", *(f"problem {number}" for number in range(SHOWN_PROBLEMS + 2)))
    for number in range(SHOWN_DAGS + 3):
        make_stale("team", "a.yaml", f"dag{number}")
    make_stale("other", "a.yaml", "of_another_repository")

    shown = text(browser)

    assert re.findall(r"problem \d", shown) == [f"problem {number}" for number in range(SHOWN_PROBLEMS)]
    assert "2 more problems" in shown
    assert shown.count("team/a.yaml::dag") == SHOWN_DAGS
    assert "… and 3 more" in shown
    assert "of_another_repository" not in shown


def test_the_page_of_errors_needs_the_permission_to_view_files(repository: Repository) -> None:
    make_failing("team", "a.yaml")
    client = client_of("view_repository", "view_dag", "view_syncrun")

    assert client.get(ERRORS).status_code == 403
    assert ERRORS not in client.get("/admin/", follow=True).content.decode()
    assert Client().get(ERRORS).headers["Location"].startswith("/admin/login/")


def test_permission_to_view_files_shows_errors_without_dags_or_links(
    repository: Repository,
) -> None:
    make_failing("team", "a.yaml")
    make_stale("team", "a.yaml", "secret")
    client = client_of("view_sourcefile", "view_all_repositories")

    shown = text(client)

    assert paths(shown) == ["a.yaml"]
    assert "secret" not in shown
    assert "/admin/gitsync/repository/" not in shown


def test_the_navigation_links_to_it_and_it_runs_no_inline_script(browser: Client) -> None:
    make_failing("team", "a.yaml")
    assert f'href="{ERRORS}"' in browser.get("/admin/", follow=True).content.decode()
    shown = text(browser)
    assert " style=" not in shown.split('id="content-main"')[1].split("</main>")[0]
    for tag in shown.split("<script")[1:]:
        assert 'src="/' in tag.split(">")[0]
