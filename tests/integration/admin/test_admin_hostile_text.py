"""Hostile text is escaped on every admin page."""

from __future__ import annotations

import pytest
from django.contrib.admin.utils import quote
from django.test import Client
from django.utils import timezone
from django.utils.http import urlencode

from gitsync.models import FileState, Repository, SourceFile, SyncRun
from kiok.metadata.models import DagRun, DagVersion, TaskRun
from tests.support.record_pages import make_dag, make_rows, text

pytestmark = pytest.mark.django_db(transaction=True)


EVIL = "<script>alert(1)</script>"


def test_hostile_text_is_shown_as_text_on_every_page(browser: Client) -> None:
    row = Repository.objects.create(
        name="team", url="https://example.org/x.git", message=EVIL, reason="internal", state="failing"
    )
    uid = f"team/{EVIL}.yaml"
    spec = {
        "id": "a",
        "name": EVIL,
        "tasks": [{"id": EVIL, "type": EVIL, "requires": [EVIL], "script": EVIL}],
    }
    now = timezone.now()
    make_dag(
        uid,
        name=EVIL,
        description=EVIL,
        schedule=EVIL,
        repository="team",
        source_path=f"{EVIL}.yaml",
        spec=spec,
        source=EVIL,
        stale_since=now,
        stale_reason=EVIL,
        image_digest=EVIL,
    )
    DagVersion.objects.create(
        uid=uid, version=1, spec=spec, spec_hash="0", created_at=now, commit_subject=EVIL
    )
    run = DagRun.objects.create(uid=uid, version=1, trigger=EVIL)
    TaskRun.objects.create(dag_run=run, uid=uid, task_id=EVIL, log=EVIL)
    diagnostic = {
        "message": EVIL,
        "path": EVIL,
        "line": 1,
        "dag": EVIL,
        "task": EVIL,
        "key": EVIL,
        "output": EVIL,
    }
    file = SourceFile.objects.create(
        repository=row, path=f"{EVIL}.yaml", state=FileState.FAILED, diagnostics=[diagnostic]
    )
    sync = SyncRun.objects.create(
        repository=row,
        lease_number=1,
        trigger="admin",
        requested_by=EVIL,
        state="partial",
        reason="files_failed",
        message=EVIL,
        started_at=now,
        changes={"created": [uid], "updated": [EVIL], "pruned": [EVIL], "stale": [uid]},
        failed_files=[{"path": EVIL, "line": 1, "message": EVIL}],
        timings={EVIL: 1.0},
        to_commit="a" * 40,
        commit_author=EVIL,
        commit_subject=EVIL,
    )
    pages = [
        "/admin/gitsync/overview/",
        f"/admin/gitsync/search/?{urlencode({'q': 'alert'})}",
        "/admin/gitsync/repository/",
        f"/admin/gitsync/repository/{row.pk}/change/",
        f"/admin/gitsync/repository/{row.pk}/delete/",
        "/admin/gitsync/syncrun/",
        f"/admin/gitsync/syncrun/{sync.pk}/change/",
        "/admin/gitsync/sourcefile/",
        f"/admin/gitsync/sourcefile/{file.pk}/change/",
        "/admin/metadata/dag/",
        f"/admin/metadata/dag/{quote(uid)}/change/",
        "/admin/metadata/dagversion/",
        f"/admin/metadata/dagversion/{DagVersion.objects.get().pk}/change/",
        "/admin/metadata/dagrun/",
        f"/admin/metadata/dagrun/{run.pk}/change/",
    ]

    for address in pages:
        shown = text(browser, address)
        assert "<script>alert" not in shown, address
        assert "alert(1)" in shown, address
    live = browser.get(f"/admin/gitsync/repository/{row.pk}/sync/status/").json()["parts"]
    assert "alert(1)" in live["body"]
    assert "<script>alert" not in live["line"] + live["body"]


def test_pages_run_no_inline_script(browser: Client) -> None:
    make_rows(range(1))
    for address in (
        "/admin/gitsync/repository/",
        f"/admin/gitsync/repository/{Repository.objects.get().pk}/change/",
    ):
        answer = browser.get(address)
        assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
        for tag in answer.content.decode().split("<script")[1:]:
            head = tag.split(">")[0]
            assert "src=" in head or "application/json" in head
