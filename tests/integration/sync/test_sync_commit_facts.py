"""Author, subject and time of commits: read by a sync, stored with syncs and versions, shown on pages and in the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from gitsync.git.client import GitClient
from gitsync.models import Repository, SyncRun
from kiok.connections import redaction
from kiok.metadata.models import Dag, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.admin_pages import page
from tests.support.api_client import Api, make_token
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

BROKEN = "dag:\n  id: a\ntasks:\n- id: x\n  require: [y]\n"
TIME = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
Facts = tuple[str, str, datetime | None]


def stored(row: SyncRun | DagVersion) -> Facts:
    return row.commit_author, row.commit_subject, row.commit_time


def publish_raw(work_repo: WorkRepo, message: bytes, author: bytes = b"Ada <ada@example.org>") -> str:
    """Push a commit whose author and message are any bytes, with the files of the index."""
    work_repo.git("add", "-A")
    tree = work_repo.git("write-tree")
    raw = b"\n".join(
        (
            b"tree " + tree.encode(),
            b"author " + author + b" 1600000000 +0000",
            b"committer Ada <ada@example.org> 1700000000 +0000",
            b"",
            message,
        )
    )
    made = work_repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw)
    work_repo.push(f"+{made}:refs/heads/main")
    return made


@contextmanager
def git_commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect the git commands that are started, such as `ls-tree`."""
    started: list[str] = []
    original = GitClient._started

    def noting(self: GitClient, args: Any, *more: Any, **options: Any) -> Any:
        started.append(args[0])
        return original(self, args, *more, **options)

    with monkeypatch.context() as patched:
        patched.setattr(GitClient, "_started", noting)
        yield started


def test_syncs_and_versions_have_the_facts_of_their_commit(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.write({"a.yaml": yaml_dag("a"), "b.yaml": yaml_dag("b")})
    publish_raw(work_repo, b"Add two loads\n\nWhy: nobody knows.\n")
    sync()
    work_repo.write({"b.yaml": yaml_dag("b", "echo 2")})
    publish_raw(work_repo, b"Fix the load\n", b"Grace <grace@example.org>")
    sync()

    first, second = ("Ada", "Add two loads", TIME), ("Grace", "Fix the load", TIME)
    assert [stored(run) for run in SyncRun.objects.order_by("id")] == [first, second]
    versions = DagVersion.objects.order_by("uid", "version")
    assert [(row.uid, row.version, stored(row)) for row in versions] == [
        ("team/a.yaml", 1, first),
        ("team/b.yaml", 1, first),
        ("team/b.yaml", 2, second),
    ]
    with connection.cursor() as cursor:
        for table in ("gitsync_syncrun", "metadata_dagversion"):
            cursor.execute(f"SELECT count(*) FROM {table} AS r WHERE r::text LIKE '%%@example.org%%'")
            assert cursor.fetchone() == (0,), table


def test_the_facts_cost_no_git_process_for_any_number_of_dags(
    work_repo: WorkRepo, repository: Repository, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    with git_commands(monkeypatch) as few:
        sync()
    work_repo.publish({f"b{number}.yaml": yaml_dag(f"b{number}") for number in range(30)})
    with git_commands(monkeypatch) as many:
        sync()
    assert few == ["ls-remote", "init", "fetch", "cat-file", "ls-tree", "cat-file"]
    assert many == ["ls-remote", "fetch", "cat-file", "ls-tree", "cat-file"]
    assert DagVersion.objects.filter(commit_author="Ada", commit_subject="change").count() == 31


def test_a_failed_sync_and_a_tag_have_the_facts_of_the_commit(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")}, "Fix the load")
    work_repo.tag("v1", annotated=True)
    Repository.objects.update(ref="tag:v1", subpath="nowhere")
    assert sync().reason == "subpath_missing"
    Repository.objects.update(subpath="")
    assert sync().state == "in_sync"
    assert [stored(run)[:2] for run in SyncRun.objects.all()] == [("Ada", "Fix the load")] * 2


def test_hostile_text_of_a_commit_is_bounded_text_on_pages_and_in_the_api(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.write({"a.yaml": yaml_dag("a")})
    evil = "<script>alert(1)</script> \u202egnirts\u202c \x1b[31m".encode() + b"\xff\xfe" + b"x" * 5000
    publish_raw(work_repo, evil + b"\nsecond line", b"Eve & Sons <eve@example.org>")
    sync()
    run, version = SyncRun.objects.get(), DagVersion.objects.get()
    assert stored(run) == stored(version)
    author, subject, _ = stored(run)
    assert (len(subject), author) == (300, "Eve & Sons")
    assert subject.startswith(r"<script>alert(1)</script> \u202egnirts\u202c \u001b[31m")
    assert "\ufffd\ufffdxxx" in subject
    assert subject.endswith("x…")

    ada = User.objects.create_superuser("ada")
    browser = Client()
    browser.force_login(ada)
    listed = ("/admin/gitsync/syncrun/", "/admin/metadata/dagversion/")
    versions = f"{page(Dag.objects.get())}?tab=versions"
    for address in (*listed, *map(page, (run, version, repository)), versions):
        shown = browser.get(address).content.decode()
        assert "&lt;script&gt;alert(1)" in shown, address
        assert "<script>alert" not in shown, address
        assert not {"\u202e", "\u202c", "\x1b"} & set(shown), address
        assert "eve@example.org" not in shown, address

    api = Api(make_token(ada)[0])
    for path, query in (("syncs", {}), ("dag/versions", {"uid": "team/a.yaml"})):
        [item] = api.ok(path, **query)["items"]
        assert (item["commitAuthor"], item["commitSubject"]) == (author, subject)
        assert item["commitTime"] == "2023-11-14T22:13:20Z"
    assert api.ok(f"syncs/{run.pk}")["commitSubject"] == subject
    assert api.ok("dag/versions/1", uid="team/a.yaml")["commitSubject"] == subject


def test_bidirectional_text_in_a_row_is_escaped_on_pages(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    """A row can come from a restored backup of another writer."""
    work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    for rows in (SyncRun.objects, DagVersion.objects):
        rows.update(commit_subject="pay \u202e001", commit_author="\u2066Eve")
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada"))
    for address in ("/admin/gitsync/syncrun/", "/admin/metadata/dagversion/"):
        shown = browser.get(address).content.decode()
        assert r"pay \u202e001 · \u2066Eve" in shown
        assert not {"\u202e", "\u2066"} & set(shown)


def test_a_commit_with_a_very_long_message_is_synced(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.write({"a.yaml": yaml_dag("a")})
    publish_raw(work_repo, b"Fix the load\n\n" + b"because " * 500_000)
    assert sync().state == "in_sync"
    assert stored(SyncRun.objects.get()) == ("Ada", "Fix the load", TIME)


def test_a_secret_in_a_subject_is_masked_before_it_is_cut(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    secret = "hunter2-the-secret"
    redaction.register([secret])
    try:
        work_repo.publish({"a.yaml": yaml_dag("a")}, "x" * 290 + secret)
        sync()
    finally:
        redaction.forget()
    assert "hunter2" not in SyncRun.objects.get().commit_subject
    assert "hunter2" not in DagVersion.objects.get().commit_subject


def test_a_sync_page_shows_the_commit_in_words_and_its_link(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    commit = work_repo.publish({"a.yaml": yaml_dag("a")}, "Fix the load")
    sync()
    Repository.objects.update(url="https://github.com/acme/dags.git")
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada"))
    link = f'<a href="https://github.com/acme/dags/commit/{commit}" rel="noreferrer">'
    shown = browser.get(page(SyncRun.objects.get())).content.decode()
    facts = shown.split("<dt>Commit</dt><dd>")[1].split("</dd>")[0]
    assert facts.startswith(f'{link}<code title="{commit}">{commit[:10]}</code></a> ')
    assert "Fix the load · Ada · <time " in facts
    shown = browser.get(page(DagVersion.objects.get())).content.decode()
    assert f"{link}<code>{commit}</code></a>" in shown
    assert "Fix the load · Ada · <time " in shown


def test_old_rows_without_facts_show_only_their_commit(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    commit = work_repo.publish({"a.yaml": yaml_dag("a")})
    sync()
    for rows in (SyncRun.objects, DagVersion.objects):
        rows.update(commit_subject="", commit_author="", commit_time=None)
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada"))
    assert "<dt>Commit</dt>" not in browser.get(page(SyncRun.objects.get())).content.decode()
    shown = browser.get("/admin/metadata/dagversion/").content.decode()
    cell = shown.split('<td class="field-commit"')[1].split("</td>")[0]
    assert commit[:10] in cell
    assert " · " not in cell
